"""Run the program as a process of its own."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE = 60.0
"""How many seconds to wait for an event before a test fails; tests that pass need far less."""


class Process:
    """A process and its log."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], log: Path, stdin: int
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, env=environment, stdin=stdin, stdout=output, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()

    def output(self) -> str:
        return self.log.read_text("utf-8")

    def lines(self) -> list[Any]:
        """Return the parsed log, without a line that is still being written."""
        whole, _, _ = self.output().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def wait_for(self, message: str) -> Any:
        """Wait until a line with `message` is logged, and return it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for line in self.lines():
                if message in line["message"]:
                    return line
            assert self.process.poll() is None, self.output()
            time.sleep(0.01)
        raise AssertionError(f"not logged: {message}\n{self.output()}")

    def terminate(self) -> None:
        """Send SIGTERM, and wait until the program logs that it is stopping."""
        self.process.terminate()
        self.wait_for("stopping")

    def ended(self) -> int:
        """Wait for the end, and return the exit code."""
        return self.process.wait(PATIENCE)


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make a folder whose path is short enough for a socket; TMPDIR's may be too long."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)
