"""When a program is ready: by its start and stop, and by its hook."""

import asyncio
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient

Serving = Callable[..., Any]
Logged = Callable[[], list[Any]]
DONE = {"type": "lifespan.startup.complete"}


async def refuses(scope: Any, _receive: Any, _send: Any) -> None:
    assert scope["type"] == "http", "only http"


async def leaves(_scope: Any, _receive: Any, _send: Any) -> None:
    """Return at once."""


async def listens_and_refuses(_scope: Any, receive: Any, _send: Any) -> None:
    await receive()
    raise LookupError("what is that?")


async def answers_everything_alike(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize(
    "app",
    [refuses, leaves, listens_and_refuses, answers_everything_alike],
    ids=lambda f: f.__name__,
)
def test_program_without_start_and_stop_is_ready_at_once(serving: Serving, app: Any) -> None:
    served = serving(app)
    with TestClient(served) as client:
        assert client.get("/readyz").json()["status"] == "ready"
    assert served.readiness.state == "stopping"


def test_program_that_fails_after_its_start_is_told(serving: Serving) -> None:
    async def dies(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(DONE)
        await receive()
        raise LookupError("cannot close")

    with pytest.raises(LookupError, match="cannot close"), TestClient(serving(dies)):
        pass


def test_state_of_the_start_is_the_programs(serving: Serving) -> None:
    async def keeps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        scope["state"]["kept"] = "x"
        await send(DONE)
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    with TestClient(serving(keeps)) as client:
        assert client.app_state["kept"] == "x"


async def yes() -> bool:
    return True


async def because() -> str:
    return "no database"


def fails() -> bool:
    raise ConnectionError("password=secret")


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        (lambda: True, ""),
        (yes, ""),
        (lambda: False, "its ready hook says so"),
        (lambda: "no database", "no database"),
        (because, "no database"),
        (fails, "its ready hook failed: ConnectionError"),
        (lambda: None, "its ready hook returned None: expected True, False or a reason"),
        (lambda: "", "its ready hook returned '': expected True, False or a reason"),
    ],
)
def test_hook_decides(serving: Serving, hook: Any, reason: str) -> None:
    with TestClient(serving(leaves, hook)) as client:
        response = client.get("/readyz")
    assert response.status_code == (503 if reason else 200)
    assert response.json().get("reason", "") == reason
    assert response.json()["status"] == ("not ready" if reason else "ready")


def test_hook_is_not_asked_before_the_start_or_after_the_end(serving: Serving) -> None:
    client = TestClient(serving(leaves, fails))
    assert client.get("/readyz").json()["status"] == "starting"


def test_hook_that_fails_is_logged(serving: Serving, logged: Logged) -> None:
    with TestClient(serving(leaves, fails)) as client:
        client.get("/readyz")
    [line] = [line for line in logged() if line["message"] == "the ready hook failed"]
    assert line["error"]["message"] == "password=secret"


def test_hook_that_hangs(
    serving: Serving, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.readiness, "HOOK_SECONDS", 0.1)
    ended, begun = threading.Event(), []

    def hangs() -> bool:
        begun.append(threading.current_thread())
        return ended.wait(20)

    with TestClient(serving(leaves, hangs)) as client:
        for _ in range(3):
            assert client.get("/readyz").json()["reason"] == "its ready hook does not answer"
        assert len(begun) == 1, "each request calls it once more"
        ended.set()
        begun[0].join()
        assert client.get("/readyz").json()["status"] == "ready"
    assert begun[0].daemon


def test_hook_that_waits_is_cancelled(
    serving: Serving, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.readiness, "HOOK_SECONDS", 0.1)

    async def waits() -> None:
        await asyncio.Event().wait()

    with TestClient(serving(leaves, waits)) as client:
        assert client.get("/readyz").json()["reason"] == "its ready hook does not answer"


def test_answer_that_comes_too_late(service: ModuleType) -> None:
    async def ask() -> None:
        future = service.readiness._in_thread(lambda: True)
        future.cancel()
        await asyncio.sleep(0.1)

    asyncio.run(ask())
