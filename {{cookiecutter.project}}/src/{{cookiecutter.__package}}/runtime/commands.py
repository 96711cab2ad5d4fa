"""The program's own commands, which ``[tool.program.commands]`` in pyproject.toml names."""

import inspect
import sys
from typing import Any

import click

from . import NAME, facts, reference
from .common import Failure, declared


class Commands(click.Group):
    """The runtime's commands and the program's own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return [*super().list_commands(ctx), *sorted(declared().commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name; None if there is none."""
        found = super().get_command(ctx, cmd_name)
        if found or not (named := declared().commands.get(cmd_name)):
            return found
        return _Own(cmd_name, help=f"Call {named}.", add_help_option=False)


class _Own(click.Command):
    """Calls the program's function in the way of ``[project.scripts]``: it reads sys.argv."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave all arguments to the function, ``--help`` and ``--`` among them."""
        ctx.args = args
        return args

    def invoke(self, ctx: click.Context) -> None:
        """Call the function. It may return or raise what it likes, as in a script."""
        name = str(self.name)
        try:
            function = find(declared(), name)
        except reference.ProgramError as error:
            raise Failure(str(error)) from None
        sys.argv = [f"{NAME} {name}", *ctx.args]
        # With `python -m`, click would find another name for its help.
        shown = {"prog_name": sys.argv[0]} if isinstance(function, click.Command) else {}
        raise SystemExit(function(**shown))


def find(described: facts.Facts, name: str) -> Any:
    """Return the function of a command. Raise ProgramError if it needs arguments."""
    key, named = f"tool.program.commands.{name}", described.commands[name]
    found = reference.find(key, named)
    try:
        inspect.signature(found).bind()
    except TypeError:
        wrong = f"{key} is '{named}', {reference.shown(found)}"
        expected = "expected a function that needs no arguments"
        raise reference.ProgramError(f"{wrong}: {expected}") from None
    except ValueError:  # written in C, and it does not say
        pass
    return found
