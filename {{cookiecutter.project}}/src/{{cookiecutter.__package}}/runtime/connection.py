"""One caller's connection: how to close it, and when its caller has kept it waiting too long."""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable
from enum import Enum, auto
from functools import cache, partial
from http import HTTPStatus
from importlib.util import find_spec
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from .asgi import Header
from .limits import Patience

JOINED = 65536
"""The most of a body that is sent together with its head: more takes longer to copy."""
_HEAD = b"HTTP/1.1 "

logger = logging.getLogger(__name__)


class State(Enum):
    """What a connection waits for."""

    HEAD = auto()
    """The first request, or the rest of a request's head."""
    IDLE = auto()
    """The next request; none of it has arrived yet."""
    BODY = auto()
    """More of a request's body."""
    REST = auto()
    """The rest of a body whose request has been answered already."""
    UNSENT = auto()
    """The caller to take what was sent."""
    CLOSED = auto()
    """The caller to close their side, after we closed ours."""
    OPEN = auto()
    """A message over a WebSocket, from either side."""
    WORKING = auto()
    """The application."""


REASONS = {
    State.HEAD: "no whole head of a request",
    State.IDLE: "no further request",
    State.BODY: "no more of a request's body",
    State.REST: "the rest of a body after its answer",
    State.UNSENT: "the answer is not taken",
    State.CLOSED: "not closed by the caller",
    State.OPEN: "no sign of life",
}


def refusal(status: HTTPStatus, *headers: str) -> bytes:
    """Return a complete answer that refuses a request with `status` and ends the connection."""
    body = json.dumps({"error": status.phrase}).encode()
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Outgoing:
    """A transport that closes only our side, and reads on until the caller has closed theirs.

    Closing a socket that holds unread data resets the connection, and the caller then loses what
    was sent before.

    It also sends an answer's head together with what follows at once, which is the body as a rule:
    each time that the kernel is asked to send costs about as much as parsing a request.
    """

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""
        """The head that was not sent yet; it is when the event loop turns next, at the latest."""
        self.closed = False

    def __getattr__(self, name: str) -> Any:
        """Leave everything else to the transport."""
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return whether nothing more can be sent."""
        return self.closed or bool(self._transport.is_closing())

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the kernel has not taken yet."""
        return len(self._head) + int(self._transport.get_write_buffer_size())

    def write(self, data: bytes) -> None:
        """Send `data`, unless our side is closed."""
        if self.closed or not (data or self._head):
            return
        if not self._head and data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._send_head)
        elif len(data) <= JOINED:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        else:
            self._send_head()
            self._transport.write(data)

    def _send_head(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)

    def pause_reading(self) -> None:
        """Stop reading, unless our side is closed: then data is still read, and dropped."""
        if not self.closed:
            self._transport.pause_reading()

    def close(self) -> None:
        """Send what is left, then end our side; the caller's end closes the connection."""
        if self.is_closing():
            return
        self._send_head()
        self.closed = True
        try:
            self._transport.write_eof()
        except OSError:  # the caller is gone
            self._transport.abort()
        self._transport.resume_reading()


class Connection(H11Protocol):
    """HTTP/1.1 with a caller who may be slow, silent, or gone without a word."""

    takes_websockets = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = self.loop.time()
        self._received = 0
        self._state: tuple[State, RequestResponseCycle | None] = (State.HEAD, None)
        self._since = now
        """When the current state was first seen."""
        self._progress: tuple[int, int] = (0, 0)
        self._moved = now
        """When progress was last seen."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read, with a transport that closes only our side."""
        super().connection_made(Outgoing(transport, self.loop))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Take what the caller has sent; after the close, drop it."""
        self._received += len(data)
        if not self.transport.is_closing():
            super().data_received(data)

    def on_response_complete(self) -> None:
        """Take the next request; `look` finds out who sends none.

        uvicorn's own method would also set a timer after each answer, to cancel it at once.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.conn.our_state is h11.DONE and self.conn.their_state is h11.DONE:
            self.conn.start_next_cycle()
            self.handle_events()

    def announce_close(self, headers: list[Header]) -> None:
        """Send `headers`, which announce the close, with an answer that has not begun."""
        if self.cycle is not None:
            self.cycle.default_headers = headers

    def _should_upgrade_to_ws(self) -> bool:
        made = websocket_class() if self.takes_websockets else None
        if made is None or self.scope["method"] != "GET":
            return False
        found: Any = partial(made, app=self.app)
        self.ws_protocol_class = found
        return True

    def _unsupported_upgrade_warning(self) -> None:
        """Do nothing: who offers to speak another protocol gets an answer in this one."""

    def send_400_response(self, msg: str) -> None:
        """Refuse data that is not HTTP, unless part of an answer was sent already."""
        self.refuse(HTTPStatus.BAD_REQUEST)

    def refuse(self, status: HTTPStatus) -> None:
        """Answer with `status` if an answer can still be sent, and close."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.write(refusal(status))
        self.close()

    def close(self) -> None:
        """Close our side, and tell the application if it is still answering this caller."""
        self.transport.close()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def look(self, now: float, patience: Patience) -> None:
        """Close the connection if, at the time `now`, its caller has kept it waiting for too long.

        Call this about once a second: waiting times are measured from call to call.
        """
        state = self._waits_for()
        if (state, self.cycle) != self._state:
            self._state, self._since = (state, self.cycle), now
        progress = (self._received, untaken(self.transport) if state is State.UNSENT else 0)
        if progress != self._progress or state is State.WORKING:
            self._progress, self._moved = progress, now
        if reason := self._overdue(state, now, patience):
            level = logging.DEBUG if state in {State.IDLE, State.CLOSED} else logging.INFO
            logger.log(level, "closing a connection: %s", reason)
            self._end(state)

    def _waits_for(self) -> State:
        if self.transport.get_write_buffer_size():
            return State.UNSENT
        if self.transport.is_closing():
            return State.CLOSED
        sends_body = self.conn.their_state is h11.SEND_BODY
        if self.cycle is None or self.cycle.response_complete:
            if sends_body:
                return State.REST
            received, _ = self.conn.trailing_data
            return State.HEAD if received or self.cycle is None else State.IDLE
        if sends_body and not (self.flow.read_paused or self.cycle.waiting_for_100_continue):
            return State.BODY
        return State.WORKING

    def _overdue(self, state: State, now: float, patience: Patience) -> str | None:
        waited, still = now - self._since, now - self._moved
        fresh = now - patience.since
        stopped = min(still, fresh) >= patience.pause
        late = {
            State.HEAD: waited >= patience.head or stopped,
            State.IDLE: min(waited, fresh) >= patience.idle,
            State.BODY: still >= patience.stall,
            State.REST: waited >= patience.head,
            State.UNSENT: still >= patience.stall,
            State.CLOSED: waited >= patience.linger,
            State.WORKING: False,
            State.OPEN: False,  # only a WebSocket is
        }
        return REASONS[state] if late[state] else None

    def _end(self, state: State) -> None:
        if state in {State.UNSENT, State.CLOSED} or not self._received:
            self.transport.abort()
        elif state in {State.BODY, State.HEAD}:
            self.refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.close()


def untaken(transport: Any) -> int:
    """Return how many bytes the caller has not taken yet, those in the kernel included."""
    waiting: int = transport.get_write_buffer_size()
    return waiting + _queued(transport.get_extra_info("socket").fileno())


@cache
def websocket_class() -> Callable[..., Any] | None:
    """Return what a connection becomes as a WebSocket: None where its library is not installed."""
    if find_spec("websockets") is None:
        logger.warning("no WebSockets: the module 'websockets' is not installed")
        return None
    from .websocket import WebSocket  # slow to import, and most services have none

    return WebSocket


def _queued(descriptor: int) -> int:
    """Return how many bytes of a socket the kernel still has to send, or 0 if it cannot tell."""
    if sys.platform == "win32":
        return 0
    import fcntl
    import termios

    with contextlib.suppress(OSError, ValueError):  # closed already
        found = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(found, sys.byteorder)
    return 0
