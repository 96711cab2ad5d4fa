"""Serve the application, and stop without failing anyone."""

import asyncio
import contextlib
import logging
import signal
import socket
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol

from .sockets import BACKLOG

KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep an idle connection (60 s): the one that ends it must not be us."""
DRAIN_SECONDS = 0.5
"""How long a connection without a request may still send one when we stop."""
_TICK = 0.02

logger = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Serve `app`; when told to stop, go on for up to `grace_seconds` with what was asked before.

    uvicorn's own closes every connection that has no request at that moment: also the one just
    accepted whose request is on its way, and the one kept alive that is about to be used again.
    """

    def __init__(self, app: Starlette, grace_seconds: int) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=H11Protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,  # ours has more to say, see middleware.py
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        super().__init__(config)
        self._app = app
        self._grace_seconds = grace_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        names = ", ".join(_name(sock) for sock in sockets or [])
        logger.info("listening on %s", names)

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
        self._app.state.readiness = "stopping"
        await self._stop_accepting(sockets or [])
        self._announce_close()
        await self._drain()
        await self._give_up()
        await self.lifespan.shutdown()
        logger.info("stopped")

    async def _stop_accepting(self, sockets: list[socket.socket]) -> None:
        # asyncio takes three turns of its loop to make a connection of what it has accepted, and
        # drops it when the server is closed meanwhile: so accept no more, let it finish, close.
        # What the kernel has queued is left to whoever holds the socket next.
        loop = asyncio.get_running_loop()
        for sock in sockets:
            with contextlib.suppress(NotImplementedError):  # Windows' loop can't
                loop.remove_reader(sock)
        for _ in range(5):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()

    def _connections(self) -> list[H11Protocol]:
        return [each for each in self.server_state.connections if isinstance(each, H11Protocol)]

    def _announce_close(self) -> None:
        # From now on each answer is the last on its connection, and says so; where one has been
        # half sent, it is the next.
        headers = [*self.server_state.default_headers, CLOSE_HEADER]
        self.server_state.default_headers = headers
        for connection in self._connections():
            if connection.cycle is not None:
                connection.cycle.default_headers = headers

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self.server_state.connections or self.server_state.tasks:
            passed = loop.time() - began
            if self.force_exit or passed >= self._grace_seconds:
                return
            if passed >= DRAIN_SECONDS:
                for connection in filter(_idle, self._connections()):
                    connection.shutdown()
            await asyncio.sleep(_TICK)

    async def _give_up(self) -> None:
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1)


def _idle(connection: H11Protocol) -> bool:
    """Tell whether nothing of a request has come in that is not answered yet."""
    answered = connection.cycle is None or connection.cycle.response_complete
    received, _ = connection.conn.trailing_data
    return answered and not received


def _name(sock: socket.socket) -> str:
    address = sock.getsockname()
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
