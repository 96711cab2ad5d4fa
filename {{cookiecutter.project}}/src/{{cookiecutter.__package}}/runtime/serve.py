"""The command that serves, and where a service is asked whether it is ready."""

import os

import click

from . import release
from .check import HEALTH_PATH, READY_PATH, is_health_socket
from .common import Failure, chosen, declared
from .reference import ProgramError


@click.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", help="The TCP port to listen on.")
@click.option("--hold", is_flag=True, help="Accept nobody until SIGUSR1.")
def serve(hold: bool, **options: str | None) -> None:
    """Serve until told to stop, on systemd's socket if there is one."""
    from . import health_socket, notify, sockets

    described, settings = declared(), chosen(options)
    notifier = notify.from_systemd(os.environ)
    try:
        # before the slow imports: early callers then wait instead of being refused
        health = health_socket.listen(os.environ)
        shared = sockets.handed_over(os.environ)
        listening = shared or sockets.bound(settings.host, settings.port)
    except health_socket.SocketError as error:
        raise Failure(str(error)) from None

    from . import access_log

    this = release.current()
    access_log.configure(settings.log_level, this.release)  # the app may log at its import

    link = None
    if settings.workers > 1:
        from . import workers

        plan = workers.Plan(settings.workers, listening, bool(shared), hold, health, notifier)
        link = workers.Parent(plan).run()  # returns in each worker
    from . import ending, program, server, service

    try:
        found = program.find(described)
    except ProgramError as error:
        raise Failure(str(error)) from None
    start = server.Start(hold, bool(shared), health, notifier, link)
    server.Server(service.Service(found, this), settings, start).run(listening)
    ending.end()


def where(url: str | None, *, alive: bool = False) -> tuple[str, str]:
    """Return the address to ask, `url` if one is given, and the path to ask for there."""
    url = url or chosen().url
    name = "health_path" if alive else "ready_path"
    usual = HEALTH_PATH if alive else READY_PATH
    path = usual if is_health_socket(url) else getattr(declared(), name)
    if not path:
        raise Failure(f"tool.program.{name} is '': only the health socket can be asked")
    return url, path
