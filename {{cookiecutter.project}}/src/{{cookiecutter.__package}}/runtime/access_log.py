"""What the log says of requests: a line for each, and its id in every line written meanwhile."""

import logging
import os
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, TextIO

from . import logs

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request being answered; every line logged meanwhile carries it."""

ACCESS = f"{__package__}.access"
"""The logger that writes one line for each request."""
_NOISE = ("color_message",)  # uvicorn's text once more, with terminal colours
_MESSAGE = "%s %s %d%s"
_ID = "http.request.id"

_access = logging.getLogger(ACCESS)
_call_handlers = logging.Logger.callHandlers
"""As it is now: what is to see all records may replace it."""


class Handler(logging.StreamHandler[TextIO]):
    """A handler that writes the line of a request without a record, if asked to."""

    def __init__(self, stream: TextIO, release: str) -> None:
        super().__init__(stream)
        self._lines = logs.prepare(self, release, exempt=frozenset({ACCESS}), noise=_NOISE)
        self.addFilter(_name_request)
        self._usual = tuple(self.filters)
        """The filters that have no say in the line of a request."""

    def is_usual(self, level: int) -> bool:
        """Return whether nobody has changed what this handler makes of a record."""
        unchanged = self.formatter is self._lines and tuple(self.filters) == self._usual
        return unchanged and level >= self.level

    def write(self, level: int, values: tuple[object, ...], fields: Mapping[str, Any]) -> None:
        """Write the line that `handle` would write."""
        self.acquire()
        try:
            self.stream.write(f"{self._line(level, values, fields)}{self.terminator}")
            self.flush()
        except Exception:
            self.handleError(_record(level, values, fields))
        finally:
            self.release()

    def _line(self, level: int, values: tuple[object, ...], fields: Mapping[str, Any]) -> str:
        now, pid = time.time(), os.getpid() if logging.logProcesses else None
        attributes = {**_ORIGIN, "process": pid, _ID: request_id.get(), **fields}
        at, name = self._lines.time(now, now % 1 * 1000), logging.getLevelName(level)
        line = self._lines.line(name, at, _MESSAGE % values, attributes)
        if line is None:
            record = _record(level, values, fields)
            _name_request(record)
            line = self._lines.format(record)
        return line


def configure(level: str, release: str) -> None:
    """Log to stdout from `level` on."""
    logs.configure(level, release, handler(sys.stdout, release))
    # uvicorn logs each step of starting and stopping, as we do
    root = logging.getLogger()
    logging.getLogger("uvicorn").setLevel(max(root.level, logging.WARNING))


def handler(stream: TextIO, release: str) -> logging.Handler:
    """Return a handler that also names requests."""
    return Handler(stream, release)


def write(level: int, values: tuple[object, ...], fields: Mapping[str, Any]) -> None:
    """Log a request as any logger would, but quicker where no other code takes part in that.

    `values` are its method, its path, its status, and how it ended.
    """
    if not _access.isEnabledFor(level):
        return
    if only := _only_handler(level):
        only.write(level, values, fields)
    else:
        _access.handle(_record(level, values, fields))


def _only_handler(level: int) -> Handler | None:
    """Return our handler if nobody else gets, sees or changes a record of a request."""
    if (
        _access.filters
        or logging.getLogRecordFactory() is not logging.LogRecord
        or logging.Logger.callHandlers is not _call_handlers
    ):
        return None
    found: list[logging.Handler] = []
    logger: logging.Logger | None = _access
    while logger is not None:
        found += logger.handlers
        logger = logger.parent if logger.propagate else None
    first = found[0] if len(found) == 1 else None
    return first if type(first) is Handler and first.is_usual(level) else None


def _record(level: int, values: tuple[object, ...], fields: Mapping[str, Any]) -> logging.LogRecord:
    make, code = logging.getLogRecordFactory(), write.__code__
    origin = code.co_filename, code.co_firstlineno
    record = make(ACCESS, level, *origin, _MESSAGE, values, None, code.co_name)
    record.__dict__.update(fields)
    return record


def _name_request(record: logging.LogRecord) -> bool:
    if found := request_id.get():
        record.__dict__[_ID] = found
    return True


_ORIGIN = {
    name: value
    for name, value in _record(logging.INFO, (), {}).__dict__.items()
    if name in {"name", "filename", "lineno", "funcName"}
}
"""Where a record says that it comes from."""
