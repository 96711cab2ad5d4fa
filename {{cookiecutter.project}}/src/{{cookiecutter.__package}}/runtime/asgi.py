"""The types of ASGI, and answers in one piece; no framework is needed for either."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]


async def answer(
    send: Send, status: int, body: bytes, kind: str, headers: Iterable[Header] = ()
) -> None:
    """Send a whole answer, whose content type is `kind`."""
    described = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": described})
    await send({"type": "http.response.body", "body": body})


async def answer_json(
    send: Send, status: int, facts: Mapping[str, object], headers: Iterable[Header] = ()
) -> None:
    """Send `facts` as JSON."""
    body = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()
    await answer(send, status, body, "application/json", headers)
