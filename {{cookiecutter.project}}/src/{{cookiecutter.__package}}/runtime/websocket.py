"""One WebSocket: how to close it, and when its caller has kept it waiting too long."""

import logging
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode

from .asgi import App, Header, Message
from .connection import REASONS, State, untaken
from .limits import Patience

logger = logging.getLogger(__name__)


class WebSocket(WebSocketsSansIOProtocol):
    """A WebSocket with a caller who may be slow, silent, or gone without a word."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], app: App
    ) -> None:
        super().__init__(config, server_state, app_state)
        self.app: Any = app
        # during a stop one of them ends the connection, which must go on here
        self.default_headers = [each for each in self.default_headers if each != CLOSE_HEADER]
        now = self.loop.time()
        self._received = self._sent = 0
        self._listens = False
        """Whether the app waits for a message, so that it works on none."""
        self._asked: float | None = None
        """When the caller was first asked for a sign of life, since they last gave one."""
        self._state = State.WORKING
        self._since = now
        """When the current state was first seen."""
        self._progress: tuple[int, int, int] = (0, 0, 0)
        self._moved = now
        """When progress was last seen."""
        self._has_left = False
        """Whether we, and not the app, have ended the conversation."""

    def announce_close(self, headers: list[Header]) -> None:
        """Do nothing: a stop ends the conversation with a message of its own."""

    def data_received(self, data: bytes) -> None:
        """Take what the caller has sent; after the close, drop it."""
        self._received += len(data)
        self._asked = None
        if self.transport.is_closing():
            return
        super().data_received(data)
        if not self.handshake_initiated:  # the head has too many headers, or is otherwise wrong
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_parser_exception(self) -> None:
        """End the conversation over data that is none, even if it has not begun."""
        if self.conn.close_sent is None:
            self.transport.close()
        else:
            super().handle_parser_exception()

    def send_keepalive_ping(self) -> None:
        """Ask the caller for a sign of life."""
        super().send_keepalive_ping()
        if self._asked is None:
            self._asked = self.loop.time()

    async def receive(self) -> Any:
        """Return the caller's next message."""
        self._listens = self.queue.empty()
        try:
            return await super().receive()
        finally:
            self._listens = False

    async def send(self, message: Any) -> None:
        """Send a message of the app, unless we have left: then it is told, as ASGI asks."""
        if self._has_left:
            if message["type"] == "websocket.close":
                return
            raise ClientDisconnected
        self._sent += 1
        await super().send(message)
        if self.initial_response and self.close_sent:
            self.handshake_complete = True  # else uvicorn logs that the app did not answer

    def leave(self) -> None:
        """Tell the caller and the app that the service restarts; the caller answers, and closes."""
        if not self.handshake_complete or self.close_sent or self.transport.is_closing():
            return
        self.stop_keepalive()
        self._has_left = self.close_sent = True
        told: Message = {"type": "websocket.disconnect", "code": int(CloseCode.SERVICE_RESTART)}
        self.queue.put_nowait(told)  # type: ignore[arg-type]
        self.conn.send_close(CloseCode.SERVICE_RESTART)
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def close(self) -> None:
        """Leave, and close our side without waiting for the caller's answer."""
        self.leave()
        self.transport.close()

    def look(self, now: float, patience: Patience) -> None:
        """Close the connection if, at the time `now`, its caller has kept it waiting for too long.

        During a stop, leave a conversation that has paused. Call this about once a second: waiting
        times are measured from call to call.
        """
        state = self._waits_for()
        if state is not self._state:
            self._state, self._since = state, now
        unsent = untaken(self.transport) if state is State.UNSENT else 0
        progress = (self._received, self._sent, unsent)
        if progress != self._progress or state is State.WORKING:
            self._progress, self._moved = progress, now
        if self._is_overdue(state, now, patience):
            logger.info("closing a WebSocket: %s", REASONS[state])
            self.transport.abort()
        elif state is State.OPEN and self._listens and self._has_paused(now, patience):
            self.leave()

    def _waits_for(self) -> State:
        if self.transport.get_write_buffer_size():
            return State.UNSENT
        if self.transport.is_closing():
            return State.CLOSED
        return State.WORKING if self.read_paused or not self.handshake_complete else State.OPEN

    def _is_overdue(self, state: State, now: float, patience: Patience) -> bool:
        still = now - self._moved
        silent = 0.0 if self._asked is None else min(still, now - self._asked)
        late = {
            State.UNSENT: still >= patience.stall,
            State.CLOSED: now - self._since >= patience.linger,
            State.OPEN: silent >= patience.stall,
            State.WORKING: False,
        }
        return late[state]

    def _has_paused(self, now: float, patience: Patience) -> bool:
        return min(now - self._moved, now - patience.since) >= patience.pause
