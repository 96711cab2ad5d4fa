"""Ask a running service whether it is ready, as the right release. Standard library only."""

import contextlib
import http.client
import json
import socket
import threading
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

TRY_SECONDS = 5.0
"""How long one try waits for its answer."""
PAUSE_SECONDS = 0.1
"""Between two tries."""

LONGEST = 300
"""How much of what a server says is printed."""


class UnixConnection(http.client.HTTPConnection):
    """Speaks HTTP over a Unix socket, such as the health socket of a service."""

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
    """The service is not (yet) what was asked for; the text says what was seen."""


def wait(url: str, release: str | None, seconds: float) -> str:
    """Ask `url` until it is ready, as `release` where one is given; return the release id.

    Raises NotReady after `seconds` (0: after one try), saying what was seen last, and ValueError
    for a `url` that can't be asked.
    """
    end = time.monotonic() + seconds
    limit = min(seconds or TRY_SECONDS, TRY_SECONDS)
    while True:
        try:
            return ask(url, release, limit)
        except NotReady:
            left = end - time.monotonic() - PAUSE_SECONDS
            if left <= 0:
                raise
        time.sleep(PAUSE_SECONDS)
        limit = min(max(left, 1), TRY_SECONDS)  # too short a try would hide what was seen before


def ask(url: str, release: str | None, seconds: float) -> str:
    """Ask once, for up to `seconds`; otherwise like `wait`."""
    status, body = _get(url, "/readyz", seconds)
    try:
        report = json.loads(body)
        state, found = str(report["status"]), str(report["release"])
    except (ValueError, TypeError, KeyError):
        raise NotReady(f"not ready: {status} from {url}, and not from this program") from None
    if status != HTTPStatus.OK:
        raise NotReady(f"not ready: {status} {state}")
    if release not in {None, found}:
        raise NotReady(f"release is {found}, expected {release}")
    return found


def plain(text: str) -> str:
    """Return `text` as it may be printed: what a server says must neither end a line nor hide one.

    Each character that is none to be seen becomes a question mark, and a long text is cut.
    """
    seen = "".join(each if each.isprintable() else "?" for each in text[:LONGEST])
    return seen + "..." * (len(text) > LONGEST)


def _get(url: str, path: str, seconds: float) -> tuple[int, bytes]:
    connection, prefix = _connection(url, seconds)
    is_over = threading.Event()
    end = threading.Timer(seconds, _cut, [connection, is_over])  # for a byte now and then
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


def _connection(url: str, seconds: float) -> tuple[http.client.HTTPConnection, str]:
    """Return the connection to ask `url` on, and what its paths begin with."""
    if url.startswith("unix:/") and not url.startswith("unix://"):
        return UnixConnection(url.removeprefix("unix:"), seconds), ""
    parts = urlsplit(url)
    if parts.scheme not in CONNECTIONS or not parts.hostname:
        raise ValueError(url)
    made: Any = CONNECTIONS[parts.scheme]
    return made(parts.hostname, parts.port, timeout=seconds), parts.path


def _cut(connection: http.client.HTTPConnection, is_over: threading.Event) -> None:
    is_over.set()  # before the connection ends: whoever reads from it asks why
    with contextlib.suppress(AttributeError, OSError):  # not connected yet, or not any more
        connection.sock.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).lower()
