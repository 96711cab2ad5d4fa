"""A log record as one line of JSON, in the Elastic Common Schema."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import ecs_logging

LAYOUTS = 1000
"""How many layouts are remembered: callers who vary the fields must not fill the memory."""
_PLAIN = (str, int)
_USUAL = frozenset(logging.makeLogRecord({}).__dict__)
"""The attributes of every record; any other is a field of its own."""

# A layout is learned from a line that has marks in place of values: a number between two of these,
# which no text is expected to hold.
_MARK = "\ue000"
_MARKED = re.compile(f'"{_MARK}([0-9]+){_MARK}"')
_EPOCH = "1970-01-01T00:00:00.000Z"

# JSON escapes only characters below the space. Some readers end a line at these too, terminals
# obey them, and half a surrogate pair cannot be written as UTF-8.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_quoted = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Layout:
    """What is common to the lines of like records."""

    text: str
    """The line, with %s for each value."""
    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    """What takes these values from a record's attributes."""


class Formatter(ecs_logging.StdlibFormatter):
    """Format a record as one line, whatever it holds.

    ecs-logging takes about a tenth of a millisecond for a line, often more than a service takes for
    its answer. So it formats only the first of like records; the others get that line's layout.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._layouts: dict[tuple[Any, ...], Layout | None] = {}
        self._second = -1
        self._until_second = ""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        if record.exc_info or record.stack_info:
            return self.format_slowly(record)
        time = self.time(record.created, record.msecs)
        line = self.line(record.levelname, time, record.getMessage(), record.__dict__)
        return self.format_slowly(record) if line is None else line

    def format_slowly(self, record: logging.LogRecord) -> str:
        """Return the same line, from ecs-logging alone."""
        return _safe(super().format(record))

    def time(self, created: float, msecs: float) -> str:
        """Return a record's time, all but the milliseconds of which changes once a second."""
        second = int(created)
        if second != self._second:
            at = logging.makeLogRecord({"created": created})
            self._until_second, self._second = self.formatTime(at, "%Y-%m-%dT%H:%M:%S"), second
        return f"{self._until_second}.{int(msecs):03}Z"

    def line(
        self, level: str, time: str, message: str, attributes: Mapping[str, Any]
    ) -> str | None:
        """Return the line of a record with these `attributes`: None if that has no layout."""
        key = (level, *attributes, *map(type, attributes.values()))
        try:
            layout = self._layouts[key]
        except KeyError:
            layout = None
            if len(self._layouts) < LAYOUTS:
                layout = self._learn(level, attributes) if _is_plain(attributes) else None
                self._layouts[key] = layout
        if layout is None:
            return None
        values = layout.values({**attributes, "@timestamp": time, "message": message})
        return _safe(layout.text % tuple([_quoted(v) if type(v) is str else v for v in values]))

    def _learn(self, level: str, attributes: Mapping[str, Any]) -> Layout:
        names = [*attributes, "@timestamp", "message"]
        marks = {name: f"{_MARK}{number}{_MARK}" for number, name in enumerate(names)}
        specimen = {
            name: marks[name] if type(value) in _PLAIN else value
            for name, value in attributes.items()
        }
        told = {"levelname": level, "msg": marks["message"], "args": None}
        at = {"created": 0.0, "msecs": 0.0}
        line = self.format_slowly(logging.makeLogRecord({**specimen, **told, **at}))
        parts = _MARKED.split(line.replace(_EPOCH, marks["@timestamp"], 1))
        text = "%s".join(literal.replace("%", "%%") for literal in parts[::2])
        return Layout(text, itemgetter(*(names[int(number)] for number in parts[1::2])))


def _is_plain(attributes: Mapping[str, Any]) -> bool:
    """Return whether all fields are of types and names that a layout can be made of."""
    return all(
        (value is None or type(value) in _PLAIN) and _MARK not in name
        for name, value in attributes.items()
        if name not in _USUAL
    )


def _safe(line: str) -> str:
    """Return `line` with escapes for what it must not hold."""
    if line.isascii() and "\x7f" not in line:
        return line
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
