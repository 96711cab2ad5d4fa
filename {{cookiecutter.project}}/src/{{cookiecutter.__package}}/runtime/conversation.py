"""The messages of one WebSocket, between the server and the program, and its end by a failure."""

import asyncio
import json
from http import HTTPStatus

from . import access_log
from .asgi import Header, Message, Receive, Send
from .exchange import REQUEST_ID, failures

# the codes of RFC 6455 with which a WebSocket is closed
NORMAL = 1000
FAILURE = 1011
RESTART = 1012


class Conversation:
    """The messages of one WebSocket."""

    def __init__(self, receive: Receive, send: Send, request_id: str) -> None:
        self._receive, self._send = receive, send
        self._header = (REQUEST_ID, request_id.encode())
        self.status = 0
        """The answer to the request for a WebSocket: 101 if it was accepted."""
        self._code: int | None = None
        """The code of the side that closed it."""
        self._is_gone = False
        """Whether the app was told that the caller is gone."""

    @property
    def ending(self) -> str:
        """How the conversation ended, for its log line."""
        return "" if self._code is None else f" closed with {self._code}"

    async def receive(self) -> Message:
        """Return the next message of the caller."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._is_gone = True
            if self.status == HTTPStatus.SWITCHING_PROTOCOLS and self._code is None:
                self._code = message.get("code")
        return message

    async def send(self, message: Message) -> None:
        """Send the app's next message; the answer to the request gets the request id."""
        kind = message["type"]
        if kind == "websocket.accept":
            self._begin(message, HTTPStatus.SWITCHING_PROTOCOLS)
        elif kind == "websocket.http.response.start":
            self._begin(message, message["status"])
        elif kind == "websocket.close" and not self.status:
            self.status = HTTPStatus.FORBIDDEN
        elif kind == "websocket.close" and self._code is None:
            self._code = message.get("code", NORMAL)
        try:
            await self._send(message)
        except OSError:
            self._is_gone = True
            raise

    async def fail(self, error: BaseException) -> None:
        """Log `error`, and tell the caller by a status, or by the code of the close."""
        is_late = isinstance(error, asyncio.CancelledError)
        if is_late:
            failures.warning("given up: a WebSocket was open until the end of the grace period")
        elif self._is_gone:
            failures.debug("the caller is gone")
        else:
            failures.error("unhandled exception", exc_info=error)
        if self._is_gone:
            return
        if not self.status:
            unavailable, failed = HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INTERNAL_SERVER_ERROR
            await self._refuse(unavailable if is_late else failed)
        elif self.status == HTTPStatus.SWITCHING_PROTOCOLS and self._code is None:
            code = RESTART if is_late else FAILURE
            await self.send({"type": "websocket.close", "code": code})

    async def _refuse(self, status: HTTPStatus) -> None:
        body = {"error": status.phrase, "request_id": access_log.request_id.get()}
        headers: list[Header] = [(b"content-type", b"application/json")]
        start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
        await self.send(start)
        sent = json.dumps(body, separators=(",", ":")).encode()
        await self.send({"type": "websocket.http.response.body", "body": sent})

    def _begin(self, message: Message, status: int) -> None:
        self.status = status
        message["headers"] = [*message.get("headers", ()), self._header]
