"""The RPM package, by dnf, on a machine with systemd."""

import subprocess
from pathlib import Path

import pytest

from .conftest import NewMachine
from .machine import Machine, Result
from .releases import NAME, Releases
from .service import BASE, active, answer

REPOSITORY = "/srv/repository"
SETTINGS = f"/etc/{NAME}/{NAME}.env"
SPEC = """\
Name: {name}
Version: {version}
Release: 1
Summary: A package of the test's own
License: none
BuildArch: noarch
{more}
%description
It holds nothing but what the test needs.
"""
# The machine has Debian's glibc, which rpm does not know.
GLIBC = SPEC.format(name="glibc", version="2.36", more="") + "%files\n"
# An earlier package, which had the settings as a file of its own.
EARLIER = SPEC.format(name=NAME, version="0.0.1", more="") + (
    f"%install\nmkdir -p %{{buildroot}}/etc/{NAME}\necho '# default' >%{{buildroot}}{SETTINGS}\n"
    f"%files\n%config(noreplace) {SETTINGS}\n"
)


def rpmbuild(folder: Path, spec: str) -> Path:
    """Build the package of a spec file."""
    (folder / "package.spec").write_text(spec)
    command = ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {folder}", "package.spec"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (made,) = folder.glob("RPMS/noarch/*.rpm")
    return made


@pytest.fixture(scope="module")
def machine(
    new_machine: NewMachine, releases: Releases, tmp_path_factory: pytest.TempPathFactory
) -> Machine:
    """Return a machine whose dnf knows our packages from a folder, and nothing else."""
    machine = new_machine("dnf")
    machine.run("mkdir", "-p", REPOSITORY, "/etc/yum.repos.d")
    for which in ("old", "new", "exits at once"):
        machine.put(releases[which].rpm, REPOSITORY)
    for spec in (GLIBC, EARLIER):
        machine.put(rpmbuild(tmp_path_factory.mktemp("rpm"), spec), REPOSITORY)
    subprocess.run(["createrepo_c", "--quiet", machine.path(REPOSITORY)], check=True)
    machine.path("/etc/yum.repos.d/offline.repo").write_text(
        f"[offline]\nname=offline\nbaseurl=file://{REPOSITORY}\ngpgcheck=0\n"
    )
    return machine


@pytest.fixture
def served(machine: Machine) -> Machine:
    """Return that machine with the old release, and nothing of an earlier test."""
    for _ in range(3):
        if machine.run("rpm", "--query", NAME, check=False).returncode == 0:
            dnf(machine, "remove", NAME)
    assert dnf(machine, "install", f"{NAME}-0.1.0").returncode == 0
    assert active(machine) == answer(machine) == "0.1.0"
    return machine


def dnf(machine: Machine, *arguments: str) -> Result:
    return machine.run("dnf", "--assumeyes", "--releasever=1", *arguments, check=False)


def known(machine: Machine) -> list[str]:
    """Return the versions that rpm says are installed."""
    said = machine.run("rpm", "--query", "--queryformat", "%{VERSION}\n", NAME, check=False)
    return sorted(said.stdout.split()) if said.returncode == 0 else []


def test_upgrade_and_downgrade(served: Machine) -> None:
    assert dnf(served, "upgrade", f"{NAME}-0.2.0").returncode == 0
    assert active(served) == answer(served) == "0.2.0"
    assert dnf(served, "reinstall", NAME).returncode == 0
    assert active(served) == answer(served) == "0.2.0"
    assert dnf(served, "downgrade", f"{NAME}-0.1.0").returncode == 0
    assert active(served) == answer(served) == "0.1.0"
    assert known(served) == ["0.1.0"]


def test_a_broken_release_leaves_the_old_one_serving_and_dnf_fails_with_the_reason(
    served: Machine,
) -> None:
    said = dnf(served, "upgrade", f"{NAME}-0.3.0")
    assert said.returncode == 1
    assert (
        "0.3.0 did not become healthy, 0.1.0 is active as before: the program ended" in said.stdout
    )
    assert "error: the new database is missing" in said.stdout
    assert "Transaction failed" in said.stderr
    assert active(served) == answer(served) == "0.1.0"
    assert known(served) == ["0.1.0", "0.3.0"]
    status = served.run(f"{NAME}-admin", "status").stdout
    assert "package    0.3.0, which is not the active one (see history)" in status

    again = served.run("rpm", "--upgrade", "--replacepkgs",
                       f"{REPOSITORY}/{NAME}-0.3.0-1.x86_64.rpm", check=False)  # fmt: skip
    assert again.returncode != 0
    assert active(served) == answer(served) == "0.1.0"

    withdrawn = served.run("rpm", "--erase", "--allmatches", f"{NAME}-0.3.0", check=False)
    assert withdrawn.returncode == 0
    assert answer(served) == "0.1.0"


def test_the_next_good_release_mends_what_a_broken_one_left(served: Machine) -> None:
    assert dnf(served, "upgrade", f"{NAME}-0.3.0").returncode == 1
    good = f"{REPOSITORY}/{NAME}-0.2.0-1.x86_64.rpm"
    served.run("rpm", "--upgrade", "--oldpackage", good)
    assert active(served) == answer(served) == "0.2.0"
    assert known(served) == ["0.2.0"]


def test_remove_leaves_configuration_and_data(served: Machine) -> None:
    env = served.path(SETTINGS)
    env.write_text("MY_SERVICE_LOG_LEVEL=debug\n")
    assert dnf(served, "remove", NAME).returncode == 0
    assert not served.path(BASE).exists()
    assert env.read_text() == "MY_SERVICE_LOG_LEVEL=debug\n"
    assert served.path(f"/var/lib/{NAME}").is_dir()
    units = served.run("systemctl", "list-units", "--all", f"{NAME}*", "--no-legend").stdout
    assert units == ""


def test_settings_that_were_a_file_of_the_package_stay(machine: Machine) -> None:
    env = machine.path(SETTINGS)
    for _ in range(3):
        if known(machine):
            dnf(machine, "remove", NAME)
    env.unlink(missing_ok=True)
    assert dnf(machine, "install", f"{NAME}-0.0.1").returncode == 0
    env.write_text("MY_SERVICE_LOG_LEVEL=debug\n")
    assert dnf(machine, "upgrade", f"{NAME}-0.1.0").returncode == 0
    assert env.read_text() == "MY_SERVICE_LOG_LEVEL=debug\n"
    assert active(machine) == answer(machine) == "0.1.0"


def test_remove_after_a_broken_release(served: Machine) -> None:
    dnf(served, "upgrade", f"{NAME}-0.3.0")
    first = dnf(served, "remove", NAME)
    if known(served):
        pytest.fail(f"{known(served)}\n{first.stdout}\n{first.stderr}")
    assert not served.path(BASE).exists()
