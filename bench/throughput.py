"""How many requests a second a FastAPI app answers: under the runtime, uvicorn, and gunicorn."""

import multiprocessing
import os
import runpy
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from _application import bake
from _service import free_port
from _timing import run

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
SECONDS = 4.0
CALLERS = 16
REQUEST = b"GET /items/7?limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = b'[{"number":7,"name":"item 0"}]'
APP = '''\
"""An app as its author would write it."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    number: int
    name: str


@app.get("/items/{number}")
async def items(number: int, limit: int = 10) -> list[Item]:
    return [Item(number=number, name=f"item {count}") for count in range(limit)]
'''


def main() -> None:
    """Print the table; the aim is that the runtime answers at least 0.95 of uvicorn's requests."""
    with tempfile.TemporaryDirectory() as folder:
        place = bake(Path(folder), f"{sys.version_info.major}.{sys.version_info.minor}")
        (place / "src/my_service/app.py").write_text(APP, encoding="utf-8")
        scripts = environment(place)
        port = free_port()
        app, at = "my_service.app:app", ["--host", "127.0.0.1", "--port", str(port)]
        python, bind = scripts / "python", f"127.0.0.1:{port}"
        gunicorn: list[str | Path] = [
            python,
            "-m",
            "gunicorn",
            "--bind",
            bind,
            "--access-logfile",
            "-",
            "--worker-class",
        ]
        servers: dict[str, Sequence[str | Path]] = {
            "uvicorn": [python, "-m", "uvicorn", *at, app],
            "the runtime": [python, "-m", "my_service.runtime", "serve", *at],
            "gunicorn": [*gunicorn, "asgi", app],
        }
        settings = {"PATH": os.environ["PATH"], "HOME": folder, "PYTHONPATH": str(place / "src")}
        seen: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, command in servers.items():
                seen[name].append(answered(command, settings, port))
        show(seen)


def environment(place: Path) -> Path:
    """Make an environment of the project's packages, FastAPI and gunicorn; return its scripts."""
    requirements = runpy.run_path(str(place / "tasks/lib/lock.py"))["requirements"]
    wanted = requirements(place / "Pipfile.lock", ["packages"]).splitlines()
    framework = ROOT / "tests/e2e/programs/fastapi/Pipfile.lock"
    wanted += requirements(framework, ["packages"]).splitlines()
    wanted += [
        line
        for line in requirements(ROOT / "Pipfile.lock", ["bench"]).splitlines()
        if line.startswith(("gunicorn=", "packaging="))
    ]
    pinned = {line.partition("==")[0].partition("[")[0]: line for line in reversed(wanted)}
    listing = place / "requirements.txt"
    listing.write_text("".join(f"{line}\n" for line in pinned.values()), encoding="utf-8")
    run(["uv", "venv", "--python", sys.executable, "environment"], place)
    sync = ["uv", "pip", "sync", "--require-hashes", "--compile-bytecode", "--python"]
    run([*sync, "environment", listing], place)
    return place / "environment/bin"


def answered(command: Sequence[str | Path], settings: Mapping[str, str], port: int) -> float:
    """Start a server, ask it for a while, and return how many requests it answered a second."""
    server = subprocess.Popen(
        command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(server, port)
        with multiprocessing.Pool(1) as pool:  # the callers must not share the server's process
            pool.apply(ask, (port, 1.0))
            return pool.apply(ask, (port, SECONDS)) / SECONDS
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise SystemExit("the server does not listen")


def ask(port: int, seconds: float) -> int:
    """Ask over many connections, without a pause on each; return the number of answers."""
    number, end = 0, time.monotonic() + seconds
    with ExitStack() as callers, selectors.DefaultSelector() as selector:
        for _ in range(CALLERS):
            caller = callers.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            selector.register(caller, selectors.EVENT_READ, caller)
            caller.sendall(REQUEST)
        while time.monotonic() < end:
            for key, _ in selector.select(1):
                _read(key.data)
                number += 1
                key.data.sendall(REQUEST)
    return number


def _read(caller: socket.socket) -> None:
    """Read one answer, which must be the right one; a server may send it in parts."""
    answer = caller.recv(65536)
    while len(answer.partition(b"\r\n\r\n")[2]) < len(BODY):
        more = caller.recv(65536)
        if not more:
            break
        answer += more
    if not (answer.startswith(b"HTTP/1.1 200") and answer.endswith(BODY)):
        raise ValueError(f"a wrong answer: {answer[:200]!r}")


def show(seen: Mapping[str, Sequence[float]]) -> None:
    """Print a line for each server, which compares it with the first."""
    base = statistics.median(next(iter(seen.values())))
    width = max(map(len, seen))
    print(f"requests per second, {ROUNDS} rounds\n{'':{width}}  median    min    max  ratio")
    for name, rates in seen.items():
        middle = statistics.median(rates)
        spread = f"{middle:6.0f} {min(rates):6.0f} {max(rates):6.0f}"
        print(f"{name:{width}}  {spread}  {middle / base:5.2f}")


if __name__ == "__main__":
    main()
