"""Ask a running program whether it is ready, and which release it is. Standard library only."""

import contextlib
import http.client
import json
import socket
import threading
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

HEALTH_PATH, READY_PATH = "/healthz", "/readyz"
"""Where the health socket, and most services, say whether they are alive, and ready."""
TRY_SECONDS = 5.0
"""How long one try waits for its answer."""
PAUSE_SECONDS = 0.1
"""How long to wait between two tries."""

LONGEST = 300
"""How many characters of a server's text are printed at most."""


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket, such as the health socket of a program."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class NotReady(Exception):  # noqa: N818
    """The program is not ready, or is another release; the message says what was seen."""


def wait(url: str, release: str | None, seconds: float, path: str = READY_PATH) -> str:
    """Ask `url` at `path` until it is ready as `release` (None: as any); return the release id.

    Raise NotReady after `seconds` (0: after one try) with what was seen last, and ValueError for
    an unsupported `url`.
    """
    end = time.monotonic() + seconds
    limit = min(seconds or TRY_SECONDS, TRY_SECONDS)
    while True:
        try:
            return ask(url, release, limit, path)
        except NotReady:
            left = end - time.monotonic() - PAUSE_SECONDS
            if left <= 0:
                raise
        time.sleep(PAUSE_SECONDS)
        limit = min(max(left, 1), TRY_SECONDS)  # a shorter try would only report a timeout


def ask(url: str, release: str | None, seconds: float, path: str = READY_PATH) -> str:
    """Ask once, for up to `seconds`; return and raise as `wait` does."""
    status, body = _get(url, path, seconds)
    try:
        report = json.loads(body)
        state, found = str(report["status"]), str(report["release"])
    except (ValueError, TypeError, KeyError):
        raise NotReady(f"not ready: {status} from {url}, and not from this program") from None
    if status != HTTPStatus.OK:
        reason = f": {report['reason']}" if "reason" in report else ""
        raise NotReady(f"not ready: {status} {state}{reason}")
    if release not in {None, found}:
        raise NotReady(f"release is {found}, expected {release}")
    return found


def plain(text: str) -> str:
    """Return `text` made safe to print: a server's text must not break or hide lines.

    Each unprintable character becomes a question mark, and a long text is cut.
    """
    seen = "".join(each if each.isprintable() else "?" for each in text[:LONGEST])
    return seen + "..." * (len(text) > LONGEST)


def _get(url: str, path: str, seconds: float) -> tuple[int, bytes]:
    connection, prefix = _connection(url, seconds)
    is_over = threading.Event()
    end = threading.Timer(seconds, _cut, [connection, is_over])  # ends an answer that trickles in
    end.daemon = True
    end.start()
    try:
        connection.request("GET", prefix.rstrip("/") + path)
        response = connection.getresponse()
        return response.status, response.read(65536)
    except (OSError, http.client.HTTPException) as error:
        reason = "timed out" if is_over.is_set() else _reason(error)
        raise NotReady(f"no answer from {url}: {reason}") from None
    finally:
        end.cancel()
        connection.close()


def is_health_socket(url: str) -> bool:
    """Return whether `url` names a Unix socket: always the runtime's own (health_socket.py)."""
    return url.startswith("unix:/") and not url.startswith("unix://")


def _connection(url: str, seconds: float) -> tuple[http.client.HTTPConnection, str]:
    """Return a connection to `url`, and the prefix of its paths."""
    if is_health_socket(url):
        return UnixConnection(url.removeprefix("unix:"), seconds), ""
    parts = urlsplit(url)
    if parts.scheme not in CONNECTIONS or not parts.hostname:
        raise ValueError(url)
    made: Any = CONNECTIONS[parts.scheme]
    return made(parts.hostname, parts.port, timeout=seconds), parts.path


def _cut(connection: http.client.HTTPConnection, is_over: threading.Event) -> None:
    is_over.set()  # first: the reader checks it as soon as the connection ends
    with contextlib.suppress(AttributeError, OSError):  # not connected yet, or not any more
        connection.sock.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).lower()
