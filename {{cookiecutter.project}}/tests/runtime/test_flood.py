"""Log lines: one for each record, and a limit on identical ones."""

import io
import json
import logging
from types import ModuleType

import pytest

LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


class Clock:
    """A clock that stands still until a test sets it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Log:
    """The lines that a filter passes, and those that it writes itself."""

    def __init__(self, service: ModuleType, clock: Clock) -> None:
        self.lines: list[str] = []
        self.flood = service.flood.Flood(self._add, frozenset({"exempt"}), clock)

    def _add(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def __call__(self, message: str, level: int = logging.INFO, name: str = "a") -> None:
        record = logging.LogRecord(name, level, "", 0, message, (), None)
        if self.flood.filter(record):
            self._add(record)


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


@pytest.fixture
def log(service: ModuleType, clock: Clock) -> Log:
    """Return a log with a filter."""
    return Log(service, clock)


def test_identical_lines_are_counted(log: Log, clock: Clock) -> None:
    for _ in range(1000):
        log("same")
    assert log.lines == ["same"] * 10
    clock.now = 10
    log.flood.report()
    assert log.lines[10:] == ["990 more lines like this were left out: same"]
    log("same")
    assert log.lines[11:] == ["same"]


def test_next_line_tells_of_those_left_out(log: Log, clock: Clock) -> None:
    for _ in range(11):
        log("same")
    clock.now = 10
    log("other")
    assert log.lines[10:] == ["1 more lines like this were left out: same", "other"]


def test_few_lines_leave_nothing_to_tell(log: Log) -> None:
    for _ in range(10):
        log("same")
    log.flood.report(everything=True)
    assert log.lines == ["same"] * 10


def test_lines_that_differ_all_pass(log: Log) -> None:
    for number in range(3000):
        log(f"line {number}")
        log("same", level=number)
    assert len(log.lines) == 6000


def test_exempt_logger(log: Log) -> None:
    for _ in range(100):
        log("same", name="exempt")
    assert len(log.lines) == 100


def test_report_is_written_by_the_same_handler(service: ModuleType) -> None:
    stream, logger = io.StringIO(), logging.getLogger("flooded")
    root = logging.getLogger()
    handler = service.logs.handler(stream, "1")
    root.addHandler(handler)
    try:
        for _ in range(12):
            logger.error("same")
        service.logs.report(everything=True)
    finally:
        root.removeHandler(handler)
    last = json.loads(stream.getvalue().splitlines()[-1])
    assert last["message"] == "2 more lines like this were left out: same"
    assert (last["log.level"], last["log"]["logger"]) == ("error", "flooded")


@pytest.mark.parametrize("hostile", [*LINE_ENDS, "\x00", "\x1b", "\x7f", "\x9b", "\ud800"])
def test_one_record_is_one_line(service: ModuleType, hostile: str) -> None:
    stream = io.StringIO()
    handler = service.logs.handler(stream, "1")
    handler.handle(logging.LogRecord("a", logging.INFO, "", 0, f"a{hostile}b", (), None))
    text = stream.getvalue()
    assert [text] == text.splitlines(keepends=True)
    assert hostile == "\n" or hostile not in text
    assert json.loads(text.encode())["message"] == f"a{hostile}b"
