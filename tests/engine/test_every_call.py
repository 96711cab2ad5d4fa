"""Something goes wrong at every single call of a switch."""

from collections.abc import Iterator

import pytest

from tests.engine import promises
from tests.engine.fault import BLIND, CUT, ERROR, KILL, KINDS, LATE, Fault, PowerCut
from tests.engine.scenes import SCENES, TRIAL, Scene, to
from tests.engine.world import World

pytestmark = pytest.mark.usefixtures("model")
_LONG = TRIAL + 20.0


def settle(world: World, seconds: float = _LONG) -> None:
    """Let the machine be, and start it again when its power was cut."""
    try:
        if world.off:
            world.reboot()
        world.wait(seconds)
    except PowerCut:
        world.reboot()
        world.wait(seconds)


def calls(name: str) -> tuple[int, int]:
    """Return how many steps and questions there are to go wrong at."""
    scene = SCENES[name]()
    world = scene.world
    steps, questions = world.count, world.questions
    world.check = promises.at_every_step
    ended = world.run(scene.command)
    assert (ended is None) == scene.is_told, ended
    settle(world)
    expected = scene.new if scene.works else scene.old
    if expected[0]:
        assert promises.in_the_end(world, scene) == expected
    return world.count - steps, world.questions - questions


def histories(name: str, kind: str) -> Iterator[tuple[World, Scene]]:
    steps, questions = calls(name)
    scene = SCENES[name]()
    for at in range(1, (questions if kind == BLIND else steps) + 1):
        world = scene.world.copy()
        world.fault = Fault(kind, at + (world.questions if kind == BLIND else world.count))
        world.check = promises.at_every_step
        world.trace.clear()
        yield world, scene


def failing(world: World, scene: Scene, how: str) -> None:
    """Have it fail, get over it, and see that the promises hold."""
    ended = world.run(scene.command)
    was_told = ended is None
    if how == "reboot":
        world.off = True
    if how != "run":
        settle(world)
    # Without systemd the next run does all, and also where the guard was killed at a boot, or
    # what was gone back to could not be written down.
    alone = world.fault.kind in {ERROR, LATE, BLIND} and promises.is_under_way(world)
    no_guard = how == "reboot" and "guard failed: Killed()" in world.trace
    alone = alone or no_guard or not world.systemd.is_here
    if alone or how == "run" or world.full or world.readonly or not world.this.active:
        world.full = world.readonly = False
        # The operator does it again, or goes back from what gets ill.
        goal = scene.old if scene.is_told and not scene.works else scene.new
        ended = world.run(to(*goal))
        if ended:  # only now
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
    hows = {KILL: ("time", "run", "reboot"), CUT: ("time",)}.get(kind, ("time",))
    for how in hows:
        for world, scene in histories(name, kind):
            try:
                failing(world, scene, how)
            except BaseException as error:
                trace = "\n".join(world.trace[-60:])
                at = world.fault.at
                pytest.fail(f"{how}, {at}: {error!r}\n{trace}\n{world.said}")


@pytest.mark.parametrize("name", SCENES)
def test_where_nothing_goes_wrong_it_ends_as_it_should(name: str) -> None:
    steps, questions = calls(name)
    print(steps, questions)
