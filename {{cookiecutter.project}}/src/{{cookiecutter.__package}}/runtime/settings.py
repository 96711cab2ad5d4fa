"""The settings of a service: which environment variables there are, and what each may say."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from . import environment
from .rules import Rule, log_level, seconds, whole_number

_HOST = re.compile(r"[\w:%-]{1,63}([.][\w:%-]{1,63})*", re.ASCII)
_MOST_WORKERS = 256 if hasattr(os, "fork") else 1


@dataclass(frozen=True)
class Settings:
    """The settings in force; ``<PREFIX><FIELD>`` in the environment overrides a default."""

    host: str = "127.0.0.1"
    """The address to listen on, or a name for it. Not used on a socket from systemd."""
    port: int = 8000
    """The TCP port to listen on. Not used on a socket from systemd."""
    log_level: str = "info"
    """The least severe of `rules.LOG_LEVELS` that is logged."""
    grace_seconds: int = 25
    """How long requests being answered may go on after SIGTERM."""
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


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(text)
    return text


RULES = {
    "host": Rule(_host, "an address or a host name"),
    "port": whole_number(1, 65535),
    "log_level": log_level(),
    "grace_seconds": seconds(0),
    "drain_seconds": seconds(0),
    "head_seconds": seconds(1),
    "idle_seconds": seconds(1),
    "stall_seconds": seconds(1),
    "workers": whole_number(1, _MOST_WORKERS),
    "max_connections": whole_number(1, 1_000_000),
    "max_message_bytes": whole_number(1, 2**30),
}


def load(environ: Mapping[str, str], options: Mapping[str, str | None] = {}) -> Settings:
    """Return the settings from `environ`, overridden by the command line's `options`.

    Raise SettingsError for a value that is not allowed, and for an unknown variable.
    """
    return Settings(**environment.values(RULES, environ, options))
