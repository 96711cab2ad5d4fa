"""Starts a service and waits for its first answer."""

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serving(
    command: Sequence[str | Path], variables: Mapping[str, str], at: int = 0
) -> Callable[[int], Callable[[], None]]:
    """Return the action that starts the service, waits for its first answer, and can be ended.

    `variables` is all the environment that the service gets; `at` is its port, or 0 for any.
    """

    def serve(_number: int) -> Callable[[], None]:
        port = at or free_port()
        arguments = [*command, "serve", "--port", str(port)]
        process = subprocess.Popen(arguments, env=variables, stdout=subprocess.DEVNULL)

        def stop() -> None:
            process.send_signal(signal.SIGTERM)
            process.wait()

        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            with suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
                    json.load(answer)
                return stop
            time.sleep(0.002)
        stop()
        raise SystemExit(f"{command[0]} gave no answer")

    return serve
