"""Bundles with another maker's signature or none, and old bundles over a newer release."""

import subprocess
from pathlib import Path

import pytest

from . import bundles
from .bundles import assert_untouched, check_in, rewrite, script, temporary
from .conftest import NewMachine
from .machine import Machine
from .releases import NAME, Releases
from .service import BASE, active, answer, error

INSTALLED = f"/etc/{NAME}/signing-key.pub"


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine, releases: Releases, keys: Path) -> Machine:
    """Return a machine that has ssh-keygen; in /srv/ours and /srv/theirs lie signed bundles."""
    machine = new_machine("user")
    for name in ("ours", "theirs"):
        machine.put(keys / f"{name}.pub")
        bundles.unpack(machine, releases.signed("new", keys / name), f"/srv/{name}")
    (machine.path("/srv/file")).mkdir()
    machine.put(releases.signed("new", keys / "ours").run, "/srv/file")
    return machine


@pytest.fixture
def served(machine: Machine, releases: Releases) -> Machine:
    """Return the machine with the old, unsigned release serving, and without a key."""
    machine.run("rm", "-f", INSTALLED)
    if active(machine) != "0.1.0" or answer(machine) != "0.1.0":
        bundles.install(machine, releases["old"], "--allow-downgrade")
    return machine


def trust(machine: Machine, name: str) -> None:
    """Install a key as an operator does."""
    machine.run("cp", f"/root/{name}.pub", INSTALLED)


def ours(name: str, *options: str) -> str:
    return script(f"/srv/ours/{NAME}", name, *options)


def test_what_our_key_has_signed_is_installed(served: Machine) -> None:
    trust(served, "ours")
    said = served.sh(ours("verify")).stdout
    assert f"signed by a key in {INSTALLED}" in said
    (file,) = served.path("/srv/file").iterdir()
    said = served.run("sh", f"/srv/file/{file.name}").stdout
    assert "origin was not checked" not in said
    assert active(served) == answer(served) == "0.2.0"


def test_a_key_that_is_given_counts_and_is_kept(served: Machine) -> None:
    said = served.sh(ours("install", "--key", "/root/theirs.pub"), check=False)
    assert said.returncode == 1
    assert "its signature is not by a key in /root/theirs.pub" in error(said)
    assert not served.path(INSTALLED).exists()
    assert_untouched(served, "0.1.0")
    served.sh(ours("install", "--key", "/root/ours.pub", "--require-signature"))
    assert active(served) == answer(served) == "0.2.0"
    assert served.read(INSTALLED) == served.read("/root/ours.pub")


WRONG = "its signature is not by a key in"
UNSIGNED = "it is not signed, and"


@pytest.mark.parametrize("name", ["verify", "install"])
def test_where_a_key_is_installed_everything_else_is_refused(
    name: str, served: Machine, releases: Releases
) -> None:
    unsigned = bundles.unpack(served, releases["new"])

    def refuses(bundle: str, why: str) -> None:
        said = served.sh(script(bundle, name, "--require-signature"), check=False)
        assert said.returncode == 1
        assert error(said).startswith(f"error: {why}")
        assert_untouched(served, "0.1.0")

    def refuses_it(bundle: str, why: str) -> None:
        refuses(bundle, f"{bundle} is refused, nothing was changed: {why}")

    refuses(f"/srv/ours/{NAME}", "no key is known to check the signature with")
    trust(served, "ours")
    refuses_it(f"/srv/theirs/{NAME}", WRONG)
    refuses_it(unsigned, UNSIGNED)
    # Our bundle, changed, and with all checksums made anew.
    inside, here = bundles.twin(served, f"/srv/ours/{NAME}", "twin")
    rewrite(here / "ProjectSrc/README.md", b"changed")
    check_in(here)
    refuses_it(inside, WRONG)
    (here / "Script/SHA256SUMS.sig").unlink()
    refuses_it(inside, UNSIGNED)
    # Our signature of something else.
    inside, here = bundles.twin(served, f"/srv/ours/{NAME}", "twin")
    rewrite(here / "Script/SHA256SUMS.sig", (here / "Script/release/SHA256SUMS.sig").read_bytes())
    refuses_it(inside, WRONG)


def test_a_release_in_a_signed_bundle_is_signed_itself(served: Machine, keys: Path) -> None:
    trust(served, "ours")
    inside, here = bundles.twin(served, f"/srv/ours/{NAME}", "twin")
    (here / "Script/release/SHA256SUMS.sig").unlink()
    (here / "Script/SHA256SUMS.sig").unlink()
    check_in(here)
    sign: list[str | Path] = ["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", keys / "ours"]
    subprocess.run([*sign, here / "Script/SHA256SUMS"], check=True)
    served.sh(script(inside, "verify"))
    said = served.sh(script(inside, "install"), check=False)
    assert said.returncode == 1
    assert f"{inside} " in error(said)
    assert UNSIGNED in error(said)
    assert_untouched(served, "0.1.0")


def test_a_machine_that_cannot_check_refuses_where_a_key_is_installed(served: Machine) -> None:
    trust(served, "ours")
    tool = served.path("/usr/bin/ssh-keygen")
    tool.rename(tool.with_name("away"))
    try:
        said = served.sh(ours("install"), check=False)
    finally:
        tool.with_name("away").rename(tool)
    assert said.returncode == 1
    assert "this machine has no ssh-keygen" in error(said)
    assert_untouched(served, "0.1.0")


def test_an_old_bundle_over_a_newer_release(served: Machine, releases: Releases) -> None:
    bundles.install(served, releases["new"])
    said = bundles.install(served, releases["old"], check=False)
    assert said.returncode == 1
    assert "0.1.0 is older than 0.2.0, which is active: nothing was changed" in error(said)
    assert_untouched(served, "0.2.0")
    # As on a machine that never had the old release, not even for a rollback.
    served.run("rm", "-rf", f"{BASE}/releases/0.1.0")
    again = served.sh(script(bundles.unpack(served, releases["old"]), "install"), check=False)
    assert again.returncode == 1
    assert "0.1.0 is older than 0.2.0" in error(again)
    assert not served.path(f"{BASE}/releases/0.1.0").exists()
    bundles.install(served, releases["old"], "--allow-downgrade")
    assert active(served) == answer(served) == "0.1.0"
    assert temporary(served) == set()
