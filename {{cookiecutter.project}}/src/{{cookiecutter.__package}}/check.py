"""Ask a running service whether it is ready, as the right release. Standard library only."""

import http.client
import json
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

TRY_SECONDS = 5.0
"""How long one try waits for its answer."""
PAUSE_SECONDS = 0.1
"""Between two tries."""

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


def _get(url: str, path: str, seconds: float) -> tuple[int, bytes]:
    parts = urlsplit(url)
    if parts.scheme not in CONNECTIONS or not parts.hostname:
        raise ValueError(url)
    connection: Any = CONNECTIONS[parts.scheme](parts.hostname, parts.port, timeout=seconds)
    try:
        connection.request("GET", parts.path.rstrip("/") + path)
        response = connection.getresponse()
        return response.status, response.read(65536)
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"no answer from {url}: {_reason(error)}") from None
    finally:
        connection.close()


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).lower()
