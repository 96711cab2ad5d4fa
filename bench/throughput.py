"""How many requests a second a FastAPI app answers: under the runtime, uvicorn, and gunicorn.

Each server logs each request, to /dev/null here: a peer as it does of itself, except that gunicorn,
which logs none of itself, is asked to. They take turns of a second, and are compared turn by turn,
so that other load on the machine, which comes and goes, concerns them all alike.
"""

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from _application import bake
from _service import free_port
from _timing import run

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 20
SECONDS = 1.0
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


@dataclass(frozen=True)
class Server:
    """A server that runs, and what was measured of it."""

    log: str
    """What it writes of each request."""
    process: subprocess.Popen[bytes]
    port: int
    rates: list[float] = field(default_factory=list)
    """The requests answered a second, of each turn."""
    costs: list[float] = field(default_factory=list)
    """The microseconds of processor time for a request, of each turn."""


def main() -> None:
    """Print the table; the aim is that the runtime answers at least 0.95 of uvicorn's requests."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        place = bake(Path(folder), f"{sys.version_info.major}.{sys.version_info.minor}")
        (place / "src/my_service/app.py").write_text(APP, encoding="utf-8")
        settings = {"PATH": os.environ["PATH"], "HOME": folder, "PYTHONPATH": str(place / "src")}
        servers = {
            name: running.enter_context(started(log, command, settings))
            for name, (log, command) in commands(str(environment(place) / "python")).items()
        }
        for number in range(-1, ROUNDS):  # the first does not count
            for server in servers.values():
                measure(server, keep=number >= 0)
        show(servers)


def commands(python: str) -> Mapping[str, tuple[str, Sequence[str]]]:
    """Return what each server logs and its command, in which PORT stands for a port."""
    app, at = "my_service.app:app", ["--host", "127.0.0.1", "--port", "PORT"]
    uvicorn = [python, "-m", "uvicorn", *at, app]
    worker = ["--worker-class", "asgi", "--bind", "127.0.0.1:PORT", "--access-logfile", "-"]
    return {
        "uvicorn": ("a line of text", uvicorn),
        "the runtime": ("ECS JSON", [python, "-m", "my_service.runtime", "serve", *at]),
        "gunicorn": ("a line of text", [python, "-m", "gunicorn", *worker, app]),
        "uvicorn --no-access-log": ("nothing", [*uvicorn, "--no-access-log"]),
    }


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


@contextmanager
def started(log: str, command: Sequence[str], settings: Mapping[str, str]) -> Iterator[Server]:
    """Start a server, wait until it listens, and yield it."""
    port = free_port()
    process = subprocess.Popen(
        [word.replace("PORT", str(port)) for word in command],
        env=settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(process, port)
        yield Server(log, process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise SystemExit("the server does not listen")


def measure(server: Server, *, keep: bool) -> None:
    """Ask a server for a turn."""
    before, began = _processor_time(server.process.pid), time.monotonic()
    number = ask(server.port, SECONDS)
    taken, cost = time.monotonic() - began, _processor_time(server.process.pid) - before
    if keep:
        server.rates.append(number / taken)
        server.costs.append(cost / number / 1e3)


def _processor_time(pid: int) -> int:
    """Return the nanoseconds that a process and its children have had a processor."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
        children = (task / "children").read_text().split()
        total += sum(_processor_time(int(child)) for child in children)
    return total


def ask(port: int, seconds: float) -> int:
    """Ask over many connections, without a pause on each; return the number of answers."""
    number, end = 0, time.monotonic() + seconds
    with ExitStack() as opened, selectors.DefaultSelector() as selector:
        waiting: set[socket.socket] = set()
        for _ in range(CALLERS):
            caller = opened.enter_context(socket.create_connection(("127.0.0.1", port), 60))
            selector.register(caller, selectors.EVENT_READ, caller)
            caller.sendall(REQUEST)
            waiting.add(caller)
        while waiting:
            is_over = time.monotonic() >= end
            for key, _ in selector.select(60):
                _read(key.data)
                number += 1
                if is_over:
                    waiting.discard(key.data)
                else:
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


def show(servers: Mapping[str, Server]) -> None:
    """Print a line for each server, with its part of the first one's rate in the same turns."""
    first, width = next(iter(servers.values())), max(map(len, servers))
    heads = f"{'logs of each':14}  median    min    max  ratio  processor"
    print(f"requests per second, {ROUNDS} rounds\n{'':{width}}  {heads}")
    for name, server in servers.items():
        rates = server.rates
        ratio = statistics.median(map(float.__truediv__, rates, first.rates))
        spread = f"{statistics.median(rates):6.0f} {min(rates):6.0f} {max(rates):6.0f}"
        cost = statistics.median(server.costs)
        print(f"{name:{width}}  {server.log:14}  {spread}  {ratio:5.2f}  {cost:6.0f} us")


if __name__ == "__main__":
    main()
