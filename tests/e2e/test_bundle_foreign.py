"""Bundles with a standalone interpreter: for another architecture, emulated, and for this one."""

import json
import os
import shutil
import socket
import struct
import subprocess
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tasks.deploy.build import publish

from tests.conftest import Bake
from tests.support import contents, missing

from . import bundles
from .conftest import NewMachine
from .machine import pristine
from .releases import NAME, Releases, invoke
from .service import active, error, put
from .standalone import Mirror
from .test_bundle_heavy import LOCK

EMULATOR = "qemu-aarch64-static"
VERSION = "3.13.5"
"""The version of the arm64 Python, which is Debian's."""
AARCH64 = 183  # e_machine, elf(5)
# Debian's own `site` module, which is frozen into its Python, knows no site-packages.
RUN = (
    "import sys; sys.path.append({site!r}); sys.argv = ['x', 'serve', '--port', '{port}']\n"
    "from my_service.cli import main; main()"
)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    """Return a mirror with a Python for aarch64."""
    if shutil.which(EMULATOR) is None:
        missing(f"the command {EMULATOR} (tests/install-packages.sh)")
    work = tmp_path_factory.mktemp("standalone")
    root = pristine("arm64")
    shutil.copytree(root / "usr/lib/python3.13", work / "lib", symlinks=True)
    for name in ("sitecustomize.py", "EXTERNALLY-MANAGED"):
        (work / "lib" / name).unlink(missing_ok=True)
    made = Mirror(work / "mirror")
    made.add(VERSION, "aarch64", root / "usr/bin/python3.13", work / "lib")
    return made


@pytest.fixture(scope="module")
def project(bake: Bake) -> Path:
    return bake(git=True, project=NAME, python_version="3.13")


@pytest.fixture(scope="module")
def bundle(project: Path, mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bundle for aarch64, unpacked."""
    invoke(project, "deploy.offline-source", "--platform", "linux-aarch64",
           settings=mirror.settings)  # fmt: skip
    folder = tmp_path_factory.mktemp("foreign")
    (packed,) = (project / "dist/offline-source").glob("*-linux-aarch64.tar.gz")
    subprocess.run(["tar", "-xzf", packed, "-C", folder], check=True)
    return folder / NAME


@pytest.fixture(scope="module")
def tree(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tree that the bundle's own interpreter makes, in the emulator."""
    made = tmp_path_factory.mktemp("tree") / "tree"
    making: list[str | Path] = ["-I", "-S", "-B", bundle / "Script/make_release.py"]
    done = emulated(bundle / "Python3.13", *making, bundle, made)
    assert done.wait(120) == 0
    return made


def emulated(home: Path, *arguments: str | Path) -> subprocess.Popen[bytes]:
    python = home / "bin/python3.13"
    return subprocess.Popen([EMULATOR, "-L", pristine("arm64"), python, *arguments])


def machines(files: Iterator[tuple[str, bytes]]) -> dict[str, int]:
    """Return the machine that each ELF file is for."""
    elf = {name: head for name, head in files if head.startswith(b"\x7fELF")}
    return {name: struct.unpack_from("<H", head, 18)[0] for name, head in elf.items()}


def heads(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                yield str(path), file.read(20)
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                for name in wheel.namelist():
                    yield name, wheel.read(name)[:20]


def test_all_that_is_code_is_for_the_other_architecture(bundle: Path, tree: Path) -> None:
    for folder in (bundle, tree):
        found = machines(heads(folder))
        assert len(found) > 20
        assert set(found.values()) == {AARCH64}, found
    facts = publish.read_manifest(bundle / "Script/release")
    assert (facts["platform"], facts["python"]) == ("linux-aarch64", VERSION)
    assert facts["interpreter"] == "python-build-standalone"
    known = json.loads((bundle / "Script/release/host/release.json").read_text())
    assert known["machine"] == "aarch64"


def test_the_target_makes_of_it_what_the_build_expects(tree: Path) -> None:
    # Also bytecode, which this machine's Python has compiled and the target does not.
    assert artifact_faults(tree) == []


def artifact_faults(tree: Path) -> list[str]:
    lines = (tree / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = {
        path.relative_to(tree).as_posix(): publish.sha256(path)
        for path in tree.rglob("*")
        if path.is_file() and path != tree / "SHA256SUMS"
    }
    return sorted(name for name, _ in listed.items() ^ found.items())


def test_it_serves_there(tree: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    site = str(tree / "python/lib/python3.13/site-packages")
    service = emulated(tree / "python", "-I", "-B", "-c", RUN.format(site=site, port=port))
    try:
        answered = ask(service, port)
    finally:
        service.terminate()
        service.wait(30)
    assert answered["release"] == publish.read_manifest(tree)["release"]


def ask(service: subprocess.Popen[bytes], port: int) -> dict[str, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + 60
    while True:
        try:
            with opener.open(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
                return dict(json.load(answer))
        except OSError:
            assert service.poll() is None
            assert time.monotonic() < end
            time.sleep(0.2)


def test_it_is_refused_here(bundle: Path, releases: Releases, new_machine: NewMachine) -> None:
    machine, here = new_machine("plain"), os.uname().machine
    inside = machine.put(bundle, "/srv")
    for name in ("install", "verify", "run"):
        said = machine.sh(bundles.script(inside, name), check=False)
        assert said.returncode == 1
        line = f"the Python in {inside} does not run here: it was built for aarch64, and this is "
        assert error(said).startswith(f"error: {line}{here}, glibc ")
    assert machine.run("find", "/opt", "/etc", "-name", f"*{NAME}*").stdout == ""
    # An installed engine can check whether the bundle is whole.
    bundles.install(machine, releases["old"])
    said = machine.sh(bundles.script(inside, "install"), check=False)
    assert said.returncode == 1
    assert error(said) == f"error: this machine is {here}: the program was built for aarch64"
    assert active(machine) == "0.1.0"
    machine.sh(bundles.script(inside, "verify"))


def test_a_dependency_that_the_target_cannot_have_is_named(project: Path, mirror: Mirror) -> None:
    lock = project / "Pipfile.lock"
    before, published = lock.read_text(), contents(project / "dist")
    content = json.loads(before)
    content["default"]["docopt"] = json.loads(LOCK.read_text())["default"]["docopt"]
    lock.write_text(json.dumps(content))
    try:
        said = invoke(project, "deploy.offline-source", "--platform", "linux-aarch64",
                      settings=mirror.settings, code=1)  # fmt: skip
    finally:
        lock.write_text(before)
    wrong = [line for line in (said.stdout + said.stderr).splitlines() if "error" in line]
    assert wrong == [
        "error: docopt 0.6.2 cannot be bundled: there is no file of it for linux-aarch64"
    ]
    assert contents(project / "dist") == published


def test_an_interpreter_that_the_mirror_has_not_is_one_line(project: Path, mirror: Mirror) -> None:
    said = invoke(project, "deploy.offline-source", "--platform", "linux-ppc64le",
                  settings=mirror.settings, code=1)  # fmt: skip
    wrong = [line for line in (said.stdout + said.stderr).splitlines() if "rror" in line]
    (line,) = wrong
    assert line.startswith("error: no standalone Python 3.13 for linux-ppc64le can be had: uv ")
    assert line.endswith(": No download found for request: cpython-3.13-linux-powerpc64le-gnu")


def test_a_standalone_interpreter_for_this_machine(
    mirror: Mirror, project: Path, releases: Releases, new_machine: NewMachine, tmp_path: Path
) -> None:
    """Publish the interpreter of a local bundle as a standalone one, and bundle that."""
    subprocess.run(["tar", "-xzf", releases["old"].tar, "-C", tmp_path], check=True)
    home = tmp_path / NAME / "Python3.13"
    version = publish.read_manifest(tmp_path / NAME / "Script/release")["python"]
    program, library = home / "bin/python3.13", home / "lib/python3.13"
    mirror.add(version, os.uname().machine, program, library, *home.glob("lib/libpython*"))
    invoke(project, "deploy.offline-source", settings=mirror.settings)
    published = project / "dist/offline-source"
    assert publish.read_manifest(published)["interpreter"] == "python-build-standalone"
    (single,) = published.glob("*.run")
    for kind in ("plain", "old", "busybox"):
        machine = new_machine(kind)
        machine.run("sh", put(machine, single))
        with bundles.serving(machine, f"/opt/{NAME}/current/bin/{NAME}", "0.1.0", 8000):
            pass
