"""The command: a sample to replace by your own (docs/your-program.md)."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

import click

from .runtime import NAME, release

RELEASE = release.current().release


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(RELEASE, prog_name=NAME, message="%(prog)s %(version)s")
def main() -> None:
    """Count what is in texts."""


@main.command()
@click.argument("files", type=click.File(encoding="utf-8"), nargs=-1)
def count(files: Sequence[TextIO]) -> None:
    """Print the number of lines and words of FILES, or of the standard input."""
    for file in files or (sys.stdin,):
        lines = file.read().splitlines()
        words = sum(len(line.split()) for line in lines)
        click.echo(f"{len(lines):8}{words:8}  {file.name}")


@main.command()
@click.argument("file", type=click.File(encoding="utf-8"), default="-")
@click.option("--most", default=10, type=click.IntRange(min=1), help="How many to print.")
def words(file: TextIO, most: int) -> None:
    """Print the words that are most frequent in FILE, or in the standard input."""
    for word, times in Counter(file.read().split()).most_common(most):
        click.echo(f"{times:8}  {word}")
