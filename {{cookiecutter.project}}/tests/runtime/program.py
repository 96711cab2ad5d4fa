"""Run the program as a process of its own, and send it requests."""

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE = 60.0
"""How many seconds to wait for an event before a test fails; tests that pass need far less."""

# systemd does the same: the socket becomes descriptor 3, and the process id stays the same
HAND_OVER = 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=http exec "$@" 3<&0 </dev/null'


class Program:
    """A process, its log, and methods to send it requests."""

    def __init__(
        self,
        command: list[str],
        environment: Mapping[str, str],
        log: Path,
        listener: socket.socket | None,
    ) -> None:
        self.log = log
        self.address: tuple[str, int] = listener.getsockname() if listener else ("", 0)
        if listener:
            command = ["sh", "-c", HAND_OVER, "sh", *command]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdin=listener.fileno() if listener else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()

    def output(self) -> str:
        return self.log.read_text("utf-8")

    def lines(self) -> list[Any]:
        """Return the parsed log, without a line that is still being written."""
        whole, _, _ = self.output().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def wait_for(self, message: str) -> Any:
        """Wait until a line with `message` is logged, and return it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for line in self.lines():
                if message in line["message"]:
                    return line
            assert self.process.poll() is None, self.output()
            time.sleep(0.01)
        raise AssertionError(f"not logged: {message}\n{self.output()}")

    def ready(self) -> Self:
        """Wait until the program listens."""
        line = self.wait_for("listening on")
        host, port = line["message"].removeprefix("listening on ").split(":")
        self.address = (host, int(port))
        return self

    def terminate(self) -> None:
        """Send SIGTERM, and wait until the program logs that it is stopping."""
        self.process.terminate()
        self.wait_for("stopping")

    def ended(self) -> int:
        """Wait for the end, and return the exit code."""
        return self.process.wait(PATIENCE)

    def connect(self) -> HTTPConnection:
        host, port = self.address
        connection = HTTPConnection(host, port, timeout=PATIENCE)
        connection.connect()
        return connection

    def get_at(self, address: tuple[str, int], path: str) -> int:
        """Send one request to `address`, where the program will listen; return the status."""
        self.address = address
        return self.get(path)[0].status

    def get(self, path: str) -> tuple[HTTPResponse, bytes]:
        """Send one request on a new connection."""
        with closing(self.connect()) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response, response.read()


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make a folder whose path is short enough for a socket; TMPDIR's may be too long."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)
