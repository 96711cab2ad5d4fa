"""Run a release's own program to check its version and its readiness."""

from pathlib import Path

from .commands import TOO_LONG, run
from .errors import HostError, last_line, reason
from .place import Place
from .release import read

_SECONDS = 60.0
_MARGIN = 10.0


class ProgramError(HostError):
    """The program does not run or answer as expected; the message says what was seen."""


class Programs:
    """The programs of the installed releases."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def require_runs(self, release: str) -> None:
        """Raise ProgramError if a release's program does not start, or is of another release."""
        tree = self._place.releases / release
        facts = read(tree)
        expected = f"{facts.name} {facts.release}"
        asked = facts.traits.version
        done = run((self._program(tree, facts.name), asked), _SECONDS)
        if done.returncode or facts.release not in done.stdout.split():
            got = last_line(done.stdout) or reason(done.stderr)
            if done.returncode == TOO_LONG:
                got = f"nothing in {_SECONDS:.0f} s"
            raise ProgramError(f"'{facts.name} {asked}' says '{got}', expected '{expected}'")

    def require_ready(self, release: str, url: str, seconds: float) -> None:
        """Raise ProgramError unless the service at `url` reports that it is ready as `release`."""
        tree = self._place.releases / release
        facts = read(tree)
        command = (self._program(tree, facts.name), "check", "--url", url,
                   "--release", facts.release, "--wait", f"{seconds:.0f}")  # fmt: skip
        done = run(command, seconds + _MARGIN)
        if done.returncode:
            raise ProgramError(reason(done.stderr) or last_line(done.stdout) or "no answer")

    @staticmethod
    def _program(tree: Path, name: str) -> Path:
        return tree / "bin" / name
