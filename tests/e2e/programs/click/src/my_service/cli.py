"""Turn Markdown into HTML, with whatever extensions of Markdown are installed."""

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import TextIO

import click
from markdown import markdown

from .runtime import NAME, release

RELEASE = release.current().release
GROUP = "markdown.extensions"
"""The group of entry points by which packages offer extensions."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(RELEASE, prog_name=NAME, message="%(prog)s %(version)s")
def main() -> None:
    """Turn Markdown into HTML."""


@main.command()
def extensions() -> None:
    """Print the names of all extensions."""
    for name in sorted({found.name for found in entry_points(group=GROUP)}):
        click.echo(name)


@main.command()
@click.argument("file", type=click.File(encoding="utf-8"), default="-")
@click.option("--use", "used", multiple=True, metavar="NAME", help="An extension to use.")
def convert(file: TextIO, used: Sequence[str]) -> None:
    """Print FILE, or the standard input, as HTML."""
    known = {found.name for found in entry_points(group=GROUP)}
    for name in used:
        if name not in known:
            raise click.UsageError(f"--use is '{name}': expected one of {', '.join(sorted(known))}")
    click.echo(markdown(file.read(), extensions=list(used)))
