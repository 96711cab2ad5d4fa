"""Signatures: a release is installed only if a key that the operator trusts has signed it."""

import subprocess
from pathlib import Path

import pytest

from .conftest import NewMachine
from .machine import Machine, Result
from .releases import NAME, Releases
from .service import active, error, put, unpack

INSTALLED = f"/etc/{NAME}/signing-key.pub"


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine, releases: Releases, keys: Path) -> Machine:
    """Return a machine with archives in /srv: 0.1.0 unsigned, `ours` and `theirs` as 0.2.0."""
    machine = new_machine("user")
    unpack(machine, releases["old"])
    good = unpack(machine, releases["new"])
    for name in ("ours", "theirs"):
        machine.run("cp", "-R", good, f"/srv/{name}")
        sign(machine.path(f"/srv/{name}"), keys / name)
        machine.put(keys / f"{name}.pub", "/srv")
    return machine


@pytest.fixture(autouse=True)
def nothing(machine: Machine) -> None:
    """Remove everything that an earlier test has left."""
    machine.run(f"/srv/0.1.0/bin/{NAME}-admin", "uninstall", "--purge")


def sign(tree: Path, key: Path, namespace: str = "file") -> None:
    """Sign a tree's checksums."""
    (tree / "SHA256SUMS.sig").unlink(missing_ok=True)
    command: list[str | Path] = [
        "ssh-keygen",
        "-q",
        "-Y",
        "sign",
        "-n",
        namespace,
        "-f",
        key,
        tree / "SHA256SUMS",
    ]
    subprocess.run(command, check=True)


def trust(machine: Machine, text: str) -> None:
    """Install one or several keys as an operator does."""
    path = machine.path(INSTALLED)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def install(machine: Machine, which: str, *options: str) -> Result:
    return machine.run(f"/srv/{which}/install", *options, check=False)


def refused(machine: Machine, which: str, *options: str) -> str:
    """Try to install a release, which must be refused without a change; return the reason."""
    before = active(machine)
    said = install(machine, which, *options)
    assert said.returncode == 1, said.stdout
    assert active(machine) == before
    begin = f"error: /srv/{which} is refused, nothing was changed: "
    line = error(said)
    assert line.startswith(begin)
    return line.removeprefix(begin)


def test_without_a_key_it_says_once_that_the_origin_was_not_checked(machine: Machine) -> None:
    for which in ("0.1.0", "ours"):
        said = install(machine, which)
        assert said.returncode == 0
        assert said.stdout.count("its origin was not checked") == 1
        assert f"(put the maker's public key at {INSTALLED})" in said.stdout


def test_without_a_key_a_signature_can_be_required(machine: Machine) -> None:
    for which in ("0.1.0", "ours"):
        said = install(machine, which, "--require-signature")
        assert said.returncode == 1
        assert error(said).startswith("error: no key is known to check the signature with (give")
        assert f"put the maker's public key at {INSTALLED}): nothing was changed" in error(said)
        assert not machine.path(f"/opt/{NAME}").exists()


def test_a_right_signature(machine: Machine, keys: Path) -> None:
    trust(machine, (keys / "ours.pub").read_text())
    said = install(machine, "ours", "--require-signature")
    assert said.returncode == 0, said.stderr
    assert "origin" not in said.stdout
    assert active(machine) == "0.2.0"
    # An installed release is not checked for its signature again.
    machine.run("rm", f"/opt/{NAME}/releases/0.2.0/SHA256SUMS.sig")
    machine.run(f"/opt/{NAME}/current/bin/{NAME}-admin", "activate")


def test_several_keys_and_comments(machine: Machine, keys: Path) -> None:
    both = "".join((keys / f"{name}.pub").read_text() for name in ("theirs", "ours"))
    trust(machine, f"# who may sign\n\n{both}")
    assert install(machine, "ours").returncode == 0


def test_a_missing_signature(machine: Machine, keys: Path) -> None:
    trust(machine, (keys / "ours.pub").read_text())
    why = refused(machine, "0.1.0")
    assert why == f"it is not signed, and {INSTALLED} says by whom it should be"


def test_a_signature_by_another_key(machine: Machine, keys: Path) -> None:
    trust(machine, (keys / "ours.pub").read_text())
    why = refused(machine, "theirs")
    assert why.startswith(f"its signature is not by a key in {INSTALLED}")


def test_a_signature_of_something_else(machine: Machine, keys: Path) -> None:
    trust(machine, (keys / "ours.pub").read_text())
    machine.run("cp", "-R", "/srv/ours", "/srv/changed")
    tree = machine.path("/srv/changed")
    (tree / "host" / f"{NAME}.env").chmod(0o644)
    with (tree / "host" / f"{NAME}.env").open("a") as file:
        file.write("# changed\n")
    sums = "sha256sum $(sed 's/^[0-9a-f]*  //' SHA256SUMS) >s && mv s SHA256SUMS"
    machine.sh(f"cd /srv/changed && {sums}")
    assert "or what it signs was changed" in refused(machine, "changed")
    sign(tree, keys / "ours", namespace="mail")
    assert "or what it signs was changed" in refused(machine, "changed")
    sign(tree, keys / "ours")
    assert install(machine, "changed").returncode == 0


def test_a_key_that_cannot_be_read(machine: Machine) -> None:
    trust(machine, "# to be done\n")
    assert refused(machine, "ours") == f"{INSTALLED} holds no public key that can be read"


def test_no_ssh_keygen(machine: Machine, keys: Path) -> None:
    trust(machine, (keys / "ours.pub").read_text())
    program = machine.path("/usr/bin/ssh-keygen")
    hidden = program.rename(program.with_name("hidden"))
    try:
        why = refused(machine, "ours")
    finally:
        hidden.rename(program)
    assert why.startswith("its signature cannot be checked: this machine has no ssh-keygen")


def test_a_key_that_is_given_is_kept_for_the_next_time(machine: Machine, keys: Path) -> None:
    refused(machine, "theirs", "--key", "/srv/ours.pub")
    assert not machine.path(INSTALLED).exists()
    assert install(machine, "ours", "--key", "/srv/ours.pub").returncode == 0
    assert machine.read(INSTALLED) == (keys / "ours.pub").read_text()
    refused(machine, "0.1.0", "--allow-downgrade")
    # Another given key counts for this run, but does not replace the one that was kept.
    given = ("--allow-downgrade", "--key", "/srv/theirs.pub")
    assert install(machine, "theirs", *given).returncode == 0
    assert machine.read(INSTALLED) == (keys / "ours.pub").read_text()


def test_a_key_that_is_not_there(machine: Machine) -> None:
    said = install(machine, "ours", "--key", "/srv/nowhere.pub")
    assert (said.returncode, error(said)) == (
        2,
        "error: there is no file '/srv/nowhere.pub' that can be read (--key)",
    )


def test_a_package_is_checked_where_a_key_is_installed_and_else_says_nothing(
    machine: Machine, releases: Releases, keys: Path
) -> None:
    package = put(machine, releases["old"].deb)
    assert "origin" not in machine.run("dpkg", "--install", package).stdout
    machine.run("dpkg", "--purge", NAME)
    trust(machine, (keys / "ours.pub").read_text())
    said = machine.run("dpkg", "--install", package, check=False)
    assert said.returncode == 1
    assert f"it is not signed, and {INSTALLED} says" in error(said)
    assert active(machine) is None
    machine.run("dpkg", "--purge", NAME)
