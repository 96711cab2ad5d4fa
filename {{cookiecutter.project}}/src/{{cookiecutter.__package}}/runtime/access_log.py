"""What the log says of requests: a line for each, and its id in every line written meanwhile."""

import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TextIO

from . import logs

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request being answered; every line logged meanwhile carries it."""

ACCESS = f"{__package__}.access"
"""The logger that writes one line for each request."""
_access = logging.getLogger(ACCESS)
_NOISE = ("color_message",)  # uvicorn's text once more, with terminal colours


def configure(level: str, release: str) -> None:
    """Log to stdout from `level` on."""
    logs.configure(level, release, handler(sys.stdout, release))
    # uvicorn logs each step of starting and stopping, as we do
    root = logging.getLogger()
    logging.getLogger("uvicorn").setLevel(max(root.level, logging.WARNING))


def handler(stream: TextIO, release: str) -> logging.Handler:
    """Return a handler that also names requests."""
    made = logs.handler(stream, release, exempt=frozenset({ACCESS}), noise=_NOISE)
    made.addFilter(_name_request)
    return made


def write(
    level: int, message: str, values: tuple[object, ...], fields: Mapping[str, object]
) -> None:
    """Log a request as any logger would, without a search of the stack for who calls it."""
    if _access.isEnabledFor(level):
        code, make = write.__code__, logging.getLogRecordFactory()
        origin = code.co_filename, code.co_firstlineno
        record = make(ACCESS, level, *origin, message, values, None, code.co_name)
        record.__dict__.update(fields)
        _access.handle(record)


def _name_request(record: logging.LogRecord) -> bool:
    if found := request_id.get():
        record.__dict__["http.request.id"] = found
    return True
