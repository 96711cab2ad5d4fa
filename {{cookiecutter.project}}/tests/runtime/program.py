"""Run the service as a process of its own, and send it requests."""

import socket
import subprocess
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Self

from .process import PATIENCE, Process

# systemd does the same: the socket becomes descriptor 3, and the process id stays the same
HAND_OVER = 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=http exec "$@" 3<&0 </dev/null'


class Program(Process):
    """A process, its log, and methods to send it requests."""

    def __init__(
        self,
        command: list[str],
        environment: Mapping[str, str],
        log: Path,
        listener: socket.socket | None,
    ) -> None:
        self.address: tuple[str, int] = listener.getsockname() if listener else ("", 0)
        if listener:
            command = ["sh", "-c", HAND_OVER, "sh", *command]
        stdin = listener.fileno() if listener else subprocess.DEVNULL
        super().__init__(command, environment, log, stdin)

    def ready(self) -> Self:
        """Wait until the program listens."""
        line = self.wait_for("listening on")
        host, port = line["message"].removeprefix("listening on ").split(":")
        self.address = (host, int(port))
        return self

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
