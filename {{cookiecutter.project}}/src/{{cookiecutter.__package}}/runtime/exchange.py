"""The messages of one request, between the server and the program, and its end by a failure."""

import asyncio
import logging
from collections.abc import Awaitable
from http import HTTPStatus

from . import access_log
from .asgi import Header, Message, Receive, Send, answer_json

REQUEST_ID = b"x-request-id"
_EVENTS = b"text/event-stream"

failures = logging.getLogger(f"{__package__}.failures")


class Exchange:
    """The messages of one HTTP request."""

    ending = ""
    """How the exchange ended, for its log line: the status says all."""

    def __init__(self, receive: Receive, send: Send, request_id: str) -> None:
        self._receive, self._send = receive, send
        self._header = (REQUEST_ID, request_id.encode())
        self.status = 0
        self._headers: list[Header] = []
        """The headers of the answer."""
        self._is_half = False
        """Whether an answer has begun and not ended."""
        self._is_gone = False
        """Whether the app was told that the caller is gone."""

    async def receive(self) -> Message:
        """Return the next message of the caller."""
        message = await self._receive()
        self._is_gone |= message["type"] == "http.disconnect"
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Send the next part of the answer; its head gets the request id."""
        kind, has_more = message["type"], message.get("more_body", False)
        if kind == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._headers = [*message.get("headers", ()), self._header]
        self._is_half = kind != "http.response.body" or has_more
        return self._send_on(message) if has_more else self._send(message)

    async def _send_on(self, message: Message) -> None:
        await self._send(message)
        # an app that never pauses would let nobody else run, nor see its caller go
        await asyncio.sleep(0)

    async def fail(self, error: BaseException) -> None:
        """Log `error`, and answer 503, 400 or 500, unless the app has answered before it failed.

        Raise it again if part of an answer was sent: only the server can end that, and it logs why.
        """
        is_late = isinstance(error, asyncio.CancelledError)
        if self._is_half and is_late and self._sends_events():
            await self._end_events()
            return
        if self._is_half or (self.status and is_late):
            raise error
        status = self._judge(error)
        if not self.status:
            body = {"error": status.phrase, "request_id": access_log.request_id.get()}
            await answer_json(self.send, status, body)

    def _sends_events(self) -> bool:
        kind = next((value for name, value in self._headers if name == b"content-type"), b"")
        return kind.startswith(_EVENTS)

    async def _end_events(self) -> None:
        """End a stream of events, of which every event is whole, so that the caller sees an end."""
        failures.info("ended a stream of events after the grace period")
        await self.send({"type": "http.response.body"})

    def _judge(self, error: BaseException) -> HTTPStatus:
        """Log `error`, and return the status that tells the caller of it."""
        if isinstance(error, asyncio.CancelledError):
            failures.warning("given up: not answered within the grace period")
            return HTTPStatus.SERVICE_UNAVAILABLE
        if self._is_gone:
            failures.info("the caller is gone, or sends no more")
            return HTTPStatus.BAD_REQUEST
        failures.error("unhandled exception", exc_info=error)
        return HTTPStatus.INTERNAL_SERVER_ERROR
