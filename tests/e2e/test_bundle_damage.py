"""Damaged bundles: each is refused with the name of what is wrong, and nothing changes.

`verify` and `run` name every file, and `install` one and how many more there are.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak import some

from . import bundles
from .bundles import assert_untouched, flip, rewrite, script, temporary, twin
from .conftest import NewMachine
from .machine import Machine, Result
from .releases import NAME, Releases
from .service import error


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine, releases: Releases) -> Machine:
    """Return a machine on which the old release serves."""
    machine = new_machine("systemd")
    bundles.install(machine, releases["old"])
    return machine


@pytest.fixture(scope="module")
def bundle(machine: Machine, releases: Releases) -> str:
    """Return the new release's bundle, whole."""
    return bundles.unpack(machine, releases["new"])


def one(bundle: Path, pattern: str) -> Path:
    return next(path for path in sorted(bundle.glob(pattern)) if path.is_file())


def flipped(pattern: str, at: float = 0.5) -> Callable[[Path], str]:
    """Return a function that flips a bit of the first matching file, and returns its message."""

    def damage(bundle: Path) -> str:
        file = one(bundle, pattern)
        flip(file, at)
        return f"changed: {file.relative_to(bundle)}"

    return damage


def lost(pattern: str) -> Callable[[Path], str]:
    def damage(bundle: Path) -> str:
        file = one(bundle, pattern)
        file.unlink()
        return f"missing: {file.relative_to(bundle)}"

    return damage


def slipped_in(name: str, beside: str) -> Callable[[Path], str]:
    def damage(bundle: Path) -> str:
        folder = one(bundle, beside).parent
        (folder / name).write_text("import os\n")
        return f"not listed in SHA256SUMS: {(folder / name).relative_to(bundle)}"

    return damage


def linked(target: str) -> Callable[[Path], str]:
    """Return a function that replaces a wheel by a link to the same content."""

    def damage(bundle: Path) -> str:
        file = one(bundle, "PyPI/h11-*.whl")
        file.rename(bundle.parent / file.name)
        file.symlink_to(target.format(name=file.name))
        return f"neither a file nor a folder: PyPI/{file.name}"

    return damage


def slipped_in_above(bundle: Path) -> str:
    (bundle / "evil").write_text("")
    return "not listed in SHA256SUMS: evil"


def special(bundle: Path) -> str:
    os.mkfifo(bundle / "Script" / "pipe")
    return "neither a file nor a folder: Script/pipe"


def garbled(bundle: Path) -> str:
    """Damage a checksum, so that its line is not one any more."""
    sums = bundle / "Script" / "SHA256SUMS"
    content = sums.read_bytes()
    rewrite(sums, b"#" + content[1:])
    return "not a checksum: #"


def emptied(bundle: Path) -> str:
    rewrite(bundle / "Script" / "SHA256SUMS", b"")
    return "missing: Script/SHA256SUMS"


DAMAGES: dict[str, Callable[[Path], str]] = {
    "a wheel": flipped("PyPI/*.whl"),
    "the bytecode of the wheels": flipped("PyPI/bytecode.zip.xz"),
    "the bytecode of the project": flipped("Script/program.zip.xz"),
    "the requirements": flipped("PyPI/requirements.txt"),
    "the interpreter": flipped("Python*/bin/python3.*"),
    "its standard library": flipped("Python*/lib/python3*/os.py"),
    "its bytecode": flipped("Python*/lib/python3*/__pycache__/*.pyc"),
    "its launcher": flipped("Python*/bin/python3", at=0.02),
    "what installs wheels": flipped("Script/installer.zip"),
    "a script": flipped("Script/make_release.py"),
    "the script that runs": flipped("Script/engine.py", at=0.03),
    "a script of the release": flipped("Script/release/host/release.json"),
    "the checksums of the release": flipped("Script/release/SHA256SUMS"),
    "the source": flipped("ProjectSrc/src/*/app.py"),
    "no wheel": lost("PyPI/click-*.whl"),
    "no interpreter": lost("Python*/bin/python3.*"),
    "no script": lost("Script/uninstall.sh"),
    "no manifest": lost("Script/release/manifest.json"),
    "no checksums": lost("Script/SHA256SUMS"),
    "empty checksums": emptied,
    "garbled checksums": garbled,
    "a module": slipped_in("sitecustomize.py", beside="Python*/lib/python3*/os.py"),
    "a wheel more": slipped_in("evil-1.0-py3-none-any.whl", beside="PyPI/*.whl"),
    "a hidden file": slipped_in(".evil", beside="Script/install.sh"),
    "a file with an odd name": slipped_in("a  b \\ ü", beside="PyPI/*.whl"),
    "a file beside the folders": slipped_in_above,
    "a link inside": linked("../../{name}"),
    "a link outside": linked("/srv/{name}"),
    "a pipe": special,
}


def assert_refused(machine: Machine, name: str, inside: str, wrong: str) -> None:
    """Check that a script of a bundle refuses, and names the file that is wrong."""
    said = machine.sh(script(inside, name), check=False)
    assert said.returncode == 1, said
    *named, last = said.stderr.splitlines()
    assert error(said) == last
    assert last.startswith(f"error: {inside} is not whole"), said
    if last.endswith(": its files that are wrong are named above"):
        assert any(line.startswith(wrong) for line in named), said
    else:
        assert name == "install"
        kind, _, path = " ".join(wrong.split()).partition(": ")
        ways = (f": {wrong}", f": {path} is {kind}", f": the name '{path}' has a")
        assert any(way in last for way in ways), said
        assert named == []


def test_damaged_bundles_where_a_release_serves(machine: Machine, bundle: str) -> None:
    for what in some([*DAMAGES], 9, "damaged bundles"):
        inside, here = twin(machine, bundle, "damaged")
        named = DAMAGES[what](here)
        for name in ("verify", "install", "run"):
            print(f"{name}: {what}")
            assert_refused(machine, name, inside, named)
        assert not machine.path(f"/root/.cache/{NAME}.bundle").exists()
        assert_untouched(machine, "0.1.0")


def test_damaged_bundles_where_nothing_is_installed(
    new_machine: NewMachine, releases: Releases
) -> None:
    """The bundle's own engine refuses it, although that engine itself may be damaged."""
    machine = new_machine("plain")
    bundle = bundles.unpack(machine, releases["new"])
    for what in some([*DAMAGES], 9, "damaged bundles, the first installation"):
        inside, here = twin(machine, bundle, "damaged")
        named = DAMAGES[what](here)
        for name in ("verify", "install"):
            print(f"{name}: {what}")
            assert_refused(machine, name, inside, named)
        assert machine.run("find", "/opt", "/etc", "-name", f"*{NAME}*").stdout == ""
        assert temporary(machine) == set()


def test_every_file_that_is_wrong_is_named(machine: Machine, bundle: str) -> None:
    inside, here = twin(machine, bundle, "damaged")
    named = {DAMAGES[what](here) for what in ("a wheel", "no script", "a module", "a pipe")}
    said = machine.sh(script(inside, "verify"), check=False)
    assert set(said.stderr.splitlines()[:-1]) == named
    (here / "Script/pipe").unlink()  # a pipe is refused before the files are compared
    said = machine.sh(script(inside, "install"), check=False)
    assert error(said).endswith("is not whole, nothing was installed: "
                                "missing: Script/uninstall.sh and 2 more")  # fmt: skip
    assert_untouched(machine, "0.1.0")


def test_a_whole_bundle_is_whole(machine: Machine, bundle: str) -> None:
    said = machine.sh(script(bundle, "verify"))
    assert f"{bundle} is whole: " in said.stdout
    assert said.stderr == ""


def run_file(machine: Machine, content: bytes) -> Result:
    """Try to install from a self-extracting file."""
    rewrite(machine.path("/root/damaged.run"), content)
    return machine.run("sh", "/root/damaged.run", check=False)


@pytest.mark.parametrize("part", [0.3, 0.9999])
def test_a_single_file_that_was_cut(part: float, machine: Machine, releases: Releases) -> None:
    content = releases["new"].run.read_bytes()
    said = run_file(machine, content[: int(len(content) * part)])
    assert said.returncode == 1
    assert error(said) == (
        "error: /root/damaged.run is damaged or was not copied to its end: copy it again"
    )
    assert_untouched(machine, "0.1.0")


@pytest.mark.parametrize("part", [0.1, 0.6, 0.999])
def test_a_single_file_that_was_cut_within_its_script(
    part: float, machine: Machine, releases: Releases
) -> None:
    content = releases["new"].run.read_bytes()
    length = content.index(b"\nexit\n}\n")
    said = run_file(machine, content[: int(length * part)])
    assert said.returncode != 0
    assert said.stderr.startswith("/root/damaged.run: ")  # the shell's own words
    assert len(said.stderr.splitlines()) == 1
    assert_untouched(machine, "0.1.0")


@pytest.mark.parametrize("change", ["flipped", "longer"])
def test_a_single_file_that_was_changed(change: str, machine: Machine, releases: Releases) -> None:
    content = bytearray(releases["new"].run.read_bytes())
    if change == "flipped":
        content[len(content) // 2] ^= 1
    else:
        content += b"\n"
    said = run_file(machine, bytes(content))
    assert said.returncode == 1
    assert "is damaged or was not copied to its end" in error(said)
    assert_untouched(machine, "0.1.0")


def test_an_archive_that_was_cut(machine: Machine, releases: Releases) -> None:
    content = releases["new"].tar.read_bytes()
    for part in (0.5, 0.9995):
        rewrite(machine.path("/root/cut.tar.gz"), content[: int(len(content) * part)])
        machine.sh("rm -rf /srv/cut; mkdir /srv/cut")
        unpacking = machine.run("tar", "-xzf", "/root/cut.tar.gz", "-C", "/srv/cut", check=False)
        assert unpacking.returncode != 0
        said = machine.sh(script(f"/srv/cut/{NAME}", "install"), check=False)
        assert said.returncode != 0
    assert_untouched(machine, "0.1.0")
