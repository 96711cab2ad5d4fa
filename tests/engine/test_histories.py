"""Whole lives of a machine, put together at random: the promises hold in each."""

import pytest
from host.errors import HostError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)  # fmt: skip

from tests.engine import programs, promises
from tests.engine.fault import BLIND, CUT, ERROR, FULL, KILL, LATE, READONLY, Fault, PowerCut
from tests.engine.programs import Kind
from tests.engine.scenes import (
    BAD,
    NEW,
    OLD,
    OTHER,
    SOCKET,
    TRIAL,
    Settings,
    add_release,
    back,
    installed,
    to,
)
from tests.engine.world import World

pytestmark = pytest.mark.usefixtures("model")
HISTORIES, LENGTH = 300, 12

_STARTS = (programs.GOOD,) * 4 + (programs.EXITS, programs.HANGS, programs.WRONG, programs.DEAF)
_LATER = ("",) * 4 + (programs.CRASHES, programs.SICKENS)
KINDS = some.builds(
    Kind, some.sampled_from(_STARTS), some.sampled_from(_LATER), some.sampled_from((2.0, 7.0))
)
FAULTS = some.one_of(
    some.just(Fault()),
    some.builds(
        Fault,
        some.sampled_from((KILL, CUT, ERROR, LATE, FULL, READONLY, BLIND)),
        some.integers(1, 70),
    ),
)
SETTINGS = some.sampled_from(((), (), tuple(OLD.items()), tuple(NEW.items()), tuple(BAD.items())))


class Machine(RuleBasedStateMachine):
    """One machine on which releases come and go while things go wrong."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.walked: list[str] = []

    @initialize()
    def begin(self) -> None:
        self.world = installed()
        self.world.check = promises.at_every_step
        self.pairs: list[tuple[str, Settings]] = [("A", OLD)]

    # --- what operators do ------------------------------------------------------------------------

    @rule(kind=KINDS, overlap=some.booleans(), other=some.booleans(), given=SETTINGS, fault=FAULTS)
    def upgrade(
        self, kind: Kind, overlap: bool, other: bool, given: tuple[tuple[str, bytes], ...],
        fault: Fault,
    ) -> None:  # fmt: skip
        self.count += 1
        name = f"R{self.count}"
        add_release(self.world, name, kind, overlap=overlap, socket=OTHER if other else SOCKET)
        self._switch(name, dict(given), fault)

    @rule(data=some.data(), given=SETTINGS, fault=FAULTS)
    def again(
        self, data: some.DataObject, given: tuple[tuple[str, bytes], ...], fault: Fault
    ) -> None:
        here = list(self.world.disk.names(self.world.this.place.releases))
        self._switch(data.draw(some.sampled_from(here)), dict(given), fault)

    @rule(fault=FAULTS)
    def rollback(self, fault: Fault) -> None:
        before = self.world.this.active
        # A rollback that first undoes a switch, or that goes wrong, begins a new walk.
        if promises.is_under_way(self.world) or fault.kind or self.walked[-1:] != [before]:
            self.walked = [before]
        self.pairs += [(name, promises.settings_in_force(self.world)) for name in self._before()]
        was_under_way = promises.is_under_way(self.world)
        if self._run(back, fault) and not was_under_way:
            now = self.world.this.active
            assert now not in self.walked, "a rollback went in a circle"
            self.walked.append(now)

    def _before(self) -> tuple[str, ...]:
        self._forget_fault()
        return self.world.this.states.load().before

    def _switch(self, name: str, given: Settings, fault: Fault) -> None:
        self.walked = []
        # The run may first undo an earlier switch, which puts other settings back in force.
        self.pairs += [(name, {**pair[1], **given}) for pair in list(self.pairs)]
        if self._run(to(name, given), fault):
            assert self.world.this.active == name

    def _run(self, command: object, fault: Fault) -> bool:
        """Run a command; return whether it reported success."""
        world = self.world
        if fault.kind:
            begun = world.questions if fault.kind == BLIND else world.count
            world.fault = Fault(fault.kind, begun + fault.at)
        ended = world.run(command)  # type: ignore[arg-type]
        if isinstance(ended, HostError):
            assert "\n" not in str(ended)
            assert len(str(ended)) > 10
        if world.off:
            world.reboot()
        return ended is None

    # --- what happens to a machine ----------------------------------------------------------------

    @rule(seconds=some.sampled_from((1.0, 3.0, 30.0)))
    def time_passes(self, seconds: float) -> None:
        try:
            self.world.wait(seconds)
        except PowerCut:
            self.world.reboot()

    @rule()
    def power_cut(self) -> None:
        before = self.world.this.active
        self.world.reboot()
        self._forget_fault()
        assert self.world.this.active in {before, *(pair[0] for pair in self.pairs)}

    @rule()
    def crash(self) -> None:
        self.world.systemd.crash()

    @rule()
    @precondition(lambda self: self.world.full or self.world.readonly)
    def mend(self) -> None:
        self.world.full = self.world.readonly = False

    def _forget_fault(self) -> None:
        self.world.fault = Fault()

    # --- what holds -------------------------------------------------------------------------------

    @invariant()
    def something_whole_is_active(self) -> None:
        promises.at_every_step(self.world)
        assert self.world.this.active

    def teardown(self) -> None:
        """Mend all that is broken, leave the machine alone, and check its state in the end."""
        if not hasattr(self, "world"):
            return
        world = self.world
        self._forget_fault()
        world.full = world.readonly = False
        world.wait(TRIAL + 20)
        world.run(to(world.this.active))
        world.wait(TRIAL + 20)
        assert not promises.is_under_way(world)
        kind = world.programs.kind(world.this.active, promises.settings_in_force(world))
        if kind == Kind():
            assert promises.serving(world) in self.pairs
        way_back = [name for name in self._before() if name != world.this.active]
        assert all(world.this.has(name) for name in way_back[:1])


def test_whatever_happens_one_whole_release_serves() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=LENGTH,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
