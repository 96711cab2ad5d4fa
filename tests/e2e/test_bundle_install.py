"""The bundle on a machine with systemd and neither Python nor network: run, installed, removed."""

import re

import pytest

from . import bundles
from .bundles import assert_untouched, script, serving, temporary
from .conftest import NewMachine
from .machine import Machine
from .releases import NAME, Releases
from .service import BASE, Load, active, answer, error, history, main_pid, put, whole
from .test_install import files
from .test_upgrade import BROKEN

ODD = "/srv/für später (neu)"
"""A folder with an odd name, as removable media are mounted at."""
CACHE = f"/root/.cache/{NAME}.bundle"


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine) -> Machine:
    return new_machine("systemd")


@pytest.fixture
def served(machine: Machine, releases: Releases) -> Machine:
    """Return the machine with the old release serving."""
    if active(machine) != "0.1.0" or answer(machine) != "0.1.0":
        bundles.install(machine, releases["old"], "--allow-downgrade")
    assert active(machine) == answer(machine) == "0.1.0"
    return machine


def test_the_machine_has_nothing(machine: Machine) -> None:
    assert machine.reach("192.0.2.1") == "Network is unreachable"
    for tool in ("python3", "pip", "gcc", "openssl", "zstd", "ssh-keygen"):
        assert machine.sh(f"command -v {tool}", check=False).returncode != 0


def test_it_runs_from_the_bundle_without_installing(machine: Machine, releases: Releases) -> None:
    before = files(machine)
    bundle = bundles.unpack(machine, releases["old"], ODD)
    run = script(bundle, "run")
    assert machine.sh(f"{run} version").stdout.startswith(f"{NAME} 0.1.0+")
    with serving(machine, run, "0.1.0", 8001):
        assert machine.sh(f"{run} check --url http://127.0.0.1:8001").stdout.startswith("ready")
    assert "Usage: uvicorn" in machine.sh(f"{run} --exec uvicorn --help").stdout
    code = "import sys; print(sys.version_info[:2], sys.argv[1:])"
    said = machine.sh(f"{run} --exec python -c '{code}' 'a b' '*'").stdout
    assert re.fullmatch(r"\(3, \d+\) \['a b', '\*'\]\n", said)
    made = {path for path in files(machine) - before if not path.startswith(CACHE)}
    assert made <= {"/root/.cache", "/run/8001.pid"}
    assert temporary(machine) == set()
    # Other users must not be able to replace the program.
    assert machine.run("stat", "-c", "%a", CACHE).stdout.strip() == "700"


def test_the_programs_own_exit_code_is_that_of_run(machine: Machine, releases: Releases) -> None:
    run = script(bundles.unpack(machine, releases["old"], ODD), "run")
    assert machine.sh(f"{run} --exec python -c 'exit(7)'", check=False).returncode == 7
    assert machine.sh(f"{run} serve --port 0x50", check=False).returncode == 2
    for wrong in ("../python", "nothing"):
        said = machine.sh(f"{run} --exec {wrong}", check=False)
        assert said.returncode == 2
        assert f"'{wrong}'" in error(said)


@pytest.mark.parametrize("options", ["ro", "ro,noexec"])
def test_it_runs_and_installs_from_media_that_cannot_be_written_to(
    options: str, machine: Machine, releases: Releases
) -> None:
    bundle = bundles.unpack(machine, releases["old"], ODD)
    machine.sh(f"rm -rf {CACHE}; mkdir -p /mnt/cd; mount --bind '{bundle}' /mnt/cd &&"
               f" mount -o remount,bind,{options} /mnt/cd")  # fmt: skip
    try:
        run = script("/mnt/cd", "run")
        assert machine.sh(f"{run} version").stdout.startswith(f"{NAME} 0.1.0+")
        # With a home folder that cannot hold the copy either, each run makes a copy of its own.
        once = f"HOME=/proc {run}"
        with serving(machine, f"env {once}", "0.1.0", 8001):
            assert len(temporary(machine)) == 1
        assert temporary(machine) == set()
        machine.sh(script("/mnt/cd", "verify"))
        machine.sh(script("/mnt/cd", "install"))
        assert active(machine) == answer(machine) == "0.1.0"
        machine.sh(script("/mnt/cd", "uninstall", "--purge"))
        assert not machine.path(BASE).exists()
    finally:
        machine.run("umount", "/mnt/cd")


def test_install_by_the_file_alone_and_remove_and_purge(
    machine: Machine, releases: Releases
) -> None:
    machine.sh(f"rm -rf {CACHE} /root/.cache /mnt/cd")
    bundle = bundles.unpack(machine, releases["new"])
    before = files(machine)
    said = bundles.install(machine, releases["old"])
    assert f"{NAME}: 0.1.0 is active and healthy at http://127.0.0.1:8000\n" in said.stdout
    assert "origin was not checked" in said.stdout
    assert said.stderr == ""
    assert machine.run(NAME, "version").stdout.startswith(f"{NAME} 0.1.0+")
    assert "healthy" in machine.run(f"{NAME}-admin", "status").stdout
    assert_untouched(machine, "0.1.0")

    machine.path(f"/var/lib/{NAME}/data").write_text("kept")
    machine.sh(script(bundle, "uninstall"))
    assert machine.read(f"/var/lib/{NAME}/data") == "kept"
    assert machine.path(f"/etc/{NAME}/{NAME}.env").is_file()
    assert not machine.path(BASE).exists()
    assert answer(machine, patience=2) is None
    machine.sh(script(bundle, "uninstall", "--purge"))
    assert files(machine) - before - {f"/root/{releases['old'].run.name}"} == set()
    assert before - files(machine) == set()


def test_install_from_the_archive_that_somebody_else_has_unpacked(
    machine: Machine, releases: Releases
) -> None:
    bundle = bundles.unpack(machine, releases["old"], ODD)
    machine.run("chown", "-R", "1234:1234", ODD)
    machine.run("chmod", "-R", "a-x,a+X", bundle)  # as on a FAT medium
    machine.sh(script(bundle, "install"))
    assert active(machine) == answer(machine) == "0.1.0"
    theirs = machine.run("find", BASE, "-not", "-user", "root", "-o", "-perm", "/022", "-type", "f")
    assert theirs.stdout == ""


def test_no_request_fails_during_an_upgrade_and_a_rollback(
    served: Machine, releases: Releases
) -> None:
    put(served, releases["new"].run)
    bundle = bundles.unpack(served, releases["new"])
    loads = {mode: Load(served, mode) for mode in ("close", "keep-alive")}
    bundles.install(served, releases["new"])
    assert active(served) == "0.2.0"
    said = served.sh(script(bundle, "rollback"))
    assert f"{NAME}: 0.1.0 is active and healthy" in said.stdout
    assert active(served) == "0.1.0"
    for mode, load in loads.items():
        seen = load.end()
        print(mode, seen)
        assert seen["failed"] == 0, seen
        assert {release.split("+")[0] for release in seen["releases"]} == {"0.1.0", "0.2.0"}


def test_a_broken_release_never_answers_and_the_old_one_does_not_notice(
    served: Machine, releases: Releases
) -> None:
    release, before = releases["exits at once"], main_pid(served)
    put(served, release.run)
    load = Load(served, "keep-alive")
    said = bundles.install(served, release, check=False)
    seen = load.end()
    assert (seen["failed"], [r.split("+")[0] for r in seen["releases"]]) == (0, ["0.1.0"]), seen
    assert said.returncode == 1
    line = error(said)
    assert BROKEN["exits at once"] in line
    assert f"{release.version} did not become healthy, 0.1.0 is active as before: " in line
    assert_untouched(served, "0.1.0")
    assert main_pid(served) == before
    assert history(served)[-1][1:3] == ["failed", release.version]


def test_installing_the_same_again_changes_nothing(served: Machine, releases: Releases) -> None:
    before = set(served.path(f"{BASE}/releases").iterdir())
    pid = main_pid(served)
    said = bundles.install(served, releases["old"]).stdout
    assert "0.1.0 is active already and healthy" in said
    assert main_pid(served) == pid
    assert set(served.path(f"{BASE}/releases").iterdir()) == before


def test_below_a_prefix_with_spaces_and_letters_of_other_scripts(
    served: Machine, releases: Releases
) -> None:
    served.sh(script(bundles.unpack(served, releases["old"]), "uninstall"))
    prefix = "/srv/Ünsere Dienste 服务"
    for which in ("old", "new"):
        bundles.install(served, releases[which], "--prefix", prefix)
    base = f"{prefix}/opt/{NAME}"
    assert active(served, base) == answer(served) == "0.2.0"
    bundle = bundles.unpack(served, releases["new"])
    served.sh(script(bundle, "rollback", "--prefix", prefix))
    assert active(served, base) == answer(served) == "0.1.0"
    assert whole(served, "0.1.0", base)
    served.sh(script(bundle, "uninstall", "--prefix", prefix, "--purge"))
    assert served.run("find", prefix, "-not", "-type", "d").stdout == ""
