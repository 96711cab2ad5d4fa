"""Serve the application, and stop without failing a request."""

import asyncio
import contextlib
import logging
import select
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.server import ServerState

from . import limits, logs
from .connection import Connection
from .health_socket import BACKLOG
from .limits import Patience
from .link import ACCEPT, HEALTH, Link
from .listener import Listener
from .notify import Notifier
from .readiness import STOPPING
from .service import Service
from .settings import Settings
from .sockets import name

UNATTENDED_SECONDS = 0.5
"""How long callers must wait in the queue before we assume that no other process accepts them."""
HURRY_SECONDS = 0.5
"""The most that `drain_seconds` counts for when no other process accepts."""
LINGER_SECONDS = 0.5
"""How long we wait, while stopping, for a caller to close a connection that we closed."""
GIVE_UP_SECONDS = 0.5
"""How long callers get to take what was sent to them once the grace period is over."""
PING_SECONDS = 20.0
"""How often a WebSocket's caller is asked for a sign of life."""
_TICK = 0.02
_LOOK_TICKS = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """How the server starts, and which service manager it notifies."""

    hold: bool = False
    """Accept nobody on the public sockets until SIGUSR1."""
    shared: bool = False
    """Other processes may accept on the public sockets too, because systemd holds them."""
    health: socket.socket | None = None
    """An additional socket to serve on, independent of the public ones."""
    notifier: Notifier = field(default_factory=Notifier)
    link: Link | None = None
    """The line to the parent, if this is one of several workers. It says when to accept."""


class Server(uvicorn.Server):
    """Serve the service; when told to stop, finish the requests in progress within `grace_seconds`.

    uvicorn's own server closes every connection that has no request at that moment, even a new
    one whose request is on its way, or a kept-alive one that is about to be used again.
    """

    def __init__(self, service: Service, settings: Settings, start: Start | None = None) -> None:
        config = uvicorn.Config(
            service,
            interface="asgi3",
            loop="asyncio:SelectorEventLoop",  # Windows' default has no add_reader()
            http=Connection,
            ws="none",  # a connection finds the class itself
            ws_max_size=settings.max_message_bytes,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=None,  # it also judges who may be silent
            lifespan="on",
            log_config=None,
            access_log=False,  # middleware.py writes a better one
            server_header=False,
            backlog=BACKLOG,
        )
        super().__init__(config)
        self._service = service
        self._settings = settings
        self._start = start or Start()
        self._patience = Patience(
            settings.head_seconds, settings.stall_seconds, idle=settings.idle_seconds
        )
        self._health_state = ServerState()
        self._health_state.default_headers = [CLOSE_HEADER]
        self._most = settings.max_connections
        self._listeners: list[Listener] = []
        self._health: Listener | None = None
        link = self._start.link
        self._notifier = link or self._start.notifier
        self._level = logging.DEBUG if link else logging.INFO  # the parent speaks for all
        self._accepting = not (self._start.hold or link)
        self._alive: asyncio.Task[None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and begin to accept connections unless the start is held."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_unexpected)
        if not self._start.link:
            with contextlib.suppress(AttributeError, NotImplementedError):  # Windows has neither
                loop.add_signal_handler(signal.SIGUSR1, self._release)
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        self._listen(sockets or [])
        if self._start.link:
            self._start.link.obey({HEALTH: self._open_health, ACCEPT: self._release}, self._leave)
        else:
            self._open_health()
        self.started = True
        if self._accepting:
            self._accept()
        else:
            logger.log(self._level, "held: accepting nobody until SIGUSR1")
        status = "accepting" if self._accepting else "held"
        self._notifier.send("READY=1", f"STATUS={status}")
        self._alive = asyncio.create_task(stay_alive(self._notifier))

    def _listen(self, sockets: list[socket.socket]) -> None:
        self.servers = []
        most = limits.connections(self._settings.max_connections, limits.descriptors())
        self._most = most
        self._listeners = [self._listener(sock, self.server_state, most) for sock in sockets]
        if self._start.health:
            most = limits.HEALTH_CONNECTIONS
            self._health = self._listener(self._start.health, self._health_state, most)

    def _listener(self, sock: socket.socket, state: ServerState, most: int) -> Listener:
        def make() -> Connection:
            made = Connection(self.config, state, self.lifespan.state)
            if sock is self._start.health:
                made.app, made.takes_websockets = self._service.private, False
            return made

        return Listener(sock, make, state.connections, most, turns=self._start.link is not None)

    def _open_health(self) -> None:
        if self._health and not self.should_exit:
            self._health.open()

    def _accept(self) -> None:
        for listener in self._listeners:
            listener.open()
        names = ", ".join(name(each.sock) for each in self._listeners)
        logger.log(self._level, "listening on %s", names)

    def _release(self) -> None:
        """Start to accept, if that was held."""
        if not self._accepting:
            self._accepting = True
            if self.started and not self.should_exit:
                self._accept()
                self._notifier.send("STATUS=accepting")

    def _leave(self) -> None:
        """Stop, since the parent is gone."""
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Check once a second which callers keep a connection waiting."""
        if counter % 10 == 0:
            crowd = len(self.server_state.connections) >= self._most * limits.CROWDED
            self._look(self._patience.in_a_crowd() if crowd else self._patience)
            logs.report()
        return await super().on_tick(counter)

    def _look(self, patience: Patience) -> None:
        now = asyncio.get_running_loop().time()
        for connection in self._connections(self.server_state, self._health_state):
            connection.look(now, patience)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal; skip the grace period at a second Ctrl-C.

        Unlike uvicorn's own server, do not die of the signal in the end: a requested stop that
        succeeds exits with 0.
        """
        self.force_exit |= self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, answer everyone who is connected, and close."""
        logger.log(self._level, "stopping")
        self._notifier.send("STOPPING=1", "STATUS=stopping")
        self._service.readiness.state = STOPPING
        await self._stop_accepting()
        self._announce_close()
        await self._drain()
        for listener in self._listeners:
            listener.sock.close()
        await self._give_up()
        await self._close_health()
        await self.lifespan.shutdown()
        logs.report(everything=True)
        logger.log(self._level, "stopped")
        self._alive.cancel()

    async def _stop_accepting(self) -> None:
        # Callers in the kernel's queue are left to the socket's other or next holder.
        for listener in self._listeners:
            await listener.close()
            if not self._start.shared:
                listener.sock.close()

    def _announce_close(self) -> None:
        # From now on each answer is the last on its connection, and says so. If one has been
        # sent in part, the next one is the last.
        headers = [*self.server_state.default_headers, CLOSE_HEADER]
        self.server_state.default_headers = headers
        for connection in self._connections(self.server_state):
            connection.announce_close(headers)

    def _connections(self, *states: ServerState) -> list[Any]:
        return [each for state in states for each in state.connections]

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        began = attended = loop.time()
        tick = 0
        while self.server_state.connections or self.server_state.tasks:
            now = loop.time()
            if self.force_exit or now - began >= self._settings.grace_seconds:
                return
            if not self._unattended():
                attended = now
            if tick % _LOOK_TICKS == 0:
                self._look(self._draining(began, now - attended >= UNATTENDED_SECONDS))
            tick += 1
            await asyncio.sleep(_TICK)

    def _draining(self, began: float, hurry: bool) -> Patience:
        """Return how long a caller may keep us waiting during a stop that began at `began`.

        A caller who makes progress gets the usual time; any other gets `drain_seconds`.
        """
        chosen = self._settings
        still = min(chosen.drain_seconds, HURRY_SECONDS) if hurry else chosen.drain_seconds
        return Patience(
            head=chosen.head_seconds,
            stall=min(chosen.stall_seconds, chosen.head_seconds),
            linger=LINGER_SECONDS,
            idle=still,
            pause=still,
            since=began,
        )

    def _unattended(self) -> bool:
        """Return whether callers wait to be accepted."""
        shared = [each.sock for each in self._listeners] if self._start.shared else []
        readable, _, _ = select.select(shared, [], [], 0)
        return bool(readable)

    async def _give_up(self) -> None:
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1)
        for connection in self._connections(self.server_state):
            connection.close()
        end = asyncio.get_running_loop().time() + GIVE_UP_SECONDS
        while self.server_state.connections and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(_TICK)

    async def _close_health(self) -> None:
        if self._health:
            await self._health.close()
            if not self._start.link:
                Path(self._health.sock.getsockname()).unlink(missing_ok=True)
            self._health.sock.close()
            if self._health_state.tasks:
                await asyncio.wait(self._health_state.tasks, timeout=1)


async def stay_alive(notifier: Notifier) -> None:
    """Send a sign of life twice as often as asked, for as long as the event loop runs."""
    while notifier.watchdog_seconds:
        notifier.send("WATCHDOG=1")
        await asyncio.sleep(notifier.watchdog_seconds / 2)


def _unexpected(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that asyncio could not pass on, without details that differ each time."""
    message = str(context["message"]).partition("\n")[0]
    logger.error("unexpected: %s", message, exc_info=context.get("exception"))
