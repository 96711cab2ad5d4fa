"""The archive: for machines without a package manager, or whose owner wants none."""

import json
import shutil
from pathlib import Path

import pytest

from tests.services import advisory, carried

from .conftest import NewMachine
from .machine import Machine
from .releases import NAME, Releases
from .service import BASE, active, answer, unpack


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine) -> Machine:
    return new_machine("systemd")


def audit(machine: Machine, bill: Path, folder: Path) -> None:
    """Ask the installed engine, in a machine without a network, about a weakness of one package."""
    parts = json.loads(bill.read_text("utf-8"))["components"]
    versions = {part["name"].lower(): part["version"] for part in parts if "purl" in part}
    weak = advisory("GHSA-aaaa-bbbb-cccc", "click", "999")
    for records, code, said in (
        ((weak,), 1, f"0.1.0 (active): click {versions['click']}: GHSA-aaaa-bbbb-cccc (CVE-"),
        ((), 0, "0.1.0 (active): not affected\n"),
    ):
        file = carried(folder / f"advisories-{code}.json", versions, *records)
        inside = machine.put(file)
        told = machine.run(f"{NAME}-admin", "audit", inside, check=False)
        assert told.returncode == code, told.stdout + told.stderr
        assert said in told.stdout


def test_install_upgrade_rollback_and_uninstall(
    machine: Machine, releases: Releases, tmp_path: Path
) -> None:
    old, new = unpack(machine, releases["old"]), unpack(machine, releases["new"])
    # As another user than root unpacks it: what is installed must not stay that user's.
    machine.run("chown", "-R", "1234:1234", old)
    machine.run(f"{old}/install")
    assert active(machine) == answer(machine) == "0.1.0"
    assert machine.run(NAME, "version").stdout.startswith(f"{NAME} 0.1.0+")
    theirs = machine.run("find", BASE, "-not", "-user", "root", "-o", "-perm", "/022", "-type", "f")
    assert theirs.stdout == ""
    machine.run("rm", "-rf", old)
    audit(machine, releases["old"].archive.with_name("sbom.cdx.json"), tmp_path)

    machine.run(f"{new}/install")
    assert active(machine) == answer(machine) == "0.2.0"
    machine.run(f"{NAME}-admin", "rollback")
    assert active(machine) == answer(machine) == "0.1.0"

    machine.run(f"{BASE}/current/bin/{NAME}-admin", "uninstall")
    assert not machine.path(BASE).exists()
    assert machine.path(f"/etc/{NAME}/{NAME}.env").is_file()
    machine.run(f"{new}/bin/{NAME}-admin", "uninstall", "--purge")
    machine.run(f"{new}/bin/{NAME}-admin", "uninstall", "--purge")
    named = ("find", "/", "-xdev", "-name", f"*{NAME}*", "-not", "-path", "/root/*")
    left = machine.run(*named, "-not", "-path", "/srv/*", "-not", "-path", "/proc/*").stdout
    assert left == ""


def test_the_scripts_run_under_busybox_too(machine: Machine, releases: Releases) -> None:
    busybox = shutil.which("busybox")
    assert busybox is not None
    machine.put(Path(busybox), "/srv")
    shell = machine.path("/usr/bin/sh")
    real = shell.readlink()
    shell.unlink()
    shell.symlink_to("/srv/busybox")
    try:
        machine.run(f"{unpack(machine, releases['old'])}/install")
        assert active(machine) == answer(machine) == "0.1.0"
        machine.run(f"{unpack(machine, releases['new'])}/install")
        machine.run(f"{NAME}-admin", "rollback")
        assert active(machine) == answer(machine) == "0.1.0"
        assert "healthy" in machine.run(f"{NAME}-admin", "status").stdout
        machine.run(f"{BASE}/current/bin/{NAME}-admin", "uninstall", "--purge")
    finally:
        shell.unlink()
        shell.symlink_to(real)


def test_another_content_under_the_same_version_becomes_a_release_of_its_own(
    machine: Machine, releases: Releases
) -> None:
    tree = unpack(machine, releases["new"])
    machine.run(f"{tree}/install")
    machine.run("cp", "-R", tree, "/srv/other")
    machine.sh("cd /srv/other && echo '# ours' >>host/my-service.env &&"
               " sed '/my-service.env$/d' SHA256SUMS >s && sha256sum host/my-service.env >>s &&"
               " mv s SHA256SUMS")  # fmt: skip
    machine.run("/srv/other/install")
    name = active(machine) or ""
    assert name.startswith("0.2.0-")
    assert len(name) == len("0.2.0-") + 8


def test_a_damaged_release_is_replaced_by_installing_it_again(
    machine: Machine, releases: Releases
) -> None:
    tree = unpack(machine, releases["new"])
    machine.run(f"{tree}/install")
    broken = active(machine) or ""
    machine.sh(f"echo >>{BASE}/releases/{broken}/manifest.json")
    machine.run(f"{tree}/install")
    assert active(machine) != broken
    assert answer(machine) == "0.2.0"
