"""Know whether the program is ready: by its start and its stop, and by its own hook."""

import asyncio
import contextlib
import inspect
import logging
import threading
from collections.abc import Callable
from typing import Any

from .asgi import App, Message, Receive, Scope, Send

HOOK_SECONDS = 3.0
"""How long the program's hook may take; `check` waits a little longer for its answer."""

STARTING, READY, UNREADY, STOPPING = "starting", "ready", "not ready", "stopping"
SILENT = "its ready hook does not answer"

Hook = Callable[[], Any]

logger = logging.getLogger(__name__)


class Readiness:
    """Whether the program is ready."""

    def __init__(self, hook: Hook | None = None) -> None:
        self.state = STARTING
        self._hook = hook
        self._asked: asyncio.Task[str] | None = None

    async def report(self) -> dict[str, str]:
        """Return the ``status``, and where the hook says that it is not ready, the ``reason``."""
        if self.state != READY or self._hook is None:
            return {"status": self.state}
        reason = await self._ask(self._hook)
        return {"status": UNREADY, "reason": reason} if reason else {"status": READY}

    async def live(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the server's start and stop on to `app`.

        An app that knows neither, as many do, is ready once it is loaded.
        """
        life = _Life(self, receive, send)
        try:
            await app(scope, life.receive, life.send)
        except Exception as error:
            if life.is_answered:
                raise
            logger.info("the program takes no part in start and stop: %r", error)
        if not life.is_answered:
            await life.alone()

    async def _ask(self, hook: Hook) -> str:
        # All who ask meanwhile share one call: a hook that hangs must not pile up.
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(_reason(hook))
        done, _ = await asyncio.wait([self._asked], timeout=HOOK_SECONDS)
        return self._asked.result() if done else SILENT


class _Life:
    """The messages about start and stop, between the server and the app."""

    def __init__(self, readiness: Readiness, receive: Receive, send: Send) -> None:
        self._readiness, self._receive, self._send = readiness, receive, send
        self._is_asked = False
        self.is_answered = False
        """Whether the app has answered the start."""

    async def receive(self) -> Message:
        """Return the server's next message."""
        message = await self._receive()
        self._is_asked = True
        if message["type"] == "lifespan.shutdown":
            self._readiness.state = STOPPING
        return message

    async def send(self, message: Message) -> None:
        """Pass the app's answer on."""
        if not message["type"].startswith("lifespan."):
            raise RuntimeError(f"{message['type']} is no answer to a start or stop")
        self.is_answered = True
        if message["type"] == "lifespan.startup.complete":
            self._readiness.state = READY
        await self._send(message)

    async def alone(self) -> None:
        """Answer in place of the app."""
        if not self._is_asked:
            await self.receive()
        await self.send({"type": "lifespan.startup.complete"})
        await self.receive()
        await self.send({"type": "lifespan.shutdown.complete"})


async def _reason(hook: Hook) -> str:
    """Call the hook; return why the program is not ready, or nothing if it is."""
    try:
        if inspect.iscoroutinefunction(hook):
            answer = await asyncio.wait_for(hook(), HOOK_SECONDS)
        else:
            answer = await _in_thread(hook)
    except TimeoutError:
        return SILENT
    except Exception as error:
        logger.exception("the ready hook failed")
        return f"its ready hook failed: {type(error).__name__}"
    if isinstance(answer, bool):
        return "" if answer else "its ready hook says so"
    if isinstance(answer, str) and answer:
        return answer
    return f"its ready hook returned {answer!r:.40}: expected True, False or a reason"


def _in_thread(hook: Hook) -> asyncio.Future[Any]:
    """Call a hook in a thread that does not keep the process from ending, even if it hangs."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(answer: Any, error: Exception | None) -> None:
        if future.done():
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(answer)

    def call() -> None:
        answer, error = None, None
        try:
            answer = hook()
        except Exception as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            loop.call_soon_threadsafe(settle, answer, error)

    threading.Thread(target=call, name="ready", daemon=True).start()
    return future
