"""The line of a record, which is the same whether ecs-logging or a layout makes it."""

import io
import json
import logging
import sys
from types import ModuleType
from typing import Any

import pytest

FIELDS: list[dict[str, Any]] = [
    {},
    {"a.b": "text", "a.c": 3, "d": None},
    {"a.b": None},
    {"a": {"b": 1}},
    {"a": 1.5, "b": True, "c": [1, "x"]},
    {"a%s.b": "100%", 'quo"ted': "\\"},
    {"a.b": 'q"\\\n\x00\x7f\x85\u2028\ud800é'},
    {"mark": "\ue0003\ue000", "other": "\ue000"},
    {"\ue0000\ue000": "a field"},
    {"service.environment": "test", "elasticapm_trace_id": "t", "elasticapm_labels": "left out"},
]


@pytest.fixture
def formatter(service: ModuleType) -> Any:
    """Return a formatter like that of the log."""
    made = service.logs.handler(io.StringIO(), "1.2.3").formatter
    assert type(made) is service.log_line.Formatter
    return made


def record(fields: dict[str, Any], **attributes: Any) -> logging.LogRecord:
    usual = {"name": "a.b", "levelname": "INFO", "msg": "%s and %d %%", "args": ("é", 3)}
    return logging.makeLogRecord({**usual, **fields, **attributes})


@pytest.mark.parametrize("fields", FIELDS)
def test_layout_gives_the_same_line(formatter: Any, fields: dict[str, Any]) -> None:
    for number in range(3):
        made = record(fields, args=("\ue0001\ue000", number), name=f"a.{number}%", lineno=number)
        assert formatter.format(made) == formatter.format_slowly(made)


@pytest.mark.parametrize("fields", FIELDS[:3])
def test_ecs_logging_is_asked_once(
    formatter: Any, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> None:
    formatter.format(record(fields))
    monkeypatch.delattr(type(formatter), "format_slowly")
    line = json.loads(formatter.format(record(fields, args=("other", 4), levelname="INFO")))
    assert line["message"] == "other and 4 %"


def test_each_kind_of_value_has_its_layout(formatter: Any) -> None:
    for value in ("text", 3, None, 2.5, True, "more", 4, None, {"c": 1}):
        made = record({"a.b": value})
        assert formatter.format(made) == formatter.format_slowly(made)


@pytest.mark.parametrize("level", ["DEBUG", "WARNING", "OWN"])
def test_level(formatter: Any, level: str) -> None:
    for each in ("INFO", level):
        assert json.loads(formatter.format(record({}, levelname=each)))["log.level"] == each.lower()


@pytest.mark.parametrize("seconds", [0.0, 0.999, 59.9995, 1e9 + 0.25, 1795689599.999])
def test_time(formatter: Any, seconds: float) -> None:
    for later in (0, 0.1, 1, 86400, -5):
        made = record({}, created=seconds + later, msecs=(seconds + later) % 1 * 1000)
        assert formatter.format(made) == formatter.format_slowly(made)


def test_exception(formatter: Any) -> None:
    formatter.format(record({}))
    try:
        FIELDS[0]["lost"]
    except KeyError:
        made = record({}, exc_info=sys.exc_info())
    line = json.loads(formatter.format(made))
    assert (line["error"]["type"], line["error"]["message"]) == ("KeyError", "'lost'")
    assert 'FIELDS[0]["lost"]' in line["error"]["stack_trace"]


def test_layouts_do_not_fill_the_memory(
    service: ModuleType, formatter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.log_line, "LAYOUTS", 3)
    for number in range(10):
        made = record({f"field{number}": number})
        assert formatter.format(made) == formatter.format_slowly(made)
    assert len(formatter._layouts) == 3
