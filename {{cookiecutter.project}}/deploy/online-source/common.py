"""Read the kit and run commands, for the scripts that make a release on a host."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KIT = Path(__file__).resolve().parent
RELEASE = KIT / "release"
sys.path.append(str(RELEASE))

from host.errors import HostError, last_line  # noqa: E402 (found by the line before)


def told(name: str) -> dict[str, Any]:
    """Return the content of a JSON file of the kit."""
    return dict(json.loads((KIT / name).read_text(encoding="utf-8")))


def attempt(
    what: str,
    command: Sequence[str | Path],
    held: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command; raise `HostError` with the last line of its output if it fails.

    It inherits the descriptors `held`, so that a lock is held until it ends, even if we are killed.
    """
    done = subprocess.run(
        command, env={**os.environ, **(env or {})}, cwd=cwd, pass_fds=held, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    )  # fmt: skip
    if done.returncode:
        why = last_line(done.stdout) or "no reason given"
        raise HostError(f"could not {what}: {why}")
