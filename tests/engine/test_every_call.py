"""Something goes wrong at every single call of a switch.

By default a sample of the calls is tried: every fifth call of each scene.
"""

from collections.abc import Iterator

import pytest

from tests.engine import promises
from tests.engine.fault import BLIND, ERROR, KILL, KINDS, LATE, Fault, PowerCut
from tests.engine.scenes import SCENES, TRIAL, Scene, to
from tests.engine.world import World
from tests.soak import SOAK, dice

pytestmark = pytest.mark.usefixtures("model")
_LONG = TRIAL + 20.0
_QUESTIONS_AFTER = 30
_EVERY = 1 if SOAK else 5


def settle(world: World, seconds: float = _LONG) -> None:
    """Leave the machine alone for a while; start it again if its power was cut."""
    try:
        if world.off:
            world.reboot()
        world.wait(seconds)
    except PowerCut:
        world.reboot()
        world.wait(seconds)


def undisturbed(name: str) -> tuple[list[int], list[int]]:
    """Check that all goes well; return the numbers of the steps and questions to go wrong at.

    Where a step repeats itself, as in the watch, only its first time is among them.
    """
    scene = SCENES[name]()
    world = scene.world
    world.trace.clear()
    steps, questions = world.count, world.questions
    world.check = promises.at_every_step
    ended = world.run(scene.command)
    assert (ended is None) == scene.is_told, ended
    asked = world.questions
    settle(world)
    expected = scene.new if scene.works else scene.old
    if expected[0]:
        assert promises.in_the_end(world, scene) == expected
    done = world.trace
    assert len(done) == world.count - steps
    new = [at for at, what in enumerate(done) if at < 1 or what != done[at - 1]]
    last = min(world.questions, asked + _QUESTIONS_AFTER)
    return [steps + at + 1 for at in new], list(range(questions + 1, last + 1))


def histories(name: str, kind: str) -> Iterator[tuple[World, Scene]]:
    steps, questions = undisturbed(name)
    scene = SCENES[name]()
    first = dice(f"{name} {kind}").randrange(_EVERY)
    for at in (questions if kind == BLIND else steps)[first::_EVERY]:
        world = scene.world.copy()
        world.fault = Fault(kind, at)
        world.check = promises.at_every_step
        world.trace.clear()
        world.said.clear()
        yield world, scene


def failing(world: World, scene: Scene, how: str) -> None:
    """Run a scene with its fault, let the machine recover, and check that the promises hold."""
    ended = world.run(scene.command)
    was_told = ended is None or f"{scene.new[0]} is active and healthy" in " ".join(world.said)
    if how == "reboot":
        world.off = True
    if how != "run":
        settle(world)
    # The next run has to recover by itself without systemd, where the guard was killed at a boot,
    # and where going back could not be written down.
    alone = world.fault.kind in {ERROR, LATE, BLIND} and promises.is_under_way(world)
    no_guard = how == "reboot" and "guard failed: Killed()" in world.trace
    alone = alone or no_guard or not world.systemd.is_here
    if alone or how == "run" or world.full or world.readonly or not world.this.active:
        world.full = world.readonly = False
        # The operator repeats the command, or goes back from a release that fails later.
        goal = scene.old if scene.is_told and not scene.works else scene.new
        ended = world.run(to(*goal))
        if ended:  # the fault came only now
            ended = world.run(to(*goal))
        was_told = ended is None
        settle(world)
        assert was_told == scene.is_told, f"it could not be done again: {ended}"
    if scene.old[0] or was_told:
        found = promises.in_the_end(world, scene)
        assert not (was_told and scene.works) or found == scene.new, "success did not last"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCENES)
def test_whatever_goes_wrong_one_whole_release_serves(name: str, kind: str) -> None:
    count = 0
    for how in ("time", "run", "reboot") if kind == KILL else ("time",):
        for world, scene in histories(name, kind):
            count += 1
            try:
                failing(world, scene, how)
            except BaseException as error:
                trace = "\n".join(world.trace[-60:])
                raise AssertionError(
                    f"{kind} at {world.fault.at}, then {how}: {error!r}\n{trace}\n{world.said}"
                ) from error
    print(f"{count} histories")


@pytest.mark.parametrize("name", SCENES)
def test_where_nothing_goes_wrong_it_ends_as_it_should(name: str) -> None:
    undisturbed(name)


def test_a_restart_that_systemd_refuses_is_tried_again() -> None:
    steps, _ = undisturbed("upgrade without overlap wrong")
    scene = SCENES["upgrade without overlap wrong"]()
    refused = 0
    for at in steps:
        world = scene.world.copy()
        world.fault = Fault(ERROR, at)
        world.trace.clear()
        world.run(scene.command)
        if "error at systemctl restart ('demo.service',)" in world.trace:
            refused += 1
            settle(world)
            assert promises.in_the_end(world, scene) == scene.old
    assert refused == 2, "there and back"
