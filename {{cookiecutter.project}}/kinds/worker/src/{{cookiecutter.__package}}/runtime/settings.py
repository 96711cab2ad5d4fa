"""The settings of a worker: which environment variables there are, and what each may say."""

from collections.abc import Mapping
from dataclasses import dataclass

from . import environment
from .rules import log_level, seconds


@dataclass(frozen=True)
class Settings:
    """The settings in force; ``<PREFIX><FIELD>`` in the environment overrides a default."""

    log_level: str = "info"
    """The least severe of `rules.LOG_LEVELS` that is logged."""
    grace_seconds: int = 25
    """How long the job in hand may go on after SIGTERM."""


RULES = {"log_level": log_level(), "grace_seconds": seconds(0)}


def load(environ: Mapping[str, str], options: Mapping[str, str | None] = {}) -> Settings:
    """Return the settings from `environ`, overridden by the command line's `options`.

    Raise SettingsError for a value that is not allowed, and for an unknown variable.
    """
    return Settings(**environment.values(RULES, environ, options))
