"""Call systemctl and journalctl. Every call has a time limit, and a failure says its reason."""

import json
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess

from .commands import run
from .errors import HostError, last_line, one_line
from .place import Place

_SECONDS = 30.0
_ANSWER_SECONDS = 10.0
"""The limit for requests that systemd answers at once."""


class SystemdError(HostError):
    """A request to systemd failed; the message says why."""


class Systemd:
    """The manager that runs the project's units: the system's, or a user's own."""

    def __init__(self, place: Place, *, needed: bool = True) -> None:
        self._place = place
        self._needed = needed
        self._options = ("--user",) if place.of_user else ()
        # After su or sudo, the environment does not tell where a user's own systemd is.
        runtime = {"XDG_RUNTIME_DIR": str(place.user_runtime)}
        self.environment = runtime if place.of_user else {}
        """What the commands of systemd find that manager by."""

    def runs(self) -> bool:
        """Return whether that manager runs on this machine, for a program that needs it."""
        if not self._needed:
            return False
        if self._place.of_user:
            return (self._place.user_runtime / "systemd/private").exists()
        return Path("/run/systemd/system").is_dir()

    def require_answers(self) -> None:
        """Raise SystemdError unless the manager answers a request for its version."""
        self._ask("show", "-p", "Version", seconds=_ANSWER_SECONDS)

    def reload(self) -> None:
        """Make systemd read the units again."""
        self._ask("daemon-reload")

    def start(self, *units: str, seconds: float = _SECONDS, wait: bool = True) -> None:
        """Start units; wait until those that report their readiness are ready."""
        self._ask("start", *units, seconds=seconds, wait=wait)

    def restart(self, *units: str, seconds: float = _SECONDS, wait: bool = True) -> None:
        """Restart units; start those that do not run."""
        self._ask("restart", *units, seconds=seconds, wait=wait)

    def stop(self, *units: str, seconds: float = _SECONDS, wait: bool = True) -> None:
        """Stop units."""
        self._ask("stop", *units, seconds=seconds, wait=wait)

    def signal(self, unit: str, name: str) -> None:
        """Send a signal to the main process of a unit."""
        self._ask("kill", "--kill-who=main", f"--signal={name}", unit)

    def enable(self, *units: str) -> None:
        """Start units at boot from now on."""
        self._ask("--quiet", "enable", *units)

    def disable(self, *units: str) -> None:
        """Stop units, and start them at boot no more."""
        self._ask("--quiet", "disable", "--now", *units)

    def forget_failures(self, *units: str) -> None:
        """Reset the failed state of units."""
        self._run(("systemctl", *self._options, "reset-failed", *units), _ANSWER_SECONDS)

    def is_active(self, unit: str) -> bool:
        """Return whether a unit runs and has said that it is ready."""
        return self.property(unit, "ActiveState") == "active"

    def property(self, unit: str, name: str) -> str:
        """Return one property of a unit; empty if systemd does not answer."""
        show = ("systemctl", *self._options, "show", "-p", name, "--value", unit)
        done = self._run(show, _ANSWER_SECONDS)
        return done.stdout.strip()

    def needs_reload(self, *units: str) -> bool:
        """Return whether units were changed on the disk after systemd read them."""
        return any(self.property(unit, "NeedDaemonReload") == "yes" for unit in units)

    def reason(self, unit: str) -> str:
        """Return why a service has ended or is not ready, with the last line that it printed.

        Empty if it runs, or was never started.
        """
        if self.property(unit, "ActiveState") not in {"failed", "inactive", "activating"}:
            return ""
        if not self.property(unit, "InvocationID"):
            return ""
        starts = self.property(unit, "SubState") == "start"
        ended = "it has not become ready" if starts else self._ending(unit)
        ended = ended or "the program ended by itself"
        line = self.last_line(unit)
        return f"{ended}: {line}" if line else ended

    def failure(self, unit: str) -> str:
        """Return how a service that is about to be started again failed; empty if it did not."""
        ended = self._ending(unit)
        line = self.last_line(unit) if ended else ""
        return f"{ended}: {line}" if line else ended

    def _ending(self, unit: str) -> str:
        result = self.property(unit, "Result")
        if result == "success":
            return ""
        number = self.property(unit, "ExecMainStatus")
        by = "was ended by signal" if result in {"signal", "core-dump"} else "ended with status"
        return _RESULTS.get(result, f"the program {by} {number}")

    def last_line(self, unit: str) -> str:
        """Return the last line that the latest run of a service has printed."""
        invocation = self.property(unit, "InvocationID")
        if not invocation:
            return ""
        self._run(("journalctl", "--sync"), 5)
        # Match the invocation, because process ids are reused and would find other services' lines.
        said = self._journal(f"_SYSTEMD_INVOCATION_ID={invocation}", "_TRANSPORT=stdout")
        lines = [line for line in said.splitlines() if line.strip()]
        return _message(lines[-1]) if lines else ""

    def socket_reason(self, unit: str) -> str:
        """Return why a socket does not listen, as systemd has logged it."""
        invocation = self.property(unit, "InvocationID")
        said = self._journal(f"INVOCATION_ID={invocation}") if invocation else ""
        failures = [line for line in said.splitlines() if "Failed to" in line and ": " in line]
        words = failures[-1].partition("Failed to ")[2] if failures else ""
        return f"failed to {one_line(words)}" if words else "see journalctl -u " + unit

    def _journal(self, *matches: str) -> str:
        who = ("--user",) if self._place.of_user else ()
        command = ("journalctl", *who, "-q", "--no-pager", "-o", "cat", "-n", "20", *matches)
        return self._run(command, _SECONDS).stdout

    def _run(self, command: Sequence[str], seconds: float) -> CompletedProcess[str]:
        return run(command, seconds, more=self.environment)

    def _ask(self, *words: str, seconds: float = _SECONDS, wait: bool = True) -> None:
        options = self._options if wait else (*self._options, "--no-block")
        done = self._run(("systemctl", *options, *words), seconds if wait else _ANSWER_SECONDS)
        if done.returncode:
            said = last_line(done.stderr) or f"exit code {done.returncode}"
            raise SystemdError(f"systemctl {words[0]}: {said}")


_RESULTS = {
    "timeout": "it did not become ready in time",
    "watchdog": "it stopped answering systemd's watchdog",
    "oom-kill": "the system's memory was used up",
}
"""Reasons for systemd's names of how a service ended (systemd.exec(5), SERVICE_RESULT)."""


def _message(line: str) -> str:
    """Return the message of a log line in JSON, or the line itself."""
    try:
        return one_line(str(json.loads(line)["message"]))
    except (ValueError, KeyError, TypeError):
        return one_line(line)
