"""Serve the application, and stop without failing anyone."""

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
from starlette.applications import Starlette
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.server import ServerState

from . import limits, logs
from .connection import Connection
from .limits import Patience
from .listener import Listener
from .notify import Notifier
from .settings import Settings
from .sockets import BACKLOG

UNATTENDED_SECONDS = 0.5
"""How long callers must have waited to be accepted for us to believe that nobody else does it."""
HURRY_SECONDS = 0.5
"""What `drain_seconds` is at most when nobody else accepts."""
LINGER_SECONDS = 0.5
"""How long we wait, while stopping, for a caller to close what we have closed."""
GIVE_UP_SECONDS = 0.5
"""How long callers whose time is up get to take what was sent to them."""
_TICK = 0.02
_LOOK_TICKS = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """How the server starts, and whom it tells."""

    hold: bool = False
    """Accept nobody on the public sockets until SIGUSR1."""
    shared: bool = False
    """Others may accept on the public sockets too: systemd holds them."""
    health: socket.socket | None = None
    """Where to serve besides, whatever becomes of the public sockets."""
    notifier: Notifier = field(default_factory=Notifier)


class Server(uvicorn.Server):
    """Serve `app`; when told to stop, go on for up to `grace_seconds` with what was asked before.

    uvicorn's own closes every connection that has no request at that moment: also the one just
    accepted whose request is on its way, and the one kept alive that is about to be used again.
    """

    def __init__(self, app: Starlette, settings: Settings, start: Start | None = None) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio:SelectorEventLoop",  # Windows' other one has no add_reader()
            http=Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,  # ours has more to say, see middleware.py
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=settings.idle_seconds,
        )
        super().__init__(config)
        self._app = app
        self._settings = settings
        self._start = start or Start()
        self._patience = Patience(settings.head_seconds, settings.stall_seconds)
        self._health_state = ServerState()
        self._health_state.default_headers = [CLOSE_HEADER]
        self._most = settings.max_connections
        self._listeners: list[Listener] = []
        self._health: Listener | None = None
        self._accepting = not self._start.hold
        self._alive: asyncio.Task[None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and begin to accept connections, unless that is held."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_unexpected)
        with contextlib.suppress(AttributeError, NotImplementedError):  # Windows has none of it
            loop.add_signal_handler(signal.SIGUSR1, self._release)
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        self._listen(sockets or [])
        self.started = True
        if self._accepting:
            self._accept()
        else:
            logger.info("held: accepting nobody until SIGUSR1")
        status = "accepting" if self._accepting else "held"
        self._start.notifier.send("READY=1", f"STATUS={status}")
        self._alive = asyncio.create_task(self._start.notifier.stay_alive())

    def _listen(self, sockets: list[socket.socket]) -> None:
        self.servers = []
        most = limits.connections(self._settings.max_connections, limits.descriptors())
        self._most = most
        self._listeners = [self._listener(sock, self.server_state, most) for sock in sockets]
        if self._start.health:
            most = limits.HEALTH_CONNECTIONS
            self._health = self._listener(self._start.health, self._health_state, most)
            self._health.open()

    def _listener(self, sock: socket.socket, state: ServerState, most: int) -> Listener:
        def make() -> Connection:
            return Connection(self.config, state, self.lifespan.state)

        return Listener(sock, make, state.connections, most)

    def _accept(self) -> None:
        for listener in self._listeners:
            listener.open()
        logger.info("listening on %s", ", ".join(_name(each.sock) for each in self._listeners))

    def _release(self) -> None:
        """Accept from now on, where that was held."""
        if not self._accepting:
            self._accepting = True
            if self.started and not self.should_exit:
                self._accept()
                self._start.notifier.send("STATUS=accepting")

    async def on_tick(self, counter: int) -> bool:
        """Look once a second at who keeps a connection waiting."""
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
        """Stop at the first signal, and at a second Ctrl-C without any grace.

        Unlike uvicorn's, this does not die of the signal in the end: a stop that was asked for
        and went well exits with 0.
        """
        self.force_exit |= self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, answer everyone who is connected, and close."""
        logger.info("stopping")
        self._start.notifier.send("STOPPING=1", "STATUS=stopping")
        self._app.state.readiness = "stopping"
        await self._stop_accepting()
        self._announce_close()
        await self._drain()
        for listener in self._listeners:
            listener.sock.close()
        await self._give_up()
        await self._close_health()
        await self.lifespan.shutdown()
        logs.report(everything=True)
        logger.info("stopped")
        self._alive.cancel()

    async def _stop_accepting(self) -> None:
        # What the kernel has queued is left to whoever holds the socket too, or next.
        for listener in self._listeners:
            await listener.close()
            if not self._start.shared:
                listener.sock.close()

    def _announce_close(self) -> None:
        # From now on each answer is the last on its connection, and says so; where one has been
        # half sent, it is the next.
        headers = [*self.server_state.default_headers, CLOSE_HEADER]
        self.server_state.default_headers = headers
        for connection in self._connections(self.server_state):
            if connection.cycle is not None:
                connection.cycle.default_headers = headers

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
        """Return for how long a caller may keep us waiting after the stop, which `began` then.

        Who moves gets the time that anybody gets; who does not costs the stop `drain_seconds`.
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
            Path(self._health.sock.getsockname()).unlink(missing_ok=True)
            self._health.sock.close()
            if self._health_state.tasks:
                await asyncio.wait(self._health_state.tasks, timeout=1)


def _unexpected(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio could tell nobody else, without what differs from time to time."""
    message = str(context["message"]).partition("\n")[0]
    logger.error("unexpected: %s", message, exc_info=context.get("exception"))


def _name(sock: socket.socket) -> str:
    address = sock.getsockname()
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
