"""The endpoints, and the answers to errors."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.testclient import TestClient

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


def test_index_names_service_and_release(client: TestClient, command: str) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.json() == {"service": command, "status": "ok"} | RELEASE


def test_head(client: TestClient) -> None:
    response = client.head("/healthz")
    assert (response.status_code, response.content) == (200, b"")


def test_not_ready_before_the_start(app: Starlette) -> None:
    response = TestClient(app).get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "starting"} | RELEASE


def test_not_ready_but_alive_after_the_end(app: Starlette) -> None:
    with TestClient(app) as client:
        pass
    assert client.get("/readyz").json() == {"status": "stopping"} | RELEASE
    assert client.get("/healthz").status_code == 200


def test_unknown_path(client: TestClient) -> None:
    response = client.get("/nothing", headers={"X-Request-ID": "r1"})
    assert response.status_code == 404
    assert response.json() == {"error": "Not Found", "request_id": "r1"}


def test_wrong_method(client: TestClient) -> None:
    response = client.post("/", headers={"X-Request-ID": "r1"})
    assert response.status_code == 405
    assert response.json() == {"error": "Method Not Allowed", "request_id": "r1"}
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_unhandled_exception_is_answered_and_logged_once(
    app: Starlette, client: TestClient, logged: Logged
) -> None:
    async def broken(_: Request) -> Response:
        raise LookupError("no such thing")

    app.add_route("/broken", broken)
    response = client.get("/broken", headers={"X-Request-ID": "r1"})
    assert response.status_code == 500
    assert response.json() == {"error": "Internal Server Error", "request_id": "r1"}
    assert response.headers["x-request-id"] == "r1"

    [line] = [line for line in logged() if line["log.level"] == "error"]
    assert line["error"]["type"] == "LookupError"
    assert line["error"]["message"] == "no such thing"
    assert "in broken" in line["error"]["stack_trace"]
    assert line["http"]["request"]["id"] == "r1"


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
