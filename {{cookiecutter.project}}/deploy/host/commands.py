"""Run other programs with a time limit and a fixed environment."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT = ("HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS")
NOTHING: Mapping[str, str] = {}
TOO_LONG = -1
"""The exit code of a command that was ended at its limit."""
NOT_THERE = 127


def environment() -> dict[str, str]:
    """Return the environment for other programs: a fixed one, and the variables in `_KEPT`."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PATH": PATH, "LC_ALL": "C"}


def run(
    command: Sequence[str | Path],
    seconds: float,
    stdin: bytes = b"",
    more: Mapping[str, str] = NOTHING,
) -> subprocess.CompletedProcess[str]:
    """Run a command for at most `seconds`, with `more` added to its environment.

    Never raises: a command that cannot be started has the exit code `NOT_THERE` and the reason on
    stderr; one that is ended at its limit has `TOO_LONG`.
    """
    argv = [str(part) for part in command]
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, timeout=seconds, check=False,
            env={**environment(), **more},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        said = f"{(error.stderr or b'').decode(errors='replace')}\nno answer in {seconds:.0f} s"
        return subprocess.CompletedProcess(argv, TOO_LONG, "", said)
    except OSError as error:
        said = f"{argv[0]}: {error.strerror}"
        return subprocess.CompletedProcess(argv, NOT_THERE, "", said)
    out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(argv, done.returncode, out, err)
