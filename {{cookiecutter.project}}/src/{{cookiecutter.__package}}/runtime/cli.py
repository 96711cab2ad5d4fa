"""The command line. Each command imports what only it needs, to keep the start fast."""

import os
from collections.abc import Mapping
from typing import Any

import click

from . import NAME, facts, release, settings
from .commands import Commands


class Failure(click.ClickException):
    """An error that is shown as one line."""

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"error: {self.message}", file=file, err=True)


class Misuse(Failure):
    """The caller passed an invalid option or setting."""

    exit_code = 2


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run the program, or check a running one; environment variables are the settings (README)."""


@main.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", help="The TCP port to listen on.")
@click.option("--hold", is_flag=True, help="Accept nobody, or do not work, until SIGUSR1.")
def serve(hold: bool, **options: str | None) -> None:
    """Serve or work until told to stop; serve on systemd's socket if there is one."""
    described = _described()
    _RUN[described.kind](described, hold, options)


def _serve(described: facts.Facts, hold: bool, options: Mapping[str, str | None]) -> None:
    from . import notify, sockets

    chosen = _settings(described.kind, options)
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

    link = None
    if chosen.workers > 1:
        from . import workers

        plan = workers.Plan(chosen.workers, listening, bool(shared), hold, health, notifier)
        link = workers.Parent(plan).run()  # returns in each worker
    from . import ending, program, server, service

    try:
        found = program.find(described)
    except facts.ProgramError as error:
        raise Failure(str(error)) from None
    start = server.Start(hold, bool(shared), health, notifier, link)
    server.Server(service.Service(found, this), chosen, start).run(listening)
    ending.end()


def _work(described: facts.Facts, hold: bool, options: Mapping[str, str | None]) -> None:
    from . import ending, sockets, worker

    chosen = _settings(described.kind, options)
    try:
        code = worker.work(described, chosen, hold=hold)
    except (facts.ProgramError, sockets.SocketError) as error:
        raise Failure(str(error)) from None
    ending.end(code)
    raise SystemExit(code)


_RUN = {"service": _serve, "worker": _work}


@main.command()
def version() -> None:
    """Print the name and the release id."""
    click.echo(f"{NAME} {release.current().release}")


@main.command("before-switch")
def before_switch() -> None:
    """Prepare the data for this release, as each switch to it does."""
    from . import logs, preparation, program

    described = _described()
    chosen = _settings(described.kind)
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
@click.option("--url", help="Where to ask: http://HOST:PORT or unix:/PATH.")
@click.option("--release", "expected", help="The release id that must answer.")
@click.option("--wait", default=0, type=click.FloatRange(min=0), help="Retry for so many seconds.")
def check(url: str | None, expected: str | None, wait: float) -> None:
    """Ask a running program whether it is ready, by default where its settings let it answer."""
    from . import check as checks

    url = url or _url(_described())
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


def _url(described: facts.Facts) -> str:
    if described.kind == "worker":
        from . import sockets

        return f"unix:{sockets.health_path(os.environ)}"
    return _settings(described.kind).url


def _described() -> facts.Facts:
    try:
        return facts.read()
    except facts.ProgramError as error:
        raise Failure(str(error)) from None


def _settings(kind: str, options: Mapping[str, str | None] = {}) -> settings.Settings:
    try:
        return settings.load(os.environ, options, kind)
    except settings.SettingsError as error:
        raise Misuse(str(error)) from None
