"""Lets the built program say its release id before it is published."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from ...lib.console import TaskError
from ...lib.process import last_line, last_lines
from ...lib.project import Project
from ...lib.revision import Revision

_START_SECONDS = 30
_STOP_SECONDS = 10
_PAUSE_SECONDS = 0.02


def check(program: Path, project: Project, revision: Revision) -> None:
    """Raise `TaskError` unless the program works and is of the right release."""
    _CHECKS[project.kind](program, project, revision)


def _says(program: Path, project: Project, revision: Revision) -> None:
    """Ask a command for its version, as every switch on a machine does."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [program, "--version"], env={**os.environ, "XDG_CACHE_HOME": folder}, cwd=folder,
                capture_output=True, text=True, timeout=_START_SECONDS, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise TaskError(f"the built program does not work: {error}") from error
    if done.returncode or revision.release not in done.stdout.split():
        said = last_line(done.stdout + done.stderr, "nothing")
        raise TaskError(
            f"'{project.program} --version' of the built program says '{said}', with exit code "
            f"{done.returncode}: expected the release id {revision.release} as a word of it"
        )


def _serves(program: Path, project: Project, revision: Revision) -> None:
    """Start the program, let it check that it answers as the right release, and stop it.

    A worker is held: it must not work on what it finds where it is built. A service with a `ready`
    hook is asked whether it is alive: what the hook looks for, such as a database, is not here.
    The check is the program's own command, on which every switch on a machine relies. Raises
    `TaskError` where the program exits, is not ready as this release, or does not stop.
    """
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        settings = {"XDG_CACHE_HOME": folder}
        address = f"http://127.0.0.1:{port}"
        if project.kind == "service":
            settings |= {f"{project.prefix}HOST": "127.0.0.1", f"{project.prefix}PORT": str(port)}
        waits_for_more = bool(project.serves.get("ready"))
        if waits_for_more or not project.answers_callers:
            settings["RUNTIME_DIRECTORY"] = folder
            address = f"unix:{folder}/health.sock"
        start = ["serve"] if project.kind == "service" else ["serve", "--hold"]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(project.prefix)}
        with subprocess.Popen(
            [program, *start], env=kept | settings, stdout=log, stderr=log, cwd=folder
        ) as serving:
            try:
                question = _asking(program, address, revision.release)
                question += ["--alive"] * waits_for_more
                _wait(serving, question, kept | settings)
                serving.send_signal(signal.SIGTERM)
                serving.wait(_STOP_SECONDS)
            except (TaskError, subprocess.TimeoutExpired) as error:
                log.seek(0)
                said = last_lines(log.read().decode(errors="replace"))
                raise TaskError(f"the built program does not work: {error}{said}") from error
            finally:
                serving.kill()


def _asking(program: Path, address: str, release: str) -> list[str]:
    return [
        str(program),
        "check",
        "--url",
        address,
        "--release",
        release,
        "--wait",
        str(_START_SECONDS),
    ]


def _wait(serving: subprocess.Popen[bytes], command: list[str], env: Mapping[str, str]) -> None:
    """Run the check; stop it as soon as the program that it asks has ended."""
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as asking:
        while asking.poll() is None and serving.poll() is None:
            time.sleep(_PAUSE_SECONDS)
        asking.kill()
        said = asking.communicate()[0]
    if serving.poll() is not None:
        raise TaskError(f"it ended with exit code {serving.returncode}")
    if asking.returncode:
        raise TaskError(last_line(said, f"its check ended with exit code {asking.returncode}"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_CHECKS = {"service": _serves, "worker": _serves, "cli": _says}
