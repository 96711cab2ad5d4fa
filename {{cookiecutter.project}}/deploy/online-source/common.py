"""What the scripts that make a release on a host share: places, and how commands are run."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KIT = Path(__file__).resolve().parent


class RefusedError(Exception):
    """Why there is no new release, in one line."""


@dataclass(frozen=True)
class Place:
    """Where the project lies on this host."""

    name: str
    prefix: str
    """Empty for the whole machine."""

    @property
    def base(self) -> Path:
        """The folder of its releases."""
        return Path(f"{self.prefix}/opt/{self.name}")

    @property
    def engine(self) -> Path:
        """The folder that only the engine and this program open."""
        return self.base / ".engine"

    @property
    def key(self) -> Path:
        """The keys that releases must be signed with, where it is there."""
        return Path(f"{self.prefix}/etc/{self.name}/signing-key.pub")


def told(name: str) -> dict[str, Any]:
    """Return what a file of the kit says."""
    return dict(json.loads((KIT / name).read_text(encoding="utf-8")))


def attempt(
    what: str,
    command: Sequence[str | Path],
    held: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command, or raise `RefusedError` with the last line of what it said.

    It inherits the descriptors `held`: a lock is held until it has ended, also where we are killed.
    """
    done = subprocess.run(
        command, env={**os.environ, **(env or {})}, cwd=cwd, pass_fds=held, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    )  # fmt: skip
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        raise RefusedError(f"could not {what}: {lines[-1] if lines else 'no reason given'}")
