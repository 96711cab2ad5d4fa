"""What the commands have in common: errors as one line, and what was declared and set."""

import os
from collections.abc import Mapping
from typing import Any

import click

from . import facts, settings
from .environment import SettingsError
from .reference import ProgramError


class Failure(click.ClickException):
    """An error that is shown as one line."""

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"error: {self.message}", file=file, err=True)


class Misuse(Failure):
    """The caller passed an invalid option or setting."""

    exit_code = 2


def declared() -> facts.Facts:
    """Return what ``[tool.program]`` says, or end with an error."""
    try:
        return facts.read()
    except ProgramError as error:
        raise Failure(str(error)) from None


def chosen(options: Mapping[str, str | None] = {}) -> settings.Settings:
    """Return the settings, or end with an error."""
    try:
        return settings.load(os.environ, options)
    except SettingsError as error:
        raise Misuse(str(error)) from None
