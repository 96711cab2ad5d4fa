"""The program's own commands, which ``[tool.program.commands]`` in pyproject.toml names."""

import sys
from typing import Any

import click

from . import NAME, facts


class Commands(click.Group):
    """The runtime's commands and the program's own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return [*super().list_commands(ctx), *sorted(_described().commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name; None if there is none."""
        found = super().get_command(ctx, cmd_name)
        if found or not (reference := _described().commands.get(cmd_name)):
            return found
        return _Own(cmd_name, help=f"Call {reference}.", add_help_option=False)


class _Own(click.Command):
    """Calls the program's function in the way of ``[project.scripts]``: it reads sys.argv."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave all arguments to the function, ``--help`` and ``--`` among them."""
        ctx.args = args
        return args

    def invoke(self, ctx: click.Context) -> None:
        """Call the function. It may return or raise what it likes, as in a script."""
        from . import program

        name = str(self.name)
        function: Any  # a hook, or a command of click's
        try:
            function = program.command(_described(), name)
        except facts.ProgramError as error:
            raise _failure(error) from None
        sys.argv = [f"{NAME} {name}", *ctx.args]
        # With `python -m`, click would find another name for its help.
        shown = {"prog_name": sys.argv[0]} if isinstance(function, click.Command) else {}
        raise SystemExit(function(**shown))


def _described() -> facts.Facts:
    try:
        return facts.read()
    except facts.ProgramError as error:
        raise _failure(error) from None


def _failure(error: facts.ProgramError) -> click.ClickException:
    from .cli import Failure

    return Failure(str(error))
