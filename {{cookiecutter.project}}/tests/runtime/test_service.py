"""The probes around a program, and the answers to its errors."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

PATHS = ("/healthz", "/readyz", "/metrics", "/live", "/stats")
RELEASE = {"version": "1.2.3", "commit": "abc", "release": "1.2.3+abc"}
Logged = Callable[[], list[Any]]


@pytest.mark.parametrize(
    ("path", "facts"),
    [
        ("/healthz", {"status": "alive"}),
        ("/readyz", {"status": "ready"}),
    ],
)
def test_probe_names_the_release(client: TestClient, path: str, facts: dict[str, str]) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.json() == facts | RELEASE


def test_head(client: TestClient) -> None:
    response = client.head("/healthz")
    assert (response.status_code, response.content) == (200, b"")


def test_not_ready_before_the_start(served: Any) -> None:
    response = TestClient(served).get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "starting"} | RELEASE


def test_not_ready_but_alive_after_the_end(served: Any) -> None:
    with TestClient(served) as client:
        pass
    assert client.get("/readyz").json() == {"status": "stopping"} | RELEASE
    assert client.get("/healthz").status_code == 200


def test_other_paths_are_the_programs(client: TestClient) -> None:
    assert client.get("/").text == "hello"
    response = client.get("/nothing", headers={"X-Request-ID": "r1"})
    assert (response.status_code, response.text) == (404, "Not Found")
    assert response.headers["x-request-id"] == "r1"


def test_probe_takes_no_other_method(client: TestClient) -> None:
    response = client.post("/readyz")
    assert (response.status_code, response.json()) == (405, {"error": "Method Not Allowed"})
    assert response.headers["allow"] == "GET, HEAD"


def test_paths_of_probes_are_settings(serving: Callable[..., Any], app: Starlette) -> None:
    served = serving(app, health_path="/live", ready_path="", metrics_path="/stats")
    with TestClient(served) as client:
        assert statuses(client) == dict.fromkeys(PATHS, 404) | {"/live": 200, "/stats": 200}
        private = statuses(TestClient(served.private))
    assert private == dict.fromkeys(PATHS, 200) | {"/metrics": 404}


def statuses(client: TestClient) -> dict[str, int]:
    return {path: client.get(path).status_code for path in PATHS}


async def bare(scope: Any, _receive: Any, _send: Any) -> None:
    """Fail without an answer, as a program without a framework would."""
    raise LookupError("no such thing")


async def broken(_: Request) -> Response:
    raise LookupError("no such thing")


def in_a_framework() -> Starlette:
    return Starlette(routes=[Route("/broken", broken)])


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (bare, '{"error":"Internal Server Error","request_id":"r1"}'),
        (in_a_framework(), "Internal Server Error"),
    ],
)
def test_unhandled_exception_is_answered_and_logged_once(
    serving: Callable[..., Any], logged: Logged, program: Any, said: str
) -> None:
    response = TestClient(serving(program)).get("/broken", headers={"X-Request-ID": "r1"})
    assert (response.status_code, response.text) == (500, said)
    assert response.headers["x-request-id"] == "r1"

    [line] = [line for line in logged() if line["log.level"] == "error"]
    assert line["error"]["type"] == "LookupError"
    assert line["error"]["message"] == "no such thing"
    assert line["http"]["request"]["id"] == "r1"


def test_caller_who_is_gone_is_no_failure(serving: Callable[..., Any], logged: Logged) -> None:
    async def reads(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        raise EOFError

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "http_version": "1.1"}
    asyncio.run(serving(reads)(scope, gone, send))
    assert sent[0]["status"] == 400
    [line] = [line for line in logged() if line["log"]["logger"].endswith("failures")]
    assert (line["log.level"], line["message"]) == ("info", "the caller is gone, or sends no more")


def test_failure_after_half_an_answer_is_left_to_the_server(
    app: Starlette, client: TestClient, logged: Logged
) -> None:
    async def halves() -> AsyncIterator[str]:
        yield "half"
        raise LookupError("no other half")

    async def broken(_: Request) -> StreamingResponse:
        return StreamingResponse(halves())

    app.add_route("/broken", broken)
    with pytest.raises(LookupError, match="no other half"):
        client.get("/broken")
    assert [line["message"] for line in logged() if "access" in line["log"]["logger"]] == [
        "GET /broken 200"
    ]


def test_background_task_has_the_request_id(
    app: Starlette, client: TestClient, logged: Logged, service: Any
) -> None:
    def later() -> None:
        service.server.logger.info("later")

    async def quick(_: Request) -> JSONResponse:
        return JSONResponse({}, background=BackgroundTask(later))

    app.add_route("/quick", quick)
    client.get("/quick", headers={"X-Request-ID": "r1"})
    [line] = [line for line in logged() if line["message"] == "later"]
    assert line["http"]["request"]["id"] == "r1"
