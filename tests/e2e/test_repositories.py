"""`invoke release.repository`: apt and dnf upgrade from it on machines without a network."""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Bake
from tests.support import run

from .conftest import NewMachine
from .machine import Machine, Result
from .releases import NAME, Releases, invoke
from .service import active, answer
from .test_rpm import GLIBC, dnf, rpmbuild

SITE = f"/srv/{NAME}"
APT_KEY = f"/etc/apt/keyrings/{NAME}.asc"
RPM_KEY = f"/etc/pki/rpm-gpg/{NAME}.asc"
VERSIONS = {"old": "0.1.0", "new": "0.2.0", "exits at once": "0.3.0"}


@pytest.fixture(scope="module")
def keys(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folders of two pairs of keys by whose they are, and a project's."""
    folder = tmp_path_factory.mktemp("keys")
    project = bake(project=NAME)
    for name in ("ours", "theirs"):
        invoke(project, "deploy.keygen", "--path", str(folder / name))
    return {"ours": folder / "ours", "theirs": folder / "theirs", "project": project}


@pytest.fixture(scope="module")
def site(keys: dict[str, Path], releases: Releases) -> dict[str, Path]:
    """Return the repository as it is with each further release, signed with our key."""
    project = keys["project"]
    made = {}
    for which, version in VERSIONS.items():
        folder = project / "dist/release" / version / "offline-binary"
        folder.mkdir(parents=True)
        shutil.copy(releases[which].deb, folder)
        rpm = Path(shutil.copy(releases[which].rpm, folder))
        sign(rpm, keys["ours"] / "signing-key.asc", project.parent)
        settings = {
            "INVOKE_DEPLOY_SIGNING_KEY": str(keys["ours"] / "signing-key"),
            "INVOKE_DEPLOY_PACKAGE_SIGNING_KEY": str(keys["ours"] / "signing-key.asc"),
        }
        invoke(project, "release.repository", settings=settings)
        made[which] = project.parent / f"with {version}"
        subprocess.run(["cp", "-R", project / "dist/repository", made[which]], check=True)
    return made


def sign(rpm: Path, key: Path, work: Path) -> None:
    """Sign a package with an OpenPGP key, as a build does that has the key."""
    home = work / "gnupg"
    home.mkdir(mode=0o700, exist_ok=True)
    environ = {**os.environ, "GNUPGHOME": str(home)}
    run(["gpg", "--batch", "--quiet", "--import", key], cwd=work, env=environ)
    macros = (f"_gpg_name {NAME} packages", f"__gpg {shutil.which('gpg')}")
    options = [option for macro in macros for option in ("--define", macro)]
    run(["rpmsign", *options, "--addsign", rpm], cwd=work, env=environ)


def bring(machine: Machine, repository: Path) -> None:
    """Bring a repository to a machine, in the place of an earlier one."""
    subprocess.run(["rm", "-rf", machine.path(SITE)], check=True)
    subprocess.run(["cp", "-R", repository, machine.path(SITE)], check=True)


def trust(machine: Machine, key: Path, where: str) -> None:
    """Install the key with which package managers check."""
    machine.path(where).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(key / "signing-key.pub.asc", machine.path(where))


@pytest.fixture(scope="module")
def apt_machine(new_machine: NewMachine, site: dict[str, Path], keys: dict[str, Path]) -> Machine:
    """Return a machine whose apt knows the repository, and nothing else."""
    machine = new_machine("systemd")
    bring(machine, site["old"])
    machine.path("/etc/apt/sources.list").unlink(missing_ok=True)
    machine.run("cp", f"{SITE}/{NAME}.sources", "/etc/apt/sources.list.d/")
    trust(machine, keys["ours"], APT_KEY)
    assert machine.reach("192.0.2.1") == "Network is unreachable"
    return machine


def apt(machine: Machine, *arguments: str) -> Result:
    return machine.run("apt-get", "--assume-yes", "--quiet", *arguments, check=False)


def test_apt_installs_upgrades_and_keeps_what_works(
    apt_machine: Machine, site: dict[str, Path], keys: dict[str, Path]
) -> None:
    machine = apt_machine
    assert apt(machine, "update").returncode == 0
    assert apt(machine, "install", NAME).returncode == 0
    assert active(machine) == answer(machine) == "0.1.0"

    bring(machine, site["new"])
    assert apt(machine, "update").returncode == 0
    assert apt(machine, "upgrade").returncode == 0
    assert active(machine) == answer(machine) == "0.2.0"

    bring(machine, site["exits at once"])
    assert apt(machine, "update").returncode == 0
    said = apt(machine, "upgrade")
    assert said.returncode == 100
    assert "0.3.0 did not become healthy, 0.2.0 is active as before" in said.stdout
    assert active(machine) == answer(machine) == "0.2.0"

    said = apt(machine, "install", "--allow-downgrades", f"{NAME}=0.1.0")
    assert said.returncode == 0, said
    assert active(machine) == answer(machine) == "0.1.0"


def test_apt_refuses_what_was_changed_or_is_not_ours(
    apt_machine: Machine, site: dict[str, Path], keys: dict[str, Path]
) -> None:
    machine = apt_machine
    bring(machine, site["new"])
    [package] = machine.path(f"{SITE}/apt/pool").glob("*_0.2.0_*.deb")
    package.chmod(0o644)
    with package.open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(b"changed")
    assert apt(machine, "update").returncode == 0
    said = apt(machine, "install", f"{NAME}=0.2.0", "--reinstall", "--allow-downgrades")
    assert said.returncode == 100
    assert "Hash Sum mismatch" in said.stderr
    trust(machine, keys["theirs"], APT_KEY)
    said = apt(machine, "update", "--error-on=any")
    assert said.returncode == 100
    assert "NO_PUBKEY" in said.stderr
    trust(machine, keys["ours"], APT_KEY)
    [index] = machine.path(f"{SITE}/apt/dists").glob("*/main/*/Packages")
    for path in (index, index.with_suffix(".gz")):
        path.chmod(0o644)
    index.write_text(index.read_text().replace("Version: 0.2.0", "Version: 9.9.9"))
    index.with_suffix(".gz").write_bytes(gzip.compress(index.read_bytes()))
    machine.sh("rm -r /var/lib/apt/lists/*")  # else it takes the list that it has already
    said = apt(machine, "update", "--error-on=any")
    assert said.returncode == 100
    assert "Packages.gz  Hash Sum mismatch" in said.stderr, said


@pytest.fixture(scope="module")
def dnf_machine(
    new_machine: NewMachine,
    site: dict[str, Path],
    keys: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Machine:
    """Return a machine whose dnf knows the repository, and nothing else."""
    machine = new_machine("dnf")
    bring(machine, site["old"])
    machine.path("/etc/yum.repos.d").mkdir(parents=True, exist_ok=True)
    machine.run("cp", f"{SITE}/{NAME}.repo", "/etc/yum.repos.d/")
    glibc = machine.put(rpmbuild(tmp_path_factory.mktemp("rpm"), GLIBC))
    machine.run("rpm", "--install", "--nodeps", glibc)
    trust(machine, keys["ours"], RPM_KEY)
    return machine


def test_dnf_installs_upgrades_and_keeps_what_works(
    dnf_machine: Machine, site: dict[str, Path]
) -> None:
    machine = dnf_machine
    assert "gpgcheck=1\n" in machine.read(f"/etc/yum.repos.d/{NAME}.repo")
    said = dnf(machine, "install", NAME)
    assert said.returncode == 0, said
    assert active(machine) == answer(machine) == "0.1.0"

    bring(machine, site["new"])
    assert dnf(machine, "--refresh", "upgrade").returncode == 0
    assert active(machine) == answer(machine) == "0.2.0"

    bring(machine, site["exits at once"])
    said = dnf(machine, "--refresh", "upgrade")
    assert said.returncode == 1
    assert "0.3.0 did not become healthy, 0.2.0 is active as before" in said.stdout
    assert active(machine) == answer(machine) == "0.2.0"


def test_dnf_refuses_an_index_that_was_changed(dnf_machine: Machine, site: dict[str, Path]) -> None:
    machine = dnf_machine
    bring(machine, site["new"])
    index = machine.path(f"{SITE}/yum/repodata/repomd.xml")
    index.chmod(0o644)
    index.write_text(index.read_text().replace("<revision>", "<revision>1"))
    said = dnf(machine, "--refresh", "upgrade", f"--setopt={NAME}.skip_if_unavailable=False")
    assert said.returncode == 1
    assert "GPG" in said.stderr, said
