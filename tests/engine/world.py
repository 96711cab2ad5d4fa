"""A machine that the tests control: its processes, its faults and its time."""

import copy
import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PosixPath

from host import trial
from host.clock import Clock
from host.errors import HostError
from host.history import History
from host.installation import Installation
from host.lock import Busy
from host.place import Place
from host.release import KINDS
from host.settings import Settings
from host.state import States
from host.units import Units

from tests.engine.disk import MemoryDisk
from tests.engine.fault import (
    BLIND,
    CUT,
    ERROR,
    FULL,
    KILL,
    LATE,
    READONLY,
    Fault,
    Killed,
    Parked,
    PowerCut,
    os_error,
)  # fmt: skip
from tests.engine.programs import ModelPrograms
from tests.engine.systemd import ModelSystemd

NAME = "demo"
INSTALLER, GUARD, WATCH = "installer", "guard", "watch"


class NowhereFolder(PosixPath):
    """A folder that is only in the model."""

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: the model has it."""


class ModelPlace(Place):
    """The place of an installation for the whole machine; nothing of it is on the real disk."""

    @property
    def base(self) -> Path:
        return NowhereFolder("/opt", self.name)


class ModelClock(Clock):
    """The time of the model."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def boot(self) -> str:
        return f"boot-{self._world.boots}"

    def seconds(self) -> float:
        return self._world.now

    def sleep(self, seconds: float) -> None:
        self._world.wait(seconds)


class World:
    """One machine. Copy it to go back in time."""

    current: "World"
    """The world whose engine is running: `held`, a plain function, has to find it."""

    def __init__(self, kind: str = "service") -> None:
        self.kind = kind
        self.is_alone = False
        """Whether two releases must never run at once."""
        self.now = 1000.0
        self.boots = 1
        self.count = self.questions = 0
        self.fault = Fault()
        self.full = self.readonly = self.off = False
        self.processes: list[str] = []
        self.dead: set[str] = set()
        self.holder = ""
        self.said: list[str] = []
        self.trace: list[str] = []
        self.check: Callable[[World], None] | None = None
        place = ModelPlace(NAME, None, 0, Path("/root"))
        self.disk = MemoryDisk(self)
        self.systemd = ModelSystemd(place, self)
        self.programs = ModelPrograms(place, self)
        self.this = Installation(
            place=place,
            disk=self.disk,
            systemd=self.systemd,
            programs=self.programs,
            clock=ModelClock(self),
            units=Units(place, self.disk, self.systemd, KINDS[kind]),
            settings=Settings(place, self.disk),
            states=States(place.engine, self.disk),
            history=History(place.engine, self.disk),
            say=self.said.append,
        )

    def copy(self) -> "World":
        twin = copy.deepcopy(self)
        object.__setattr__(twin.this, "say", twin.said.append)
        return twin

    # --- what goes wrong ------------------------------------------------------------------------

    def step(self, what: str, act: Callable[[], None], failure: Exception, room: int = -1) -> None:
        """Do one elementary step of a process, with the fault that belongs to it, if any.

        `room` is 1 where a full disk refuses the step, 0 where only a read-only disk does, and -1
        where the step does not write to the disk.
        """
        self._require_alive()
        self.count += 1
        hit = self.fault.kind if self.fault.at == self.count else ""
        if self.fault.kind != BLIND and hit:
            self.trace.append(f"{hit} at {what}")
            self._go_wrong(hit)
        if hit == ERROR:
            raise failure
        if self.readonly and room >= 0:
            raise os_error(errno.EROFS)
        if self.full and room > 0:
            raise os_error(errno.ENOSPC)
        self.trace.append(what)
        act()
        if self.check and room >= 0:
            self.check(self)
        if hit == LATE:
            raise failure

    def _go_wrong(self, kind: str) -> None:
        if kind == KILL:
            self.dead.add(self.processes[-1])
            raise Killed
        if kind == CUT:
            self.off = True
            raise PowerCut
        self.full = self.full or kind == FULL
        self.readonly = self.readonly or kind == READONLY

    def blind(self) -> bool:
        """Return whether this question gets no answer."""
        self._require_alive()
        self.questions += 1
        return self.fault.kind == BLIND and self.fault.at == self.questions

    def _require_alive(self) -> None:
        if self.off:
            raise PowerCut
        if self.processes and self.processes[-1] in self.dead:
            raise Killed

    # --- processes and their lock ---------------------------------------------------------------

    @contextmanager
    def process(self, name: str) -> Iterator[None]:
        """Run the block as a process of this machine."""
        World.current, before = self, getattr(World, "current", self)
        self.processes.append(name)
        self.dead.discard(name)
        try:
            yield
        finally:
            self.processes.pop()
            World.current = before

    def run(self, command: Callable[[Installation], None]) -> BaseException | None:
        """Run a command of the operator to its end; return its error, or None."""
        ended: BaseException | None = None
        try:
            with self.process(INSTALLER):
                command(self.this)
        except (HostError, Killed, PowerCut) as error:
            ended = error
        if not self.off:
            self.systemd.work()
        return ended

    def guard(self) -> None:
        """Run the guard, as systemd does before each start of the service."""
        with self.process(GUARD):
            try:
                trial.guard(self.this)
            except (Killed, HostError, OSError) as error:
                self.trace.append(f"guard failed: {error!r}")

    def watch(self) -> None:
        """Run one look of the watch."""
        try:
            with self.process(WATCH):
                seen = trial.look(self.this, self.systemd.watch_seen)
        except Parked:
            return
        except (Killed, HostError, OSError) as error:
            self.trace.append(f"watch failed: {error!r}")
            self.systemd.watch_ended(failed=True)
            return
        if seen is None:
            self.systemd.watch_ended(failed=False)
        else:
            self.systemd.watch_seen = seen

    # --- time -----------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass, and do what becomes due."""
        until = self.now + seconds
        while self.now < until:
            self._require_alive()
            self.now = min(self.now + 1.0, until)
            self.systemd.tick()

    def reboot(self) -> None:
        """Start the machine again: what was not durable is gone."""
        self.off = False
        self.boots += 1
        self.now = 5.0
        self.holder = ""
        self.processes.clear()
        self.disk.lose_what_is_volatile()
        try:
            self.systemd.boot()
        except PowerCut:
            self.reboot()


@contextmanager
def held(file: Path, seconds: float) -> Iterator[None]:
    """Hold the model's lock, in the place of `host.lock.held`."""
    world = World.current
    if world.holder and world.holder not in world.dead:
        if seconds > 1000:
            raise Parked
        raise Busy(f"another run is at work, {world.holder}")
    world.holder = world.processes[-1]
    try:
        yield
    finally:
        world.holder = ""
