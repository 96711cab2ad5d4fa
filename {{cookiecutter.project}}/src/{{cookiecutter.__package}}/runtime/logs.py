"""Logs: one JSON object a line on stdout, in the Elastic Common Schema."""

import logging
import sys
from typing import TextIO

from . import NAME
from .flood import Flood
from .log_line import Formatter

NOISE = (
    "log.original",  # the message once more
    "process.name",
    "process.thread",
)


def configure(level: str, release: str, made: logging.Handler | None = None) -> None:
    """Log to stdout from `level` on, including Python's warnings; `made` may be the handler."""
    handlers = [made or handler(sys.stdout, release)]
    logging.basicConfig(level=level.upper(), handlers=handlers, force=True)
    logging.captureWarnings(capture=True)


def handler(stream: TextIO, release: str) -> logging.Handler:
    """Return a handler that writes ECS lines to `stream`, naming this program and `release`."""
    made = logging.StreamHandler(stream)
    prepare(made, release)
    return made


def prepare(
    made: logging.Handler,
    release: str,
    *,
    exempt: frozenset[str] = frozenset(),
    noise: tuple[str, ...] = (),
) -> Formatter:
    """Let a handler format records as ECS lines, and limit identical ones; return its formatter.

    The limit does not concern the loggers in `exempt`; the fields in `noise` are left out.
    """
    formatter = Formatter(
        extra={"service.name": NAME, "service.version": release},
        exclude_fields=NOISE + noise,
        ensure_ascii=False,
    )
    made.setFormatter(formatter)
    made.addFilter(Flood(lambda record: _write(made, record), exempt))
    return formatter


def report(*, everything: bool = False) -> None:
    """Write how many identical lines were left out in windows that are over, or in all of them."""
    for each in logging.getLogger().handlers:
        for found in each.filters:
            if isinstance(found, Flood):
                found.report(everything=everything)


def _write(to: logging.Handler, record: logging.LogRecord) -> None:
    """Write `record` without asking the handler's filters."""
    to.acquire()
    try:
        to.emit(record)
    finally:
        to.release()
