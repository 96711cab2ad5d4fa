"""Writes what a click command's own help gives: completions for shells, and a man page.

Runs as a script in an environment with the program's packages:
`python command_help.py SOURCE MODULE:FUNCTION NAME VERSION DATE FOLDER`. It writes nothing for a
command that is not click's.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

COMPLETIONS = {
    "bash": "bash-completion/completions/{}",
    "fish": "fish/vendor_completions.d/{}.fish",
    "zsh": "zsh/site-functions/_{}",
}
"""Where a shell looks for the completions of a command, by the name by which click knows it."""
MAN = "man/man1/{}.1"


def completions(command: Any, name: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of a command's completions for each shell."""
    from click.shell_completion import get_completion_class

    variable = f"_{re.sub('[-.]', '_', name).upper()}_COMPLETE"
    for shell, path in COMPLETIONS.items():
        if made := get_completion_class(shell):
            yield path.format(name), made(command, {}, name, variable).source().strip() + "\n"


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
    import click

    group = context.command
    if not isinstance(group, click.Group):
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


def write(command: Any, folder: str, name: str, version: str, date: str) -> None:
    """Write the files of a command below `folder`, if it is click's."""
    try:
        import click
    except ModuleNotFoundError:
        return
    if not isinstance(command, click.Command):
        return
    page = man_page(command, name, version, date)
    for path, text in [*completions(command, name), (MAN.format(name), page)]:
        target = Path(folder, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    source, reference, *named, folder = sys.argv[1:]
    sys.path.insert(0, source)
    write(resolve_name(reference), folder, *named)
