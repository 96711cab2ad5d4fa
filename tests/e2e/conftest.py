"""What the end-to-end tests share: the releases, and machines to install them on."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.bases import Bases
from tests.conftest import Bake
from tests.support import missing

from .fleet import Fleet, fleet
from .machine import TOOLS, Machine, machine
from .releases import NAME, Releases, exclusive

collect_ignore_glob = ["programs/*/*"]  # their tests go into projects
NewMachine = Callable[[str], Machine]


@pytest.fixture(scope="session", autouse=True)
def host() -> None:
    """Skip everything where machines cannot be made."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        missing("root on Linux")
    for tool in TOOLS:
        if shutil.which(tool) is None:
            missing(f"the command {tool} (tests/install-packages.sh)")


@pytest.fixture(scope="session")
def bake(bake: Bake) -> Bake:
    """Return the function that makes projects; here all of them are lent bases."""
    return partial(bake, warm=True)


@pytest.fixture(scope="session")
def releases(bake: Bake, bases: Bases, run_folder: Path) -> Releases:
    """Return the releases, built from one bake; parallel test processes share them."""
    project = run_folder / "project" / NAME
    with exclusive(run_folder / "releases.lock"):
        if not project.exists():
            project.parent.mkdir()
            bake(git=True, project=NAME).rename(project)
    return Releases(project, run_folder / "releases", bases=bases)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the keys `ours` and `theirs`."""
    if shutil.which("ssh-keygen") is None:
        missing("the command ssh-keygen (tests/install-packages.sh)")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name]
        subprocess.run(make, check=True)
    return folder


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Return three hosts over SSH."""
    with fleet(3, tmp_path_factory.mktemp("fleet") / "f") as made:
        yield made


@pytest.fixture(scope="module")
def new_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewMachine]:
    """Return a function that makes machines; they stop at the module's end."""
    with ExitStack() as machines:

        def make(kind: str) -> Machine:
            folder: Path = tmp_path_factory.mktemp("machine") / "m"
            return machines.enter_context(machine(kind, folder))

        yield make
