"""Starts what was built and asks it who it is: what does not run is never published."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from ...lib.console import TaskError
from ...lib.project import Project
from ...lib.revision import Revision

_START_SECONDS = 30
_STOP_SECONDS = 10
_PAUSE_SECONDS = 0.02
_LAST_WORDS = 12


def check(program: Path, project: Project, revision: Revision) -> float:
    """Start the program, wait for the right release id at /healthz, stop it; seconds to the answer.

    Raises `TaskError` where it exits, stays silent, answers for another release, or does not stop.
    """
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        settings = {
            f"{project.prefix}HOST": "127.0.0.1",
            f"{project.prefix}PORT": str(port),
            "XDG_CACHE_HOME": folder,
        }
        kept = {k: v for k, v in os.environ.items() if not k.startswith(project.prefix)}
        start = time.monotonic()
        with subprocess.Popen(
            [program, "serve"], env=kept | settings, stdout=log, stderr=log, cwd=folder
        ) as process:
            try:
                _wait(process, port, revision.release)
                seconds = time.monotonic() - start
                process.send_signal(signal.SIGTERM)
                process.wait(_STOP_SECONDS)
            except (TaskError, subprocess.TimeoutExpired) as error:
                log.seek(0)
                words = log.read().decode(errors="replace").splitlines()[-_LAST_WORDS:]
                said = "".join(f"\n    {line}" for line in words)
                raise TaskError(f"the built program does not work: {error}{said}") from error
            finally:
                process.kill()
    return seconds


def _wait(process: subprocess.Popen[bytes], port: int, release: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise TaskError(f"it ended with exit code {process.returncode}")
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
                connection.request("GET", "/healthz")
                answered = json.load(connection.getresponse()).get("release")
        except (OSError, HTTPException, ValueError):
            time.sleep(_PAUSE_SECONDS)
            continue
        if answered != release:
            raise TaskError(f"it says that it is release {answered}, not {release}")
        return
    raise TaskError(f"no answer on port {port} in {_START_SECONDS} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
