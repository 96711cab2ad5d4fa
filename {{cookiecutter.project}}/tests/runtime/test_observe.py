"""Request ids, log lines and metrics."""

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.testclient import TestClient

Logged = Callable[[], list[Any]]


@pytest.mark.parametrize("sane", ["r1", "job-17.b", "Root=1-67891233-abcdef", "a" * 128])
def test_sane_request_id_is_kept(client: TestClient, sane: str) -> None:
    assert client.get("/", headers={"X-Request-ID": sane}).headers["x-request-id"] == sane


@pytest.mark.parametrize("insane", ["", " ", "a b", 'a"b', "a" * 129, "a\tb", "é"])
def test_other_request_id_is_replaced(client: TestClient, insane: str) -> None:
    offered = {b"X-Request-ID": insane.encode()}
    made = client.get("/", headers=offered).headers["x-request-id"]
    assert len(made) == 32
    assert int(made, 16)


def test_each_request_has_its_own_id(client: TestClient) -> None:
    assert len({client.get("/").headers["x-request-id"] for _ in range(10)}) == 10


def test_access_line(client: TestClient, logged: Logged, command: str) -> None:
    headers = {"X-Request-ID": "r1", "User-Agent": "test/1"}
    client.get("/nothing?token=secret", headers=headers)
    [line] = [line for line in logged() if line["log"]["logger"].endswith(".access")]
    assert line["message"] == "GET /nothing 404"
    assert line["log.level"] == "info"
    assert line["http"] == {
        "request": {"id": "r1", "method": "GET"},
        "response": {"status_code": 404},
        "version": "1.1",
    }
    assert line["url"] == {"path": "/nothing"}
    assert line["client"] == {"address": "testclient"}
    assert line["user_agent"] == {"original": "test/1"}
    assert line["service"] == {"name": command, "version": "1.2.3+abc"}
    assert 0 < line["event"]["duration"] < 10e9
    assert "secret" not in str(line)


def test_probes_are_quiet_while_all_is_well(
    served: Any, client: TestClient, logged: Logged
) -> None:
    client.get("/readyz")
    served.readiness.state = "stopping"
    client.get("/readyz")
    levels = {line["message"]: line["log.level"] for line in logged() if "http" in line}
    assert levels == {"GET /readyz 200": "debug", "GET /readyz 503": "info"}


def test_every_line_of_a_request_has_its_id(
    app: Starlette, client: TestClient, logged: Logged
) -> None:
    async def talkative(_: Request) -> JSONResponse:
        logging.getLogger("any").info("in the middle")
        return JSONResponse({})

    app.add_route("/talkative", talkative)
    client.get("/talkative", headers={"X-Request-ID": "r1"})
    lines = {line["message"]: line for line in logged() if "http" in line}
    assert lines.keys() == {"in the middle", "GET /talkative 200"}
    assert all(line["http"]["request"]["id"] == "r1" for line in lines.values())


def samples(client: TestClient, name: str) -> dict[str, float]:
    """Return the values of one metric by their labels."""
    lines = client.get("/metrics").text.splitlines()
    split = (line.removeprefix(name).rsplit(" ", 1) for line in lines if line.startswith(name))
    return {labels: float(value) for labels, value in split}


def test_requests_are_counted_by_template(app: Starlette, client: TestClient) -> None:
    async def item(_: Request) -> JSONResponse:
        return JSONResponse({})

    app.add_route("/items/{item}", item)
    client.get("/items/1")
    client.get("/items/2")
    assert samples(client, "http_requests_total") == {
        '{method="GET",route="/items/{item}",status="200"}': 2
    }
    labels = '{method="GET",route="/items/{item}"}'
    assert samples(client, "http_request_duration_seconds_count")[labels] == 2
    assert 0 < samples(client, "http_request_duration_seconds_sum")[labels] < 10


def test_callers_cannot_invent_labels(client: TestClient) -> None:
    for number in range(3):
        client.request(f"X{number}", f"/{number}")
    assert samples(client, "http_requests_total") == {
        '{method="other",route="other",status="404"}': 3
    }


def test_exceptions_are_counted(app: Starlette, client: TestClient) -> None:
    async def broken(_: Request) -> Response:
        raise LookupError

    app.add_route("/broken", broken)
    client.get("/broken")
    labels = '{method="GET",route="/broken",status="500"}'
    assert samples(client, "http_requests_total") == {labels: 1}
    assert samples(client, "http_requests_in_progress") == {"": 1}  # this one


def test_build_info(client: TestClient) -> None:
    labels = '{commit="abc",release="1.2.3+abc",version="1.2.3"}'
    assert samples(client, "build_info") == {labels: 1}


def test_process_metrics(client: TestClient) -> None:
    assert samples(client, "process_resident_memory_bytes")[""] > 1e6


def test_two_services_do_not_share_counts(
    client: TestClient, app: Starlette, serving: Callable[..., Any]
) -> None:
    client.get("/")
    other = TestClient(serving(app))
    assert samples(other, "http_requests_total") == {}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
    ],
)
def test_metrics_format_is_negotiated(client: TestClient, accept: str, expected: str) -> None:
    response = client.get("/metrics", headers={"Accept": accept})
    assert response.headers["content-type"].startswith(expected)
    assert response.text.endswith("# EOF\n") == ("openmetrics" in expected)


def test_log_has_no_colours(logged: Logged, service: ModuleType) -> None:
    service.server.logger.info("plain", extra={"color_message": "\033[36mplain\033[0m"})
    assert "033" not in str(logged())
    assert "color_message" not in logged()[0]


def test_each_request_has_its_line(client: TestClient, logged: Logged) -> None:
    for _ in range(30):
        client.get("/nothing")
    assert [line["message"] for line in logged()].count("GET /nothing 404") == 30


def test_whatever_the_url_holds(client: TestClient, logged: Logged) -> None:
    client.get(
        "/%0A%0D%E2%80%A8%C2%85%1B[31m%FF%00" + "x" * 5000, headers={"User-Agent": "u" * 5000}
    )
    [line] = [line for line in logged() if "url" in line]
    assert line["url"]["path"].startswith("/\n\r\u2028\x85\x1b[31m\ufffd\x00xxx")
    assert len(line["url"]["path"]) == 1000
    assert len(line["user_agent"]["original"]) == 1000
