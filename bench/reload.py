"""What callers notice of a new release, beside nginx's reload and gunicorn's.

The service is handed over as a switch does it: a second process starts held on the same socket,
accepts, the first one stops, a third takes its place, the second one stops.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from _application import bake
from _callers import Callers, Seen
from _service import free_port
from startup import environment

ROUNDS = 3
SECONDS = 4.0
"""How long a round takes at least: every caller, also one that pauses, must have asked in it."""
CALLERS = {"busy": 30, "thinking": 20, "slow": 5, "half_open": 20}

# systemd does the same: the socket becomes descriptor 3, and the process id stays what it is
HAND_OVER = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0 </dev/null'
NGINX = """\
pid {place}/nginx.pid;
error_log {place}/error.log;
daemon off;
worker_processes 1;
events {{ worker_connections 1000; }}
http {{
    access_log {place}/access.log;
    keepalive_timeout 75s;
    keepalive_requests 1000000;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} }}
}}
"""
WSGI = """\
def app(environ, start):
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


class Server(ABC):
    """A server that can take up a new release while it serves."""

    name: str

    def __init__(self, place: Path) -> None:
        """Choose a port; all that it writes is to go to `place`."""
        self.place = place
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> None:
        """Start it."""

    def reload(self) -> None:
        """Let it take up a new release: here by the signal that most servers know."""
        self.running().send_signal(signal.SIGHUP)

    def launch(self, *command: str | Path) -> None:
        """Start the process that is asked to reload, and to end."""
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, cwd=self.place, stdout=quiet, stderr=quiet)

    def running(self) -> subprocess.Popen[bytes]:
        """Return the process that was started."""
        if self.process is None:
            raise SystemExit(f"{self.name} was not started")
        return self.process

    def stop(self) -> None:
        """End it."""
        if self.process:
            self.process.terminate()
            self.process.wait(60)


class Service(Server):
    """The service of the generated project."""

    name = "this service"

    def __init__(self, place: Path) -> None:
        """Bake the project, make its environment, and listen as systemd does."""
        super().__init__(place)
        project = bake(place, f"{sys.version_info.major}.{sys.version_info.minor}")
        self._python = environment(project, "plain", "packages")
        self._source = project / "src"
        self._socket = socket.create_server(("127.0.0.1", self.port), backlog=4096)
        self._started = 0

    def start(self) -> None:
        """Start the first process."""
        self.process = self._serve()

    def reload(self) -> None:
        """Hand over to a second process, and from that to a third."""
        helper = self._serve("--hold")
        helper.send_signal(signal.SIGUSR1)
        self.stop()
        self.process = self._serve()
        helper.terminate()
        helper.wait(60)

    def _serve(self, *options: str) -> subprocess.Popen[bytes]:
        self._started += 1
        folder = self.place / f"run-{self._started}"
        folder.mkdir()
        variables = {
            "HOME": str(self.place),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self._source),
            "RUNTIME_DIRECTORY": str(folder),
        }
        program = [str(self._python), "-m", "my_service.runtime"]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                ["sh", "-c", HAND_OVER, "sh", *program, "serve", *options],
                env=variables,
                stdin=self._socket.fileno(),
                stdout=log,
                stderr=log,
            )
        check = [*program, "check", "--wait", "20", "--url", f"unix:{folder}/health.sock"]
        subprocess.run(check, env=variables, stdout=subprocess.DEVNULL, check=True)
        return process


class Nginx(Server):
    """nginx, which starts new workers and lets the old ones finish."""

    name = "nginx"

    def start(self) -> None:
        """Start it in the foreground, with all it writes in its own folder."""
        self._configuration = self.place / "nginx.conf"
        text = NGINX.format(place=self.place, port=self.port)
        self._configuration.write_text(text, encoding="utf-8")
        self.launch("nginx", "-p", self.place, "-c", self._configuration)


class Gunicorn(Server):
    """gunicorn with threads, its worker that keeps connections."""

    name = "gunicorn"

    def start(self) -> None:
        """Start one worker with as many threads as there are callers, since each may hold one."""
        Path(self.place, "trivial.py").write_text(WSGI, encoding="utf-8")
        options = ["--worker-class=gthread", "--threads=100", "--keep-alive=75"]
        where = f"--bind=127.0.0.1:{self.port}"
        self.launch(sys.executable, "-m", "gunicorn", *options, where, "trivial:app")


def main() -> None:
    """Print a line for each server."""
    servers: list[type[Server]] = [Service]
    if shutil.which("nginx"):
        servers.append(Nginx)
    else:
        print("nginx is missing: apt install nginx-light")
    if find_spec("gunicorn"):
        servers.append(Gunicorn)
    else:
        print("gunicorn is missing: nox -s bench installs it from the lock")
    print(f"{ROUNDS} reloads each, callers: {CALLERS}")
    print(
        "The longest wait is that of a caller who keeps a connection, before and over the reloads."
    )
    print(f"{'':12}  requests  failures  resets  before     longest wait  a reload")
    for server in servers:
        with tempfile.TemporaryDirectory() as folder:
            measure(server(Path(folder)))


def measure(server: Server) -> None:
    """Reload a server again and again while it serves, and print what the callers saw."""
    server.start()
    try:
        wait_for(server.port)
        callers = Callers(server.port, **CALLERS)
        with callers.asking():
            time.sleep(SECONDS)
            quiet = callers.longest()
            taken = [lasting(SECONDS, server.reload) for _ in range(ROUNDS)]
    finally:
        server.stop()
    seen: Seen = callers.seen()
    print(
        f"{server.name:12}  {seen.requests:8}  {seen.failed:8}  {seen.resets:6}"
        f"  {quiet * 1000:6.0f} ms  {seen.longest * 1000:9.0f} ms  {max(taken):.1f} s",
        *(f" {name}: {count}" for name, count in seen.reasons.items()),
    )


def lasting(seconds: float, action: Callable[[], object]) -> float:
    """Run the action, and return its seconds; wait until `seconds` have passed in all."""
    began = time.monotonic()
    time.sleep(seconds / 4)
    start = time.monotonic()
    action()
    taken = time.monotonic() - start
    time.sleep(max(0, began + seconds - time.monotonic()))
    return taken


def wait_for(port: int) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/").close()
            return
        time.sleep(0.05)
    raise SystemExit(f"nobody answers at port {port}")


if __name__ == "__main__":
    main()
