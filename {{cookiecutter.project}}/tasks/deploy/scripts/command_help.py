"""Writes what a command's own help gives: completions for shells, and a man page.

Runs as a script in an environment with the program's packages:
`python command_help.py SOURCE MODULE:FUNCTION NAME VERSION DATE FOLDER`. It writes nothing for a
command that is neither click's nor Typer's, whose commands have the same methods.
"""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

COMPLETIONS = {
    "bash": "bash-completion/completions/{}",
    "fish": "fish/vendor_completions.d/{}.fish",
    "zsh": "zsh/site-functions/_{}",
}
"""Where a shell looks for the completions of a command, by the name by which a library knows it."""
ORDERS = {"click": "{}_source", "typer": "source_{}"}
"""The order by which a command prints its completions, in the environment variable for it."""
MAN = "man/man1/{}.1"


def completions(command: Any, library: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each shell's completions, which the command itself prints."""
    variable = f"_{re.sub('[-.]', '_', name).upper()}_COMPLETE"
    for shell, path in COMPLETIONS.items():
        os.environ[variable] = ORDERS[library].format(shell)
        said = io.BytesIO()  # click writes bytes to what is below sys.stdout
        output = io.TextIOWrapper(said, encoding="utf-8", write_through=True)
        with redirect_stdout(output), suppress(SystemExit):
            command.main(args=[], prog_name=name, complete_var=variable)
        if text := said.getvalue().decode().strip():  # a Typer app may have none
            yield path.format(name), f"{text}\n"
    os.environ.pop(variable)


def man_page(command: Any, name: str, version: str, date: str) -> str:
    """Return a command's page for man(1), with its subcommands on it."""
    context = called(command, name)
    short = plain(command.get_short_help_str(200).rstrip(".") or name)
    lines = [
        f'.TH "{plain(name.upper())}" "1" "{date}" "{plain(f"{name} {version}")}"',
        ".SH NAME",
        f"{plain(name)} \\- {short}",
        ".SH SYNOPSIS",
        *usage(context),
        ".SH DESCRIPTION",
        *paragraphs(command.help),
        ".SH OPTIONS",
        *options(context),
    ]
    for sub in subcommands(context):
        lines += [f'.SH "COMMAND {plain(sub.command_path.partition(" ")[2])}"', *usage(sub)]
        lines += [".PP", *paragraphs(sub.command.help), *options(sub)]
    return "\n".join(lines) + "\n"


def called(command: Any, name: str, parent: Any = None) -> Any:
    """Return the context of a command that is called by a name."""
    settings = command.context_settings
    return command.context_class(command, info_name=name, parent=parent, **settings)


def subcommands(context: Any) -> Iterator[Any]:
    """Yield the contexts of all commands below one, in the order of its help."""
    group = context.command
    if not hasattr(group, "list_commands"):
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command and not command.hidden:
            sub = called(command, name, context)
            yield sub
            yield from subcommands(sub)


def usage(context: Any) -> Iterator[str]:
    """Yield the lines that show how a command is called."""
    words = " ".join(context.command.collect_usage_pieces(context))
    yield f"\\fB{plain(context.command_path)}\\fP {plain(words)}"


def options(context: Any) -> Iterator[str]:
    """Yield the lines that describe the options of a command."""
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[1]:
            yield from (".TP", f"\\fB{plain(record[0])}\\fP", *paragraphs(record[1]))


def paragraphs(text: str | None) -> Iterator[str]:
    """Yield the lines of a help text; blank lines begin a paragraph."""
    for line in (text or "").replace("\b", "").partition("\f")[0].strip().splitlines():
        yield plain(line.strip()) if line.strip() else ".PP"


def plain(text: str) -> str:
    """Return text with which roff does nothing."""
    escaped = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def known(found: Any) -> tuple[Any, str]:
    """Return the command of what was found, and the library that it is made with; "" for another.

    Typer makes a command of an app each time the app is called.
    """
    with suppress(ModuleNotFoundError):
        import click

        if isinstance(found, click.Command):
            return found, "click"
    with suppress(ModuleNotFoundError):
        from typer import Typer
        from typer.main import get_command

        if isinstance(found, Typer):
            return get_command(found), "typer"
    return found, ""


def write(found: Any, folder: str, name: str, version: str, date: str) -> None:
    """Write the files of a command below `folder`, if its library is known."""
    command, library = known(found)
    if not library:
        return
    page = man_page(command, name, version, date)
    for path, text in [*completions(command, library, name), (MAN.format(name), page)]:
        target = Path(folder, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    source, reference, *named, folder = sys.argv[1:]
    sys.path.insert(0, source)
    write(resolve_name(reference), folder, *named)
