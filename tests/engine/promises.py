"""What must hold, whatever goes wrong."""

from functools import lru_cache
from pathlib import Path

from host.disk import Disk
from host.state import Change, States

from tests.engine.fault import CUT, KILL, Fault
from tests.engine.scenes import OLD, Scene, Settings
from tests.engine.world import World

_RUNS = {"active", "activating"}
_CURRENT = "/opt/demo/current"


def at_every_step(world: World) -> None:
    """Check that `current` names a whole release, also after a power cut, and nothing is gone."""
    for tree in (world.disk.tree, world.disk.durable):
        link = tree.get(_CURRENT)
        if link:
            assert f"/opt/demo/{link[1].decode()}/SHA256SUMS" in tree, "current names nothing whole"
    systemd = world.systemd
    runs = [unit for unit in (systemd.service, systemd.next) if unit.state in _RUNS]
    assert not world.is_alone or len(runs) < 2, "two run at once"
    for change in _changes(world):
        for name in filter(None, (change.old, change.new)):
            sums = f"/opt/demo/releases/{name}/SHA256SUMS"
            assert sums in world.disk.tree, f"{name} is needed and gone"


def _changes(world: World) -> list[Change]:
    node = world.disk.tree.get("/opt/demo/.engine/state.json")
    return _read_changes(node[1] if node else b"{}")


class _One(Disk):
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, path: Path) -> bytes | None:
        return self._content


@lru_cache
def _read_changes(content: bytes) -> list[Change]:
    state = States(Path(), _One(content)).load()
    found = [state.switch, state.trial.change if state.trial else None]
    return [change for change in found if change]


def is_under_way(world: World) -> bool:
    return bool(_changes(world))


def settings_in_force(world: World) -> dict[str, bytes]:
    found = {name: world.disk.tree.get(f"/etc/demo/{name}") for name in OLD}
    return {name: node[1] for name, node in found.items() if node}


def serving(world: World) -> tuple[str, Settings]:
    """Return which release serves with which settings; check that it is the only one."""
    this, systemd = world.this, world.systemd
    if not systemd.is_here:
        return this.active, settings_in_force(world)
    service = systemd.service
    assert systemd.next.state in {"inactive", "failed"}, "NEXT still runs"
    assert service.is_ready, f"the service is {service.state}"
    assert not service.is_sick, f"{service.release} is sick"
    assert systemd.socket.is_ready == bool(this.units.socket)
    assert service.release == this.active, "another release runs than current names"
    assert service.settings == settings_in_force(world), "it runs with other settings"
    assert not systemd.answered_by_broken, "a broken release was let to callers"
    return service.release, service.settings


def in_the_end(world: World, scene: Scene) -> tuple[str, Settings]:
    """Check that the old or the new one serves with its own settings, and nothing is left to do."""
    at_every_step(world)
    kind = world.fault.kind
    world.fault = Fault()
    found = serving(world)
    assert found in (scene.old, scene.new), f"there is something else: {found}"
    this = world.this
    trial = this.states.load().trial
    # Where the guard was killed after a reboot, the next run ends the old trial.
    if not trial or trial.boot == this.clock.boot():
        assert not _changes(world), "a switch or a trial is still under way"
    way_back = [name for name in this.states.load().before if name != this.active]
    assert all(this.has(name) for name in way_back[:1]), "the way back is gone"
    if world.systemd.is_here:
        assert not world.systemd.trial.is_ready, "the watch still runs"
        assert world.systemd.service.text is not None
        text = world.systemd.service.text.decode()
        # Where the disk refused to be written, another release's unit is accepted.
        if kind in {"", KILL, CUT}:
            assert f"MARK={this.active}\n" in text, "it runs with another release's unit"
    return found
