"""What a switch promises to operators and callers, each promise once."""

import pytest
from host.errors import HostError

from tests.engine import programs, promises
from tests.engine.fault import KILL, Fault
from tests.engine.programs import Kind
from tests.engine.scenes import (
    BAD,
    NEW,
    OLD,
    OTHER,
    TRIAL,
    add_release,
    back,
    do,
    installed,
    machine,
    to,
)
from tests.engine.world import World

pytestmark = pytest.mark.usefixtures("model")
BROKEN = (programs.EXITS, programs.HANGS, programs.WRONG, programs.DEAF)


def with_next(kind: Kind | None = None, *, socket: str = "", overlap: bool = True) -> World:
    world = installed()
    add_release(world, "B", kind, overlap=overlap, **({"socket": socket} if socket else {}))
    return world


# A release that does not accept callers is found out only where the socket is shared.
PROVED = [(kind, socket) for kind in BROKEN for socket in ("", OTHER)
          if kind != programs.DEAF or not socket]  # fmt: skip


@pytest.mark.parametrize(("kind", "socket"), PROVED)
def test_a_broken_newcomer_answers_nobody_and_the_old_one_does_not_notice(
    kind: str, socket: str
) -> None:
    world = with_next(Kind(kind), socket=socket)
    number = world.systemd.service.number
    ended = world.run(to("B"))
    assert isinstance(ended, HostError)
    assert str(ended).startswith("B did not become healthy, A is active as before: ")
    world.wait(TRIAL)
    assert world.systemd.service.number == number, "the old one was started again"
    assert promises.serving(world) == ("A", OLD)
    assert not world.systemd.answered_by_broken


def test_bad_settings_reach_nobody() -> None:
    world = installed()
    number = world.systemd.service.number
    assert isinstance(world.run(to("A", BAD)), HostError)
    world.wait(TRIAL)
    assert world.systemd.service.number == number
    assert promises.serving(world) == ("A", OLD)


def test_callers_are_served_all_the_time() -> None:
    world = with_next()
    unserved: list[str] = []

    def look(_: World) -> None:
        if not world.systemd.answering():
            unserved.append(world.trace[-1])

    world.check = look
    do(world, to("B", NEW))
    do(world, back)
    assert unserved == []


def test_a_next_that_still_finishes_requests_is_waited_for() -> None:
    world = with_next()
    assert world.run(to("B", NEW)) is None
    world.trace.clear()
    assert world.run(back) is None
    unit = world.systemd.next.name
    start = world.trace.index(f"systemctl start ('{unit}',)")
    assert any(line.startswith(f"wait for stop ('{unit}',") for line in world.trace[:start])


@pytest.mark.parametrize("overlap", [True, False])
def test_a_hook_prepares_the_data_before_the_new_release_starts(overlap: bool) -> None:
    world = with_next(Kind(hook=programs.GOOD), overlap=overlap)
    assert world.run(to("B", NEW)) is None
    assert world.systemd.prepared == ["B"]
    assert world.systemd.before.settings == NEW
    before, started = world.systemd.before.number, world.systemd.service.number
    next_or_service = world.systemd.next.number if overlap else started
    assert before < next_or_service


def test_a_hook_runs_again_for_settings_and_not_on_the_way_back() -> None:
    world = machine()
    for name in ("A", "B"):
        add_release(world, name, Kind(hook=programs.GOOD))
        do(world, to(name))
    do(world, to("B", NEW))
    do(world, back)
    assert world.systemd.prepared == ["A", "B", "B"]


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_crash_within_the_trial_leads_back_by_itself(is_gone: bool) -> None:
    world = with_next()
    assert world.run(to("B", NEW)) is None
    if is_gone:  # the watch is gone too
        world.systemd.stop(world.systemd.trial.name)
    world.wait(2)
    world.systemd.crash()
    world.wait(3)
    assert promises.serving(world) == ("A", OLD)
    assert "B failed on trial" in world.this.states.load().said


def test_a_crash_after_the_trial_does_not() -> None:
    world = with_next()
    do(world, to("B", NEW))
    world.systemd.crash()
    world.wait(3)
    assert promises.serving(world) == ("B", NEW)


def test_after_a_reboot_the_trial_begins_again() -> None:
    world = with_next()
    assert world.run(to("B", NEW)) is None
    world.wait(TRIAL - 2)
    world.reboot()
    world.wait(TRIAL - 2)
    assert promises.serving(world) == ("B", NEW)
    assert promises.is_under_way(world)
    world.systemd.crash()
    world.wait(3)
    assert promises.serving(world) == ("A", OLD)


def test_success_is_durable_when_it_is_told() -> None:
    world = with_next()
    told_at: list[World] = []
    object.__setattr__(world.this, "say", lambda _: told_at.append(world.copy()))
    assert world.run(to("B", NEW)) is None
    assert told_at
    for then in told_at:
        then.systemd.jobs.clear()
        then.reboot()
        assert promises.serving(then) == ("B", NEW)


def test_rollbacks_walk_back_and_end() -> None:
    world = installed("A", "B", "C", "D")
    walked = [world.this.active]
    while (ended := world.run(back)) is None:
        world.wait(TRIAL + 2)
        walked.append(world.this.active)
    assert walked == ["D", "C", "B"], "two are kept, and what a trial's way back leads on to"
    assert str(ended) == "there is no release before B here"


def test_a_release_that_is_killed_while_it_hangs_leaves_the_lock() -> None:
    world = with_next(Kind(programs.HANGS), overlap=False)
    begun = world.count
    for at in range(1, 40):
        twin = world.copy()
        twin.fault = Fault(KILL, begun + at)
        twin.run(to("B"))
        twin.wait(TRIAL + 20)
        assert not twin.holder
        assert promises.serving(twin) == ("A", OLD)
