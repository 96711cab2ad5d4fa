"""Damaged bundles: each is refused with one line that names what is wrong, and nothing changes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from . import bundles
from .bundles import assert_untouched, flip, rewrite, script, twin
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
    """Flip a bit of the first file that fits, and return how that is named."""

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
        return f"not of the bundle: {(folder / name).relative_to(bundle)}"

    return damage


def linked(target: str) -> Callable[[Path], str]:
    """Put a link in the place of a file; the link leads to the very same content."""

    def damage(bundle: Path) -> str:
        file = one(bundle, "PyPI/h11-*.whl")
        file.rename(bundle.parent / file.name)
        file.symlink_to(target.format(name=file.name))
        return f"neither file nor folder: PyPI/{file.name}"

    return damage


def slipped_in_above(bundle: Path) -> str:
    (bundle / "evil").write_text("")
    return "not of the bundle: evil"


def special(bundle: Path) -> str:
    os.mkfifo(bundle / "Script" / "pipe")
    return "neither file nor folder: Script/pipe"


def garbled(bundle: Path) -> str:
    """Put something else in the place of a checksum."""
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


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_bundle(what: str, machine: Machine, bundle: str) -> None:
    inside, here = twin(machine, bundle, "damaged")
    named = DAMAGES[what](here)
    for name in ("verify", "install", "run"):
        said = machine.sh(script(inside, name), check=False)
        assert said.returncode == 1, (name, said)
        assert any(line.startswith(named) for line in said.stderr.splitlines()), (name, said)
        assert f"{inside} is not whole, nothing was done" in error(said)
    assert not machine.path(f"/root/.cache/{NAME}.bundle").exists()
    assert_untouched(machine, "0.1.0")


def test_every_file_that_is_wrong_is_named(machine: Machine, bundle: str) -> None:
    inside, here = twin(machine, bundle, "damaged")
    named = {DAMAGES[what](here) for what in ("a wheel", "no script", "a module", "a pipe")}
    said = machine.sh(script(inside, "verify"), check=False)
    assert set(said.stderr.splitlines()[:-1]) == named


def test_a_whole_bundle_is_whole(machine: Machine, bundle: str) -> None:
    said = machine.sh(script(bundle, "verify"))
    assert f"{bundle} is whole: " in said.stdout
    assert said.stderr == ""


def run_file(machine: Machine, content: bytes) -> Result:
    """Try to install from a file that unpacks itself."""
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


@pytest.mark.parametrize("length", [200, 1500, 2900])
def test_a_single_file_that_was_cut_within_its_script(
    length: int, machine: Machine, releases: Releases
) -> None:
    said = run_file(machine, releases["new"].run.read_bytes()[:length])
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
