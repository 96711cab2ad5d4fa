"""Installations with a command to run on them, and the state before and after it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from host import activate
from host.activate import Request
from host.installation import Installation

from tests.engine import programs
from tests.engine.programs import BAD_SETTING, Kind
from tests.engine.systemd import HOOK_LIMIT
from tests.engine.world import NAME, World

Settings = Mapping[str, bytes]
OLD: Settings = {"demo.env": b"PORT=1\n", "secrets.env": b"KEY=1\n"}
NEW: Settings = {"demo.env": b"PORT=2\n", "secrets.env": b"KEY=2\n"}
BAD: Settings = {"demo.env": BAD_SETTING, "secrets.env": b"KEY=3\n"}
SOCKET = "[Socket]\nListenStream=127.0.0.1:8000\n"
SERVICE = "[Service]\nEnvironment=MARK={}\nExecStart=/opt/demo/current/bin/demo serve\n" + "".join(
    f"EnvironmentFile=-/etc/demo/{name}\n" for name in OLD
)
TRIAL, HEALTH = 10, 5


@dataclass(frozen=True)
class Scene:
    """A machine, a command to run on it, and the states that this may lead to."""

    world: World
    command: Callable[[Installation], None]
    old: tuple[str, Settings]
    new: tuple[str, Settings]
    works: bool = True
    """Whether the new release serves in the end, where nothing goes wrong."""
    is_told: bool = True
    """Whether the command reports success."""


def add_release(
    world: World, name: str, kind: Kind | None = None, *, overlap: bool = True, socket: str = SOCKET
) -> None:
    """Put a whole release where `staging` would, durably."""
    facts = {
        "name": NAME, "version": name, "release": f"{name}-id", "rank": name, "user": NAME,
        "size_kb": 1, "machine": "x86_64", "glibc": "none", "keep_releases": 2,
        "health_seconds": HEALTH, "trial_seconds": TRIAL, "overlap": overlap, "kind": world.kind,
        "before_switch_seconds": HOOK_LIMIT if kind and kind.hook else 0,
    }  # fmt: skip
    files = {
        "SHA256SUMS": b"x",
        "host/release.json": json.dumps(facts).encode(),
        f"host/{NAME}.service": SERVICE.format(name).encode(),
    }
    if world.kind == "service":
        files[f"host/{NAME}.socket"] = socket.encode()
    tree = f"/opt/demo/releases/{name}"
    for nodes in (world.disk.tree, world.disk.durable):
        nodes[tree] = nodes[f"{tree}/host"] = ("dir", b"")
        nodes.update({f"{tree}/{file}": ("file", content) for file, content in files.items()})
    world.programs.kinds[name] = kind or Kind()


def machine(*, systemd: bool = True, kind: str = "service") -> World:
    """Return a machine on which nothing is installed but the settings."""
    world = World(kind)
    world.systemd.is_here = systemd
    folders = ["/opt/demo", "/opt/demo/releases", "/etc/demo", "/etc/systemd/system"]
    for nodes in (world.disk.tree, world.disk.durable):
        nodes.update(dict.fromkeys(folders, ("dir", b"")))
        nodes.update({f"/etc/demo/{name}": ("file", content) for name, content in OLD.items()})
    return world


def to(release: str, settings: Settings | None = None) -> Callable[[Installation], None]:
    request = Request(settings=settings or {})
    return lambda this: activate.installed(this, release, request)


def back(this: Installation) -> None:
    activate.rollback(this, "")


def do(world: World, command: Callable[[Installation], None], seconds: float = TRIAL + 5) -> None:
    """Run a command that must succeed, and let its trial pass."""
    ended = world.run(command)
    assert ended is None, ended
    world.wait(seconds)


@cache
def _installed(
    *, systemd: bool = True, releases: tuple[str, ...] = ("A",), kind: str = "service"
) -> World:
    world = machine(systemd=systemd, kind=kind)
    for name in releases:
        add_release(world, name)
        do(world, to(name))
    return world


def installed(*releases: str, systemd: bool = True, kind: str = "service") -> World:
    """Return a machine on which releases were installed, one after the other."""
    return _installed(systemd=systemd, releases=releases or ("A",), kind=kind).copy()


def upgrade(  # noqa: PLR0913 (scenes differ in many ways)
    kind: Kind | None = None, *, works: bool = True, is_told: bool | None = None,
    systemd: bool = True, settings: Settings | None = None, overlap: bool = True,
    socket: str = SOCKET,
) -> Scene:  # fmt: skip
    world = installed(systemd=systemd)
    add_release(world, "B", kind, overlap=overlap, socket=socket)
    told = works if is_told is None else is_told
    return Scene(world, to("B", settings), ("A", OLD), ("B", settings or OLD), works, told)


def alone(kind: str) -> Scene:
    return upgrade(Kind(kind), works=False, overlap=False, settings=NEW)


def worker(
    kind: Kind | None = None, *, works: bool = True, is_told: bool | None = None,
    overlap: bool = True, old_overlaps: bool = True,
) -> Scene:  # fmt: skip
    world = installed(kind="worker")
    add_release(world, "A", overlap=old_overlaps)
    add_release(world, "B", kind, overlap=overlap)
    world.is_alone = not (overlap and old_overlaps)
    told = works if is_told is None else is_told
    return Scene(world, to("B", NEW), ("A", OLD), ("B", NEW), works, told)


def first_worker(kind: Kind | None = None, *, works: bool = True) -> Scene:
    world = machine(kind="worker")
    add_release(world, "A", kind)
    return Scene(world, to("A", NEW), ("", OLD), ("A", NEW), works, works)


def new_settings(settings: Settings, *, works: bool) -> Scene:
    return Scene(installed(), to("A", settings), ("A", OLD), ("A", settings), works, works)


def first(kind: Kind | None = None, *, works: bool = True, systemd: bool = True) -> Scene:
    world = machine(systemd=systemd)
    add_release(world, "A", kind)
    return Scene(world, to("A", NEW), ("", OLD), ("A", NEW), works, works)


def during_trial() -> Scene:
    world = installed()
    add_release(world, "B")
    do(world, to("B", NEW), 3)
    add_release(world, "C")
    return Scene(world, to("C"), ("B", NEW), ("C", NEW))


OTHER = SOCKET.replace("8000", "8001")
SCENES: Mapping[str, Callable[[], Scene]] = {
    "upgrade": upgrade,
    "upgrade with settings": lambda: upgrade(settings=NEW),
    "upgrade with another socket": lambda: upgrade(socket=OTHER),
    "upgrade without overlap": lambda: upgrade(overlap=False),
    "upgrade without overlap with settings": lambda: upgrade(overlap=False, settings=NEW),
    "upgrade without systemd": lambda: upgrade(systemd=False, settings=NEW),
    "upgrade during a trial": during_trial,
    "rollback": lambda: Scene(installed("A", "B"), back, ("B", OLD), ("A", OLD)),
    "settings": lambda: new_settings(NEW, works=True),
    "bad settings": lambda: new_settings(BAD, works=False),
    "upgrade with bad settings": lambda: upgrade(works=False, settings=BAD),
    "first": first,
    "first without systemd": lambda: first(systemd=False),
    "first exits": lambda: first(Kind(programs.EXITS), works=False),
    "upgrade exits": lambda: upgrade(Kind(programs.EXITS), works=False),
    "upgrade hangs": lambda: upgrade(Kind(programs.HANGS), works=False),
    "upgrade wrong": lambda: upgrade(Kind(programs.WRONG), works=False),
    "upgrade deaf": lambda: upgrade(Kind(programs.DEAF), works=False),
    "upgrade without overlap exits": lambda: alone(programs.EXITS),
    "upgrade without overlap hangs": lambda: alone(programs.HANGS),
    "upgrade without overlap wrong": lambda: alone(programs.WRONG),
    "upgrade with another socket exits":
        lambda: upgrade(Kind(programs.EXITS), works=False, socket=OTHER),
    "upgrade with a hook": lambda: upgrade(Kind(hook=programs.GOOD), settings=NEW),
    "upgrade with a hook without overlap":
        lambda: upgrade(Kind(hook=programs.GOOD), overlap=False),
    "upgrade with a hook that exits": lambda: upgrade(Kind(hook=programs.EXITS), works=False),
    "upgrade with a hook that hangs": lambda: upgrade(Kind(hook=programs.HANGS), works=False),
    "upgrade with a hook that exits without overlap":
        lambda: upgrade(Kind(hook=programs.EXITS), works=False, overlap=False, settings=NEW),
    "upgrade does not run": lambda: upgrade(Kind(runs=False), works=False),
    "upgrade crashes later":
        lambda: upgrade(Kind(later=programs.CRASHES, after=4), works=False, is_told=True,
                        settings=NEW),
    "upgrade with another socket crashes later":
        lambda: upgrade(Kind(later=programs.CRASHES, after=4), works=False, is_told=True,
                        socket=OTHER),
    "upgrade sickens later":
        lambda: upgrade(Kind(later=programs.SICKENS, after=4), works=False, is_told=True,
                        settings=NEW),
    "worker": worker,
    "worker first": first_worker,
    "worker first raises": lambda: first_worker(Kind(programs.RAISES), works=False),
    "worker first mute": lambda: first_worker(Kind(programs.MUTE), works=False),
    "worker without overlap": lambda: worker(overlap=False),
    "worker whose old one is without overlap": lambda: worker(old_overlaps=False),
    "worker raises": lambda: worker(Kind(programs.RAISES), works=False),
    "worker mute": lambda: worker(Kind(programs.MUTE), works=False),
    "worker without overlap raises":
        lambda: worker(Kind(programs.RAISES), works=False, overlap=False),
    "worker without overlap mute":
        lambda: worker(Kind(programs.MUTE), works=False, overlap=False),
    "worker sickens later":
        lambda: worker(Kind(later=programs.SICKENS, after=4), works=False, is_told=True),
}  # fmt: skip
"""The scenes by what they do."""
