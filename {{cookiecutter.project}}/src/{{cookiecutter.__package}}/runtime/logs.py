"""Logs: one JSON object a line on stdout, in the Elastic Common Schema."""

import logging
import re
import sys
from typing import TextIO

import ecs_logging

from . import NAME
from .flood import Flood

NOISE = (
    "log.original",  # the message once more
    "process.name",
    "process.thread",
)
# JSON escapes only characters below the space. Some readers end a line at these too, terminals
# obey them, and half a surrogate pair cannot be written as UTF-8.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def configure(level: str, release: str, made: logging.Handler | None = None) -> None:
    """Log to stdout from `level` on, including Python's warnings; `made` may be the handler."""
    handlers = [made or handler(sys.stdout, release)]
    logging.basicConfig(level=level.upper(), handlers=handlers, force=True)
    logging.captureWarnings(capture=True)


def handler(
    stream: TextIO,
    release: str,
    *,
    exempt: frozenset[str] = frozenset(),
    noise: tuple[str, ...] = (),
) -> logging.Handler:
    """Return a handler that writes ECS lines to `stream`, naming this program and `release`.

    It limits identical lines, except those of the loggers in `exempt`, and leaves out the fields
    in `noise`.
    """
    made = logging.StreamHandler(stream)
    made.setFormatter(
        Formatter(
            extra={"service.name": NAME, "service.version": release},
            exclude_fields=NOISE + noise,
            ensure_ascii=False,
        )
    )
    made.addFilter(Flood(lambda record: _write(made, record), exempt))
    return made


def report(*, everything: bool = False) -> None:
    """Write how many identical lines were left out in windows that are over, or in all of them."""
    for each in logging.getLogger().handlers:
        for found in each.filters:
            if isinstance(found, Flood):
                found.report(everything=everything)


class Formatter(ecs_logging.StdlibFormatter):
    """Format a record as one line, whatever it holds."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", super().format(record))


def _write(to: logging.Handler, record: logging.LogRecord) -> None:
    """Write `record` without asking the handler's filters."""
    to.acquire()
    try:
        to.emit(record)
    finally:
        to.release()
