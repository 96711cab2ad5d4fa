"""The line of a request, which a shorter way must not change, nor hide from anybody."""

import io
import json
import logging
import re
import socket
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from .program import Program

INFO = logging.INFO
VALUES = ("GET", "/a%é", 200, "")
FIELDS = {"client.address": "127.0.0.1", "http.response.status_code": 200, "url.path": "/a\u2028"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

Log = Callable[[], tuple[Any, io.StringIO]]


@pytest.fixture
def log(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """Return a function that makes a handler the only one, and returns it with its stream."""

    def log() -> tuple[Any, io.StringIO]:
        stream, root = io.StringIO(), logging.getLogger()
        made = service.access_log.handler(stream, "1.2.3")
        monkeypatch.setattr(root, "handlers", [made])  # pytest adds its own before each test
        monkeypatch.setattr(root, "level", INFO)
        monkeypatch.setattr(logging.getLogger(service.access_log.ACCESS), "_cache", {})
        return made, stream

    token = service.access_log.request_id.set("r1")
    yield log
    service.access_log.request_id.reset(token)


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> list[logging.LogRecord]:
    """Collect the records of requests that are made."""
    found: list[logging.LogRecord] = []
    init = logging.LogRecord.__init__

    def collect(record: logging.LogRecord, *args: Any, **options: Any) -> None:
        init(record, *args, **options)
        if str(record.name).endswith(".access"):
            found.append(record)

    monkeypatch.setattr(logging.LogRecord, "__init__", collect)
    return found


@pytest.mark.parametrize("agent", ["test/1", None])
@pytest.mark.parametrize("address", ["::1", None])
def test_both_ways_write_the_same(
    service: ModuleType,
    log: Log,
    records: list[logging.LogRecord],
    agent: str | None,
    address: str | None,
) -> None:
    handler, stream = log()
    fields = {**FIELDS, "user_agent.original": agent, "client.address": address}
    service.access_log.write(INFO, VALUES, fields)
    records.clear()
    service.access_log.write(INFO, VALUES, fields)
    assert not records  # the shorter way
    handler.addFilter(lambda _: True)
    service.access_log.write(INFO, VALUES, fields)
    assert len(records) == 1
    _, short, long = stream.getvalue().splitlines()
    assert TIME.sub("", short, count=1) == TIME.sub("", long, count=1)
    for line in map(json.loads, (short, long)):
        assert TIME.fullmatch(line["@timestamp"])
        assert (line["http"]["request"]["id"], line["message"]) == ("r1", "GET /a%é 200")
        assert (line["url"]["path"], line.get("client")) == (
            "/a\u2028",
            {"address": address} if address else None,
        )


def test_level(service: ModuleType, log: Log) -> None:
    handler, stream = log()
    service.access_log.write(logging.DEBUG, VALUES, FIELDS)
    handler.setLevel(logging.WARNING)
    service.access_log.write(INFO, VALUES, FIELDS)
    assert stream.getvalue() == ""
    service.access_log.write(logging.WARNING, VALUES, FIELDS)
    assert json.loads(stream.getvalue())["log.level"] == "warning"


def test_value_of_an_unusual_type(service: ModuleType, log: Log) -> None:
    _, stream = log()
    service.access_log.write(INFO, VALUES, {**FIELDS, "client.address": ["odd", 1.5]})
    line = json.loads(stream.getvalue())
    assert line["client"]["address"] == ["odd", 1.5]
    assert line["http"]["request"]["id"] == "r1"


class Other(logging.Handler):
    """A handler of the program's own."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())


@pytest.mark.parametrize("where", ["root", "{}", "{}.access"])
def test_other_handlers_get_the_record(service: ModuleType, log: Log, where: str) -> None:
    _, stream = log()
    logger, other = logging.getLogger(where.format(service.__name__)), Other()
    logger.addHandler(other)
    try:
        service.access_log.write(INFO, VALUES, FIELDS)
    finally:
        logger.removeHandler(other)
    assert other.seen == ["GET /a%é 200"]
    assert len(stream.getvalue().splitlines()) == 1


def hide(record: logging.LogRecord) -> bool:
    """Hide the path, as a program's own filter may."""
    record.args, record.__dict__["url.path"] = ("GET", "hidden", 200, ""), "hidden"
    return True


def test_filter_of_the_handler(service: ModuleType, log: Log) -> None:
    handler, stream = log()
    handler.addFilter(hide)
    service.access_log.write(INFO, VALUES, FIELDS)
    assert "hidden" in stream.getvalue()
    assert "/a" not in stream.getvalue()


def test_filter_of_the_logger(service: ModuleType, log: Log) -> None:
    _, stream = log()
    logger = logging.getLogger(service.access_log.ACCESS)
    logger.addFilter(hide)
    try:
        service.access_log.write(INFO, VALUES, FIELDS)
    finally:
        logger.removeFilter(hide)
    assert json.loads(stream.getvalue())["url"]["path"] == "hidden"


def test_formatter_of_the_program(service: ModuleType, log: Log) -> None:
    handler, stream = log()
    handler.setFormatter(logging.Formatter("own %(message)s"))
    service.access_log.write(INFO, VALUES, FIELDS)
    assert stream.getvalue() == "own GET /a%é 200\n"


def test_record_factory(service: ModuleType, log: Log) -> None:
    _, stream = log()
    usual = logging.getLogRecordFactory()

    def make(*args: Any, **options: Any) -> logging.LogRecord:
        made = usual(*args, **options)
        made.__dict__["trace.id"] = "t1"
        return made

    logging.setLogRecordFactory(make)
    try:
        service.access_log.write(INFO, VALUES, FIELDS)
    finally:
        logging.setLogRecordFactory(usual)
    assert json.loads(stream.getvalue())["trace"] == {"id": "t1"}


def test_watcher_of_all_records(
    service: ModuleType, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log()
    seen = []
    usual = logging.Logger.callHandlers

    def watch(logger: logging.Logger, record: logging.LogRecord) -> None:
        seen.append(record.getMessage())
        usual(logger, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", watch)
    service.access_log.write(INFO, VALUES, FIELDS)
    assert seen == ["GET /a%é 200"]


class Full(io.StringIO):
    """A stream that takes nothing."""

    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")


def test_log_that_cannot_be_written_does_not_fail_a_request(
    service: ModuleType, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    handler, _ = log()
    handler.setStream(Full())
    service.access_log.write(INFO, VALUES, FIELDS)
    assert "No space left on device" in capsys.readouterr().err


def test_killed_process_has_written_each_line(
    start: Callable[..., Program], listener: socket.socket
) -> None:
    program = start("serve", listener=listener).ready()
    for _ in range(20):
        program.get("/")
    program.process.kill()
    program.ended()
    messages = [line["message"] for line in program.lines()]
    assert messages.count("GET / 200") >= 19  # the last one may have been killed just before
