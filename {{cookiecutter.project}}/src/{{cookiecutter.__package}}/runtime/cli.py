"""The command line. Each command imports what only it needs, to keep the start fast."""

import click

from . import NAME, release
from .commands import Commands
from .common import Failure, Misuse, chosen, declared
from .reference import ProgramError
from .serve import serve, where


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run the program, or check a running one; environment variables are the settings (README)."""


main.add_command(serve)


@main.command()
def version() -> None:
    """Print the name and the release id."""
    click.echo(f"{NAME} {release.current().release}")


@main.command("before-switch")
def before_switch() -> None:
    """Prepare the data for this release, as each switch to it does."""
    from . import hook, logs, preparation

    described = declared()
    this = release.current()
    logs.configure(chosen().log_level, this.release)
    try:
        prepare = hook.find("before_switch", described.before_switch)
        if prepare is None:
            click.echo("tool.program names no before_switch: there is nothing to prepare")
            return
        preparation.run(prepare)
    except (ProgramError, preparation.PreparationError) as error:
        raise Failure(str(error)) from None
    click.echo(f"the data is prepared for {this.release}")


@main.command()
@click.option("--url", help="Where to ask: http://HOST:PORT or unix:/PATH.")
@click.option("--release", "expected", help="The release id that must answer.")
@click.option("--alive", is_flag=True, help="Ask only whether it runs, whatever else it needs.")
@click.option("--wait", default=0, type=click.FloatRange(min=0), help="Retry for so many seconds.")
def check(url: str | None, expected: str | None, alive: bool, wait: float) -> None:
    """Ask a running program whether it is ready, by default where its settings let it answer."""
    from . import check as checks

    url, path = where(url, alive=alive)
    said = "alive" if alive else "ready"
    try:
        click.echo(f"{said}: {checks.plain(checks.wait(url, expected, wait, path))}")
    except checks.NotReady as error:
        click.echo(checks.plain(str(error)), err=True)
        raise SystemExit(1) from None
    except ValueError:
        raise Misuse(f"--url is {url!r}: expected http://HOST:PORT or unix:/PATH") from None
