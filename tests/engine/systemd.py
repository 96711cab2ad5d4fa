"""A systemd with the project's six units, as far as the engine relies on it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from host.place import Place
from host.systemd import Systemd, SystemdError
from host.trial import Seen

from tests.engine import programs
from tests.engine.programs import Kind

if TYPE_CHECKING:
    from tests.engine.world import World

_ETC, _RUN = Path("/etc/systemd/system"), Path("/run/systemd/system")
_WANTED = "/etc/systemd/system/wants"
_NEVER = 10.0**9
HEALTH_LIMIT = 5
"""The TimeoutStartSec of the model's releases."""
HOOK_LIMIT = 7
"""That of their hooks."""
_REFUSED = SystemdError("systemctl: connection timed out")


@dataclass
class Unit:
    """One unit, and its process."""

    name: str
    text: bytes | None = None
    """The unit's file as systemd has read it."""
    state: str = "inactive"
    result: str = "success"
    release: str = ""
    settings: dict[str, bytes] = field(default_factory=dict)
    kind: Kind = field(default_factory=Kind)
    status: str = ""
    number: int = 0
    """The number of its process: a new one at every start."""
    started: float = 0.0
    again: float = _NEVER
    """When systemd starts it again by itself."""
    restarts: int = 0
    is_sick: bool = False
    accepts: bool = False
    invocation: int = 0

    @property
    def is_ready(self) -> bool:
        return self.state == "active"


class ModelSystemd(Systemd):
    """Runs jobs one after the other; one that a caller waits for is done when the call returns."""

    def __init__(self, place: Place, world: "World") -> None:
        super().__init__(place)
        self._world = world
        self.is_here = True
        self.socket = Unit("demo.socket")
        self.service = Unit("demo.service")
        self.next = Unit("demo-next.service")
        self.before = Unit("demo-before.service")
        self.prepared: list[str] = []
        """The releases whose hooks were run."""
        self.trial = Unit("demo-trial.service")
        self.guard = Unit("demo-guard.service")
        self.units = {
            unit.name: unit
            for unit in (
                self.socket,
                self.service,
                self.next,
                self.before,
                self.trial,
                self.guard,
            )
        }
        self.jobs: list[Callable[[], None]] = []
        self.numbers = 0
        self.watch_seen = Seen()
        self.answered_by_broken = 0
        """How often a release that never proved itself accepted callers beside the old one."""
        self.can_listen = True
        self._busy = False

    # --- what the engine calls --------------------------------------------------------------------

    def runs(self) -> bool:
        return self.is_here

    def require_answers(self) -> None:
        self._world.step("systemctl show", lambda: None, _REFUSED)

    def reload(self) -> None:
        self._job("daemon-reload", self._read)

    def start(self, *units: str, seconds: float = 30.0, wait: bool = True) -> None:
        self._job(f"start {units}", lambda: self._start_all(units), wait=wait)
        if wait:
            self._await(units, seconds)

    def restart(self, *units: str, seconds: float = 30.0, wait: bool = True) -> None:
        def work() -> None:
            for name in units:
                self._end(self.units[name])
            self._start_all(units)

        self._job(f"restart {units}", work, wait=wait)
        if wait:
            self._await(units, seconds)

    def stop(self, *units: str, seconds: float = 30.0, wait: bool = True) -> None:
        def work() -> None:
            for name in units:
                self._end(self.units[name])

        self._job(f"stop {units}", work, wait=wait)

    def signal(self, unit: str, name: str) -> None:
        self._job(f"signal {name} {unit}", lambda: self._accept(self.units[unit]))

    def enable(self, *units: str) -> None:
        def work() -> None:
            for unit in units:
                self._world.disk.put(Path(_WANTED, unit), b"")

        self._job("enable", work)

    def disable(self, *units: str) -> None:
        def work() -> None:
            for unit in units:
                self._world.disk.tree.pop(f"{_WANTED}/{unit}", None)
                self._end(self.units[unit])

        self._job("disable", work)

    def forget_failures(self, *units: str) -> None:
        self._world.blind()
        for name in units:
            if self.units[name].state == "failed":
                self.units[name].state = "inactive"

    def property(self, unit: str, name: str) -> str:
        self.work()
        if self._world.blind():
            return ""
        found = self.units[unit]
        values = {
            "ActiveState": found.state,
            "Result": found.result,
            "StatusText": found.status,
            "NRestarts": str(found.restarts),
            "InvocationID": f"{found.invocation:x}" if found.invocation else "",
            "NeedDaemonReload": "yes" if self._is_stale(found) else "no",
            "Listen": "127.0.0.1:8000 (Stream)" if found is self.socket else "",
            "ExecMainStatus": "1",
        }
        return values.get(name, "")

    def failure(self, unit: str) -> str:
        return ""

    def last_line(self, unit: str) -> str:
        return ""

    def socket_reason(self, unit: str) -> str:
        return "failed to create listening socket: Address already in use"

    # --- jobs -------------------------------------------------------------------------------------

    def _job(self, what: str, work: Callable[[], None], *, wait: bool = True) -> None:
        self._world.step(f"systemctl {what}", lambda: self.jobs.append(work), _REFUSED)
        if wait:
            # A kill here frees the lock; the job is still done, after that.
            self._world.step(f"wait for {what}", lambda: None, _REFUSED)
            if self._busy and work in self.jobs:
                self.jobs.remove(work)
                work()
            self.work()

    def work(self) -> None:
        """Do the jobs that are queued; a job's own processes may queue further ones."""
        if self._busy:
            return
        self._busy = True
        try:
            while self.jobs and not self._world.off:
                self.jobs.pop(0)()
        finally:
            self._busy = False

    def _await(self, names: tuple[str, ...], seconds: float) -> None:
        """Wait for the jobs of units, as systemctl does. Raises SystemdError where one fails."""
        until = self._world.now + seconds
        while any(self._is_starting(self.units[name]) for name in names):
            if self._world.now >= until:
                raise SystemdError(f"no answer in {seconds:.0f} s")
            self._world.wait(1.0)
        for name in names:
            unit = self.units[name]
            if not unit.is_ready and not (unit is self.before and unit.state == "inactive"):
                raise SystemdError(f"job for {name} failed")

    @staticmethod
    def _is_starting(unit: Unit) -> bool:
        """Return whether a unit's job goes on; if the unit waits for a restart, it has failed."""
        return unit.state == "activating" and unit.again == _NEVER

    # --- units ------------------------------------------------------------------------------------

    def _file(self, unit: Unit) -> bytes | None:
        for folder in (_RUN, _ETC):
            found = self._world.disk.tree.get(f"{folder}/{unit.name}")
            if found:
                return found[1]
        return None

    def _is_stale(self, unit: Unit) -> bool:
        return self._file(unit) != unit.text

    def _read(self) -> None:
        for unit in self.units.values():
            unit.text = self._file(unit)

    def _start_all(self, names: tuple[str, ...]) -> None:
        for name in names:
            self._start(self.units[name])

    def _start(self, unit: Unit) -> None:
        if unit.state in {"active", "activating"} and unit.again == _NEVER:
            return
        if unit.text is None:
            unit.text = self._file(unit)
        if unit.text is None:
            unit.state = "failed" if unit is self.service else "inactive"
            return
        if unit is self.socket:
            unit.state = "active" if self.can_listen else "failed"
        elif unit is self.trial:
            if self._condition(unit):
                unit.state, unit.again, self.watch_seen = "active", _NEVER, Seen()
            else:
                unit.state, unit.again = "inactive", _NEVER
        elif unit is self.service:
            self._start_service()
        else:
            found = re.search(rb"/releases/([^/]+)/bin/", unit.text)
            next_to = b"/etc/demo/.switch/next/" in unit.text
            folder = Path("/etc/demo", ".switch/next" if next_to else "")
            self._spawn(unit, found[1].decode() if found else "", folder)
            if unit is self.before:
                self._run_hook(unit)

    def _run_hook(self, unit: Unit) -> None:
        """End the process of the hook as its release's kind says; it is no service."""
        self.prepared.append(unit.release)
        states = {programs.EXITS: "failed", programs.HANGS: "activating"}
        unit.state = states.get(unit.kind.hook, "inactive")

    def _condition(self, unit: Unit) -> bool:
        found = re.search(rb"^ConditionPathExists=(.*)$", unit.text or b"", re.M)
        return not found or found[1].decode() in self._world.disk.tree

    def _start_service(self) -> None:
        self.service.again = _NEVER
        self.service.state = "inactive"
        self._start(self.socket)
        if self.guard.text and self._condition(self.guard):
            self._world.guard()
        if self.service.state != "inactive":
            return
        target = self._world.disk.target(Path("/opt/demo/current"))
        self._spawn(self.service, target.rpartition("/")[2], Path("/etc/demo"))
        if self.socket.text is not None and not self.socket.is_ready:
            self._fail(self.service, "exit-code")

    def _spawn(self, unit: Unit, release: str, folder: Path) -> None:
        self.numbers += 1
        tree = self._world.disk.tree
        files = {name: tree.get(f"{folder}/{name}") for name in ("demo.env", "secrets.env")}
        unit.settings = {name: node[1] for name, node in files.items() if node}
        unit.release, unit.number, unit.invocation = release, self.numbers, self.numbers
        unit.started, unit.is_sick, unit.status = self._world.now, False, ""
        unit.kind = self._world.programs.kind(release, unit.settings)
        unit.accepts = unit is self.service
        start = unit.kind.start
        if unit is self.service:  # it begins its work at once, and is not held
            start = {programs.RAISES: programs.EXITS, programs.MUTE: programs.HANGS}.get(
                start, start
            )
        if f"/opt/demo/releases/{release}" not in tree or start == programs.EXITS:
            self._fail(unit, "exit-code")
        else:
            unit.state = "activating" if start == programs.HANGS else "active"

    def _fail(self, unit: Unit, result: str) -> None:
        unit.result, unit.accepts = result, False
        unit.state = "failed"
        if unit is self.service:
            unit.state, unit.again = "activating", self._world.now + 1
            unit.restarts += 1

    def _end(self, unit: Unit) -> None:
        unit.state, unit.again, unit.accepts = "inactive", _NEVER, False
        if unit is self.socket:  # PartOf=
            self._end(self.service)
        if unit is self.trial:
            self.watch_seen = Seen()

    def _accept(self, unit: Unit) -> None:
        if unit.is_ready and unit.kind.start == programs.RAISES:
            self._fail(unit, "exit-code")
        elif unit.is_ready and unit.kind.start not in {programs.DEAF, programs.MUTE}:
            is_worker = self._world.kind == "worker"
            unit.accepts, unit.status = True, "working" if is_worker else "accepting"
            if unit.kind.start != programs.GOOD:
                self.answered_by_broken += 1

    def crash(self) -> None:
        """End the service's process as a crash does."""
        if self.service.is_ready:
            self._fail(self.service, "signal")

    def watch_ended(self, *, failed: bool) -> None:
        self.trial.state = "failed" if failed else "inactive"
        self.watch_seen = Seen()
        again = re.search(rb"Restart=on-failure\nRestartSec=(\d+)", self.trial.text or b"")
        if failed and again:
            self.trial.state, self.trial.again = "activating", self._world.now + int(again[1])

    def answering(self) -> list[Unit]:
        return [unit for unit in (self.service, self.next) if unit.accepts and unit.is_ready]

    # --- time -------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Do what is due."""
        now = self._world.now
        for unit in (self.service, self.next):
            ill = unit.kind.later and unit.is_ready and now >= unit.started + unit.kind.after
            if ill and unit.kind.later == programs.CRASHES:
                self._fail(unit, "signal")
            elif ill:
                unit.is_sick = True
        if self.next.state == "activating" and now >= self.next.started + HEALTH_LIMIT:
            self._fail(self.next, "timeout")
        if self.before.state == "activating" and now >= self.before.started + HOOK_LIMIT:
            self._fail(self.before, "timeout")
        if self.next.is_ready and now >= self.next.started + 3600:
            self._end(self.next)
        if now >= self.trial.again:
            self.jobs.append(lambda: self._start(self.trial))
        if now >= self.service.again:
            self.jobs.append(lambda: self._start(self.service))
        elif self.socket.is_ready and self.service.state in {"inactive", "failed"}:
            # A caller comes: the socket starts the service.
            self.jobs.append(lambda: self._start(self.service))
        self.work()
        if self.trial.is_ready and not self._busy:
            self._world.watch()
            self.work()

    def boot(self) -> None:
        """Start what is enabled."""
        self.jobs.clear()
        self._busy = False
        for unit in self.units.values():
            fresh = Unit(unit.name)
            unit.__dict__.update(fresh.__dict__)
        self._read()
        tree = self._world.disk.tree
        for unit in (self.socket, self.service):
            if self.is_here and f"{_WANTED}/{unit.name}" in tree:
                self.jobs.append(lambda unit=unit: self._start(unit))  # type: ignore[misc]
        self.work()
