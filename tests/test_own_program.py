"""A project with a program of its own: the runtime's tests do not care, and it is served."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tasks.lib.interpreter import find
from tasks.lib.lock import requirements

from tests.conftest import Bake
from tests.soak import SOAK
from tests.support import PROJECT, missing, offered_here, run

ASGI = '''\
"""A program without a framework."""


async def app(scope, receive, send):
    assert scope["type"] == "http"
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"mine, by ASGI"})
'''
WSGI = '''\
"""A program without a framework."""


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"mine, by WSGI"]
'''
SECONDS = 20


def environment(folder: Path, lock: Path) -> str:
    """Return the Python of an environment with the packages of a program and of its tests."""
    uv = shutil.which("uv") or missing("uv")
    listing = folder / "requirements.txt"
    listing.write_text(requirements(lock, ["packages", "dev-packages", "test"]), "utf-8")
    run([uv, "venv", "--python", find(offered_here()).path, "made"], cwd=folder)
    sync = ["pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode", "--python", "made"]
    run([uv, *sync, listing], cwd=folder)
    return str(folder / "made/bin/python")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the Python of a service's environment."""
    return environment(tmp_path_factory.mktemp("service"), PROJECT / "Pipfile.lock")


@pytest.fixture(scope="module")
def worker_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the Python of a worker's environment."""
    return environment(tmp_path_factory.mktemp("worker"), PROJECT / "kinds/worker/Pipfile.lock")


@pytest.fixture(params=[ASGI, WSGI], ids=["ASGI", "WSGI"])
def folder(bake: Bake, request: pytest.FixtureRequest) -> Path:
    """Return a project whose sample was replaced."""
    folder = bake()
    (folder / "src/my_service/app.py").write_text(request.param)
    (folder / "tests/test_app.py").unlink()
    return folder


def environ(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(folder / "src")}


def test_the_tests_of_the_runtime_pass(folder: Path, python: str) -> None:
    # Most of the time goes to tests that stop a process, or use several. A fresh project's tests
    # run them too (test_sessions.py).
    slow = ("stop", "limits", "workers", "websocket", "stream", "hold")
    options = [] if SOAK else ["-k", " and ".join(f"not {name}" for name in slow)]
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--numprocesses=auto",
               *options, "tests/runtime"]  # fmt: skip
    assert " passed" in run(command, cwd=folder, env=environ(folder)).stdout


@contextmanager
def serving(folder: Path, python: str) -> Iterator[str]:
    """Serve the program; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [python, "-m", "my_service.runtime", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environ(folder), cwd=folder) as process:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + SECONDS
        try:
            while not answers(url):
                assert time.monotonic() < end, "it does not answer"
                assert process.poll() is None, "it has ended"
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()
        assert process.wait(SECONDS) == 0


def answers(url: str) -> bool:
    try:
        return bool(get(url, "/readyz"))
    except OSError:
        return False


def get(url: str, path: str) -> str:
    with urllib.request.urlopen(url + path, timeout=SECONDS) as answer:  # noqa: S310
        return str(answer.read().decode())


def test_it_is_served(folder: Path, python: str) -> None:
    with serving(folder, python) as url:
        kind = "WSGI" if "environ" in (folder / "src/my_service/app.py").read_text() else "ASGI"
        assert get(url, "/any/path") == f"mine, by {kind}"
        ready = json.loads(get(url, "/readyz"))
        assert (ready["status"], ready["version"]) == ("ready", "0.1.0")
        assert "http_requests_total" in get(url, "/metrics")
        asking = [python, "-m", "my_service.runtime", "check", "--url", url]
        assert run(asking, cwd=folder, env=environ(folder)).stdout.startswith("ready: 0.1.0")


@pytest.fixture
def worker(bake: Bake) -> Path:
    """Return a worker's project."""
    return bake(project="my-service", kind="worker")


def edit(folder: Path, before: str, after: str) -> None:
    pyproject = folder / "pyproject.toml"
    text = pyproject.read_text()
    assert text.count(before) == 1
    pyproject.write_text(text.replace(before, after))


def test_the_tests_of_the_runtime_pass_for_any_worker(worker: Path, worker_python: str) -> None:
    """Its environment has no server: nothing of a service is needed."""
    (worker / "src/my_service/work.py").write_text("def run(stop): stop.wait()\n")
    (worker / "tests/test_work.py").unlink()
    command = [worker_python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    options = ["--numprocesses=auto", "--cov", "--cov-fail-under=90", "tests/runtime"]
    assert " passed" in run([*command, *options], cwd=worker, env=environ(worker)).stdout


def test_a_worker_is_run(worker: Path, worker_python: str, short: Path) -> None:
    settings = {**environ(worker), "RUNTIME_DIRECTORY": str(short), "STATE_DIRECTORY": str(short)}
    command = [worker_python, "-m", "my_service.runtime"]
    with subprocess.Popen([*command, "serve"], env=settings, cwd=worker) as process:
        try:
            asked = run([*command, "check", "--wait", str(SECONDS)], cwd=worker, env=settings)
            assert asked.stdout.startswith("ready: 0.1.0")
            with closing(sqlite3.connect(short / "queue.db", isolation_level=None)) as queue:
                queue.execute("INSERT INTO jobs (seconds) VALUES (0.1)")
                end = time.monotonic() + SECONDS
                while not queue.execute("SELECT result FROM jobs").fetchall()[0][0]:
                    assert time.monotonic() < end, "it does not work"
                    time.sleep(0.1)
        finally:
            process.terminate()
        assert process.wait(SECONDS) == 0


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (":run", ":rum", "is 'my_service.work:rum', but there is no 'rum': did you mean 'run'?"),
        (".work:", ".wrok:", "is 'my_service.wrok:run', but there is no module my_service.wrok"),
        (":run", ":IDLE_SECONDS", "is 'my_service.work:IDLE_SECONDS', 0.5: expected something to"
                                  " call"),
        (":run", ":Stop", "is 'my_service.work:Stop', <class 'my_service.runtime.heart.Stop'>:"
                          " expected a function that takes one argument, its stop"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_worker_is_one_line(
    worker: Path, worker_python: str, before: str, after: str, said: str
) -> None:
    whole = "my_service.work:run"
    edit(worker, whole, whole.replace(before, after))
    command = [worker_python, "-m", "my_service.runtime.program"]
    done = run(command, cwd=worker, env=environ(worker), code=1)
    assert done.stdout + done.stderr == f"error: tool.program.run {said}\n"


WRONG = [
    ("service", "daemon", "tool.program.kind is 'daemon': expected service"),
    ("service", "worker", "tool.program.kind is 'worker': expected service"),
    ("service", 'service"\nappp = "', "tool.program has 'appp': did you mean 'app'?"),
    ("worker", "service", "tool.program.kind is 'service': expected worker"),
    ("worker", 'worker"\nrnu = "', "tool.program has 'rnu': did you mean 'run'?"),
]


@pytest.mark.parametrize(("kind", "wrong", "said"), WRONG)
def test_a_mistake_is_one_line(
    bake: Bake, request: pytest.FixtureRequest, kind: str, wrong: str, said: str
) -> None:
    python = request.getfixturevalue({"service": "python", "worker": "worker_python"}[kind])
    folder = bake(project="my-service", kind=kind)
    edit(folder, f'kind = "{kind}"', f'kind = "{wrong}"')
    for module, *words in (("my_service.runtime", "serve"), ("my_service.runtime.program",)):
        command = [python, "-m", module, *words]
        done = run(command, cwd=folder, env=environ(folder), code=1)
        assert done.stdout + done.stderr == f"error: {said}\n"
