"""A program on a machine, brought there by any quadrant."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.lib import lock

from tests.conftest import Answers, Bake
from tests.soak import SOAK, dice
from tests.support import commit, run

from . import bundles, programs
from .controller import ADDRESS, TO, Controller, index, repository
from .fleet import fleet
from .machine import Machine, Result, machine
from .releases import NAME, Releases, Versions
from .service import install

QUADRANTS = ("offline-binary", "offline-source", "online-source")
FRAMEWORKS = ("django", "fastapi", "flask")
"""The programs that try all quadrants, in `nox -s soak` each of them every one."""
PYTHON = "3.11"
"""The Python of the hosts that make an environment themselves."""


@dataclass(frozen=True)
class Place:
    """A machine, and how a release gets onto it."""

    machine: Machine
    install: Callable[[str], object]
    """Installs a release, by its name in the versions, or upgrades to it."""


def tried(program: str) -> list[str]:
    """Return the quadrants that a framework's program tries; together they try all of them."""
    if SOAK:
        return [*QUADRANTS]
    shuffled = dice("quadrants of the frameworks").sample(QUADRANTS, len(QUADRANTS))
    return [shuffled[FRAMEWORKS.index(program)]]


def project(bake: Bake, program: str, python: str = "") -> Path:
    """Return a bake that has become the project of a program, committed."""
    answers: Answers = {"project": NAME}
    if python:
        answers["python_version"] = python
    made = bake(**answers)
    programs.overlay(made, program)
    commit(made)
    return made


def releases(bake: Bake, program: str, folder: Path, versions: Versions) -> Releases:
    """Return the releases of a program, for the offline quadrants."""
    return Releases(project(bake, program), folder / "releases", versions)


@contextmanager
def place(quadrant: str, bake: Bake, program: str, made: Releases, folder: Path) -> Iterator[Place]:
    """Yield a machine for a quadrant; the offline ones install the releases `made`."""
    if quadrant == "online-source":
        with online(project(bake, program, PYTHON), made.versions, folder) as prepared:
            yield prepared
    else:
        with offline(quadrant, made, folder) as prepared:
            yield prepared


@contextmanager
def offline(quadrant: str, releases: Releases, folder: Path) -> Iterator[Place]:
    """Yield a machine without a network, on which a package or a bundle is installed."""
    by = {"offline-binary": install, "offline-source": bundles.install}[quadrant]
    with machine("systemd", folder / "m") as made:
        yield Place(made, lambda which: by(made, releases[which]))


@contextmanager
def online(source: Path, versions: Versions, folder: Path) -> Iterator[Place]:
    """Yield a host that gets a project's source by Git, and its packages from an index."""
    with controlled(source, versions, folder) as controller:
        [host] = controller.hosts.hosts.values()
        yield Place(host, lambda which: deploy(controller, which))


@contextmanager
def controlled(source: Path, versions: Versions, folder: Path) -> Iterator[Controller]:
    """Yield a committed project that deploys its source to one host."""
    with fleet(1, folder / "f") as hosts, repository(folder) as served:
        listing = folder / "requirements.txt"
        listing.write_text(lock.requirements(source / "Pipfile.lock", ["packages"]))
        with index(folder, listing) as address:
            [host] = hosts.hosts.values()
            host.put(Path(sys.executable).with_name("uv"), "/usr/local/bin")
            controller = Controller(source, hosts, quadrant="online-source")
            controller.releases = Releases(source, folder, versions)
            controller.variables = {
                "deploy_python": f"/usr/bin/python{PYTHON}",
                "deploy_environment": {"UV_DEFAULT_INDEX": address},
            }
            controller.write_inventory()
            controller.prepare()
            run(["git", "init", "--quiet", "--bare", served / NAME], cwd=served)
            remote = ("git", "remote")
            run([*remote, "add", "origin", f"git://{ADDRESS}/{NAME}"], cwd=source)
            run([*remote, "set-url", "--push", "origin", str(served / NAME)], cwd=source)
            yield controller


def deploy(controller: Controller, which: str, code: int = 0) -> Result:
    """Deploy a release of a project's versions, and expect exit code `code`."""
    controller.become(which)
    push = ["git", "push", "--quiet", "--force", "origin", "HEAD:refs/heads/main"]
    run(push, cwd=controller.folder)
    return controller.invoke("deploy.online-source", *TO, code=code)
