"""Bundles made to write where they must not: nothing changes outside of the installation."""

import base64
import hashlib
import io
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tasks.deploy.build import archive, publish

from . import bundles
from .bundles import assert_untouched, check_in, piece, rewrite, script, single, twin
from .conftest import NewMachine
from .machine import Machine
from .releases import NAME, Releases
from .service import error

EVIL = b"evil\n"
VICTIM = "/srv/outside/victim"


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine, releases: Releases) -> Machine:
    """Return a machine on which the old release serves, and busybox's tar."""
    machine = new_machine("systemd")
    bundles.install(machine, releases["old"])
    busybox = shutil.which("busybox")
    assert busybox is not None
    machine.put(Path(busybox), "/srv")
    machine.sh("mkdir /srv/tools; for tool in sh tar gzip mktemp sha256sum tail;"
               " do ln -s /srv/busybox /srv/tools/$tool; done")  # fmt: skip
    return machine


@pytest.fixture(scope="module")
def bundle(machine: Machine, releases: Releases) -> str:
    """Return the new release's bundle, whole."""
    return bundles.unpack(machine, releases["new"])


@pytest.fixture(autouse=True)
def nothing_outside(machine: Machine) -> Iterator[None]:
    """Check after each test what its evil file might have become."""
    machine.sh(f"rm -rf /srv/outside && mkdir /srv/outside && echo good >{VICTIM}")
    yield
    assert machine.path(VICTIM).read_bytes() == b"good\n"
    assert [path.name for path in machine.path("/srv/outside").iterdir()] == ["victim"]
    named = ("find", "/", "-xdev", "-name", "evil*", "-not", "-path", "/srv/twin/*")
    assert machine.run(*named, "-not", "-path", "/proc/*").stdout == ""
    assert_untouched(machine, "0.1.0")


def file(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


UP = "../../../../../../../.."
HARD = tarfile.LNKTYPE
# Each writes outside if tar unpacks it as it stands.
ARCHIVES = {
    "an absolute name": [file("/srv/outside/evil")],
    "a name that leads up": [file(f"{NAME}/{UP}/srv/outside/evil")],
    "a link, then a file through it": [
        link(f"{NAME}/there", "/srv/outside"), file(f"{NAME}/there/evil")],
    "a link that leads up": [
        link(f"{NAME}/there", f"{UP}/srv/outside"), file(f"{NAME}/there/evil")],
    "two links": [
        link(f"{NAME}/up", ".."), link(f"{NAME}/up/there", "/srv/outside"),
        file(f"{NAME}/up/there/evil")],
    "the bundle a link": [link(NAME, "/srv/outside"), file(f"{NAME}/evil")],
    "a link for a file": [link(f"{NAME}/file", VICTIM), file(f"{NAME}/file")],
    "a hard link for a file": [link(f"{NAME}/file", VICTIM, HARD), file(f"{NAME}/file")],
    "a hard link that leads up": [
        link(f"{NAME}/file", f"{UP}{VICTIM}", HARD), file(f"{NAME}/file")],
}  # fmt: skip


TARS = {"GNU's tar": "$PATH", "busybox's tar": "/srv/tools:$PATH"}


@pytest.mark.parametrize("tar", TARS)
@pytest.mark.parametrize("what", ARCHIVES)
def test_an_archive_that_leads_out(
    what: str, tar: str, machine: Machine, releases: Releases
) -> None:
    evil = piece(ARCHIVES[what], EVIL)
    run = f"PATH={TARS[tar]} sh /root/doctored.run"
    rewrite(machine.path("/root/doctored.run"), single(evil + archive.end()))
    assert machine.sh(run, check=False).returncode != 0
    # Here a whole bundle follows the evil members.
    rewrite(machine.path("/root/doctored.run"), single(evil + releases["new"].tar.read_bytes()))
    machine.sh(f"rm -rf /srv/twin && {run} --extract /srv/twin", check=False)
    outside = machine.sh("find /srv/twin -mindepth 1 -maxdepth 1", check=False).stdout.split()
    assert set(outside) <= {f"/srv/twin/{NAME}"}


def test_both_tars_unpack_what_is_good(machine: Machine, releases: Releases) -> None:
    for path in TARS.values():
        run = f"PATH={path} sh /root/good.run --extract /srv/twin"
        rewrite(machine.path("/root/good.run"), releases["new"].run.read_bytes())
        machine.sh(f"rm -rf /srv/twin && {run}")
        machine.sh(script(f"/srv/twin/{NAME}", "verify"))


LEADING_OUT = {
    "up": f"{UP}/srv/outside/evil.py",
    "absolute": "/srv/outside/evil.py",
    "by a detour": f"click/{UP}/srv/outside/evil.py",
    "as a script": f"h11-{{version}}.data/scripts/{UP}/srv/outside/evil",
    "as data": f"h11-{{version}}.data/data/{UP}/srv/outside/evil",
}


@pytest.mark.parametrize("where", LEADING_OUT)
def test_a_wheel_that_leads_out(where: str, machine: Machine, bundle: str) -> None:
    inside, here = twin(machine, bundle, "twin")
    name, version = doctor(here, {LEADING_OUT[where]: EVIL})
    said = machine.sh(script(inside, "install"), check=False)
    assert said.returncode == 1
    assert f"could not make the release: {name}=={version} cannot be installed" in error(said)


def test_a_wheel_whose_command_leads_out(machine: Machine, bundle: str) -> None:
    inside, here = twin(machine, bundle, "twin")
    points = f"[console_scripts]\n{UP}/srv/outside/evil = h11:x\n"
    doctor(here, {"h11-{version}.dist-info/entry_points.txt": points.encode()})
    said = machine.sh(script(inside, "install"), check=False)
    assert said.returncode == 1
    assert "could not make the release: h11==" in error(said)


def doctor(bundle: Path, files: dict[str, bytes]) -> tuple[str, str]:
    """Add files to a wheel, and correct every hash and checksum that covers it."""
    (wheel,) = (bundle / "PyPI").glob("h11-*.whl")
    name, version = wheel.name.split("-")[:2]
    before = publish.sha256(wheel)
    buffer = io.BytesIO()
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(buffer, "w") as new:
        record = f"{name}-{version}.dist-info/RECORD"
        lines = old.read(record).decode()
        for member in old.namelist():
            if member != record:
                new.writestr(member, old.read(member))
        for path, content in files.items():
            member = path.format(version=version)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            lines += f"{member},sha256={digest.decode()},{len(content)}\n"
            new.writestr(zipfile.ZipInfo(member), content)
        new.writestr(record, lines)
    rewrite(wheel, buffer.getvalue())
    listing = bundle / "PyPI/requirements.txt"
    text = listing.read_text().replace(before, publish.sha256(wheel))
    rewrite(listing, text.encode())
    check_in(bundle)
    return name, version


@pytest.mark.parametrize("where", ["up", "absolute", "by a detour"])
@pytest.mark.parametrize("name", ["PyPI/bytecode.zip.xz", "Script/program.zip.xz"])
def test_bytecode_that_leads_out(where: str, name: str, machine: Machine, bundle: str) -> None:
    inside, here = twin(machine, bundle, "twin")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as files:
        files.writestr(LEADING_OUT[where], EVIL)
    rewrite(here / name, lzma.compress(buffer.getvalue(), preset=0))
    check_in(here)
    said = machine.sh(script(inside, "install"), check=False)
    assert said.returncode == 1
    assert f"{Path(name).name} has a file that leads out of the tree" in error(said)


def test_what_a_wheel_brings_besides_is_not_installed(machine: Machine, bundle: str) -> None:
    inside, here = twin(machine, bundle, "twin")
    doctor(here, {"evil.py": EVIL})
    said = machine.sh(script(inside, "install"), check=False)
    assert said.returncode == 1
    assert "nothing was installed" in error(said)
    # The release's own checksums find it; the message names one of the two files.
    assert "h11-" in error(said) or "evil.py" in error(said)
