"""The settings: which environment variables are read, and which values each may have."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import PREFIX

_HOST = re.compile(r"[\w:%-]{1,63}([.][\w:%-]{1,63})*", re.ASCII)
_MOST_WORKERS = 256 if hasattr(os, "fork") else 1
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


class SettingsError(Exception):
    """A setting is unknown or its value is not allowed; the message is one line."""


@dataclass(frozen=True)
class Settings:
    """The settings in force; ``<PREFIX><FIELD>`` in the environment overrides a default."""

    host: str = "127.0.0.1"
    """The address to listen on, or a name for it. Not used on a socket from systemd."""
    port: int = 8000
    """The TCP port to listen on. Not used on a socket from systemd."""
    log_level: str = "info"
    """The least severe of `LOG_LEVELS` that is logged."""
    grace_seconds: int = 25
    """How long requests being answered, or a job in hand, may go on after SIGTERM."""
    drain_seconds: int = 2
    """How long a connection without a request may still send one after SIGTERM."""
    head_seconds: int = 10
    """How long the head of a request may take to come in."""
    idle_seconds: int = 75
    """How long a connection is kept after an answer, without another request."""
    stall_seconds: int = 60
    """How long a body that is sent, or an answer that is taken, may make no progress."""
    workers: int = 1
    """How many processes serve."""
    max_connections: int = 800
    """How many connections of each process may be open at once; one more is answered with 503."""
    max_message_bytes: int = 16777216
    """How large a message over a WebSocket may be, in bytes; a larger one ends the conversation."""

    @property
    def url(self) -> str:
        """The URL at which programs on this machine reach the service."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if not self.host.strip("0.:"):  # all zeros: every address, so the loopback one too
            host = "[::1]" if ":" in self.host else "127.0.0.1"
        return f"http://{host}:{self.port}"


@dataclass(frozen=True)
class Rule:
    """How the text of one setting is read, and how to say what is allowed."""

    read: Callable[[Any], Any]
    """Return the value, or raise ValueError."""
    allowed: str


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        # int() alone would also take "1_000", " 80" and other alphabets' digits
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(text)
        return int(text)

    return read


def _seconds(least: int) -> Rule:
    allowed = f"a whole number of seconds from {least} to 3600"
    return Rule(_whole_number(least, 3600), allowed)


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(text)
    return text


def _log_level(text: str) -> str:
    return LOG_LEVELS[LOG_LEVELS.index(text.lower())]


RULES = {
    "host": Rule(_host, "an address or a host name"),
    "port": Rule(_whole_number(1, 65535), "a whole number from 1 to 65535"),
    "log_level": Rule(_log_level, f"one of {', '.join(LOG_LEVELS)}"),
    "grace_seconds": _seconds(0),
    "drain_seconds": _seconds(0),
    "head_seconds": _seconds(1),
    "idle_seconds": _seconds(1),
    "stall_seconds": _seconds(1),
    "workers": Rule(_whole_number(1, _MOST_WORKERS), f"a whole number from 1 to {_MOST_WORKERS}"),
    "max_connections": Rule(_whole_number(1, 1_000_000), "a whole number from 1 to 1000000"),
    "max_message_bytes": Rule(_whole_number(1, 2**30), "a whole number from 1 to 1073741824"),
}
OF_KIND = {"service": tuple(RULES), "worker": ("log_level", "grace_seconds")}
"""The settings that a program of each kind has."""


def load(
    environ: Mapping[str, str], options: Mapping[str, str | None] = {}, kind: str = "service"
) -> Settings:
    """Return the settings from `environ`, overridden by the command line's `options`.

    Raise SettingsError for a value that is not allowed, and for an unknown variable with our
    prefix: a misspelt setting must not seem to be applied.
    """
    known = {PREFIX + field.upper(): field for field in OF_KIND[kind]}
    ours = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
    if strangers := sorted(ours.keys() - known):
        raise SettingsError(f"{strangers[0]} is no setting: expected one of {', '.join(known)}")
    values = {known[name]: _read(known[name], text, name) for name, text in ours.items()}
    for field, text in options.items():
        if text is not None and field not in OF_KIND[kind]:
            raise SettingsError(f"--{field} is {text!r}: a {kind} has no {field}")
        if text is not None:
            values[field] = _read(field, text, f"--{field}")
    return Settings(**values)


def _read(field: str, text: str, name: str) -> Any:
    try:
        return RULES[field].read(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}: expected {RULES[field].allowed}") from None
