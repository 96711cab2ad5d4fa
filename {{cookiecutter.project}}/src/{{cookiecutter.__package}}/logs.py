"""Logs: one JSON object a line on stdout, in the Elastic Common Schema."""

import logging
import sys
from contextvars import ContextVar
from typing import TextIO

import ecs_logging

from . import NAME

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request being answered; every line logged meanwhile carries it."""

NOISE = (
    "color_message",  # uvicorn's text once more, with terminal colours
    "log.original",  # the message once more
    "process.name",
    "process.thread",
)


def configure(level: str, release: str) -> None:
    """Send everything that is logged, warnings too, to stdout from `level` on."""
    logging.basicConfig(level=level.upper(), handlers=[handler(sys.stdout, release)], force=True)
    logging.captureWarnings(capture=True)
    # uvicorn tells of each step in starting and stopping: ours are enough
    root = logging.getLogger()
    logging.getLogger("uvicorn").setLevel(max(root.level, logging.WARNING))


def handler(stream: TextIO, release: str) -> logging.Handler:
    """Give a handler that writes ECS lines to `stream`, naming this service and `release`."""
    made = logging.StreamHandler(stream)
    made.setFormatter(
        ecs_logging.StdlibFormatter(
            extra={"service.name": NAME, "service.version": release},
            exclude_fields=NOISE,
            ensure_ascii=False,
        )
    )
    made.addFilter(_name_request)
    return made


def _name_request(record: logging.LogRecord) -> bool:
    if found := request_id.get():
        record.__dict__["http.request.id"] = found
    return True
