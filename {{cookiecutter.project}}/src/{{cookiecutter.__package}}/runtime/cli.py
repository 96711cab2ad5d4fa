"""The command line. Each command imports what only it needs, to keep the start fast."""

import os
from collections.abc import Mapping
from typing import Any

import click

from . import NAME, facts, release, settings


class Failure(click.ClickException):
    """An error that is shown as one line."""

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"error: {self.message}", file=file, err=True)


class Misuse(Failure):
    """The caller passed an invalid option or setting."""

    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run the service, or check a running one; environment variables are the settings (README)."""


@main.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", help="The TCP port to listen on.")
@click.option("--hold", is_flag=True, help="Accept nobody until SIGUSR1; be ready meanwhile.")
def serve(hold: bool, **options: str | None) -> None:
    """Serve until told to stop, on systemd's socket if there is one."""
    from . import notify, sockets

    chosen, described = _settings(options), _described()
    notifier = notify.from_systemd(os.environ)
    try:
        # before the slow imports: early callers then wait instead of being refused
        health = sockets.health(os.environ)
        shared = sockets.handed_over(os.environ)
        listening = shared or sockets.bound(chosen.host, chosen.port)
    except sockets.SocketError as error:
        raise Failure(str(error)) from None

    from . import logs

    this = release.current()
    logs.configure(chosen.log_level, this.release)  # the program may log while it is imported

    from . import program, server, service

    try:
        found = program.find(described)
    except facts.ProgramError as error:
        raise Failure(str(error)) from None
    start = server.Start(hold=hold, shared=bool(shared), health=health, notifier=notifier)
    server.Server(service.Service(found, this), chosen, start).run(listening)
    server.end()


@main.command()
def version() -> None:
    """Print the name and the release id."""
    click.echo(f"{NAME} {release.current().release}")


@main.command("before-switch")
def before_switch() -> None:
    """Prepare the data for this release, as each switch to it does."""
    from . import logs, preparation, program

    chosen, described = _settings(), _described()
    this = release.current()
    logs.configure(chosen.log_level, this.release)
    try:
        hook = program.before_switch(described)
        if hook is None:
            click.echo("tool.program names no before_switch: there is nothing to prepare")
            return
        preparation.run(hook)
    except (facts.ProgramError, preparation.PreparationError) as error:
        raise Failure(str(error)) from None
    click.echo(f"the data is prepared for {this.release}")


@main.command()
@click.option("--url", help="The service's URL; by default from the settings.")
@click.option("--release", "expected", help="The release id that must answer.")
@click.option("--wait", default=0, type=click.FloatRange(min=0), help="Retry for so many seconds.")
def check(url: str | None, expected: str | None, wait: float) -> None:
    """Ask a running service whether it is ready."""
    from . import check as checks

    url = url or _settings().url
    path = checks.READY_PATH if checks.is_health_socket(url) else _described().ready_path
    if not path:
        raise Failure("tool.program.ready_path is '': only the health socket can be asked")
    try:
        click.echo(f"ready: {checks.plain(checks.wait(url, expected, wait, path))}")
    except checks.NotReady as error:
        click.echo(checks.plain(str(error)), err=True)
        raise SystemExit(1) from None
    except ValueError:
        raise Misuse(f"--url is {url!r}: expected http://HOST:PORT or unix:/PATH") from None


def _described() -> facts.Facts:
    try:
        return facts.read()
    except facts.ProgramError as error:
        raise Failure(str(error)) from None


def _settings(options: Mapping[str, str | None] = {}) -> settings.Settings:
    try:
        return settings.load(os.environ, options)
    except settings.SettingsError as error:
        raise Misuse(str(error)) from None
