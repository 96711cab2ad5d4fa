"""The bundle on a system older than the build machine's, and on one with nothing but busybox."""

import json

import pytest

from .bundles import script, serving, temporary
from .conftest import NewMachine
from .machine import Machine
from .releases import NAME, Releases
from .service import BASE, active, put, whole

PROGRAM = f"{BASE}/current/bin/{NAME}"
PYTHON = f"{BASE}/current/python/bin/python3"
BUNDLE = f"/srv/für 'später'/{NAME}"
# Uses what programs expect of a machine, and these machines do not have.
EQUIPMENT = """
import curses, json, multiprocessing, ssl, subprocess, sys, zoneinfo
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
if __name__ == "__main__":
    curses.setupterm("xterm-256color")
    child = [sys.executable, "-I", "-c", "import ssl, starlette, sys; print(sys.prefix)"]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        computed = pool.submit(divmod, 7, 2).result()
    print(json.dumps({
        "certificates": len(ssl.create_default_context().get_ca_certs()),
        "zone": datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).isoformat()[-6:],
        "colors": curses.tigetnum("colors"),
        "child": subprocess.run(child, capture_output=True, text=True, check=True).stdout.strip(),
        "prefix": sys.prefix,
        "computed": computed,
    }))
"""


@pytest.fixture(scope="module", params=["old", "busybox"])
def machine(request: pytest.FixtureRequest, new_machine: NewMachine, releases: Releases) -> Machine:
    """Return a machine of another kind, with the old release's bundle unpacked by its own tools."""
    machine = new_machine(request.param)
    machine.path("/srv/equipment.py").write_text(EQUIPMENT)
    folder = BUNDLE.rpartition("/")[0]
    machine.run("sh", put(machine, releases["old"].run), "--extract", folder)
    return machine


@pytest.fixture
def installed(machine: Machine, releases: Releases) -> Machine:
    """Return that machine with the old release installed."""
    if active(machine) != "0.1.0":
        machine.run("sh", put(machine, releases["old"].run), "--allow-downgrade")
    return machine


def test_it_has_what_it_is_here_for(machine: Machine) -> None:
    said = machine.sh("getconf GNU_LIBC_VERSION || ls /lib*/ld-* /lib/*/libc.so*", check=False)
    assert said.stdout.strip() in {"glibc 2.31", ""}
    assert machine.sh("command -v python3", check=False).returncode != 0


def test_it_runs_without_installing(machine: Machine) -> None:
    machine.sh(script(BUNDLE, "verify"))
    run = script(BUNDLE, "run")
    with serving(machine, run, "0.1.0", 8001):
        assert machine.sh(f"{run} check --url http://127.0.0.1:8001").stdout.startswith("ready")
    assert temporary(machine) == set()


def test_install_serve_upgrade_rollback_and_purge(installed: Machine, releases: Releases) -> None:
    assert whole(installed, "0.1.0")
    with serving(installed, PROGRAM, "0.1.0", 8000):
        pass
    said = installed.run("sh", put(installed, releases["new"].run)).stdout
    assert "there is no systemd here: no service was started" in said
    assert active(installed) == "0.2.0"
    with serving(installed, PROGRAM, "0.2.0", 8000):
        installed.sh(script(BUNDLE, "rollback"))
    assert active(installed) == "0.1.0"
    installed.sh(script(BUNDLE, "uninstall", "--purge"))
    named = ("find", "/opt", "/etc", "/var", "/tmp", "/usr", "-name", f"*{NAME}*")
    assert installed.run(*named, check=False).stdout == ""


def look(machine: Machine) -> dict[str, object]:
    return dict(json.loads(machine.run(PYTHON, "/srv/equipment.py").stdout))


@pytest.mark.parametrize("proc", ["with /proc", "without /proc"])
def test_programs_find_what_they_expect_of_a_machine(proc: str, installed: Machine) -> None:
    if proc == "without /proc":
        installed.run("umount", "/proc")
    try:
        seen = look(installed)
        with serving(installed, PROGRAM, "0.1.0", 8000):
            pass
    finally:
        if proc == "without /proc":
            installed.run("mount", "-t", "proc", "proc", "/proc")
    prefix = f"{BASE}/releases/0.1.0/python"
    assert int(str(seen.pop("certificates"))) > 50
    assert seen == {"zone": "+02:00", "colors": 256, "child": prefix, "prefix": prefix,
                    "computed": [3, 1]}  # fmt: skip


def test_a_thread_may_end_without_its_program(installed: Machine) -> None:
    """Python ends its daemon threads like this; glibc then needs a library that is not its own."""
    script = (
        "import ctypes, os, threading\n"
        "end = ctypes.CDLL(None).pthread_exit\n"
        "thread = threading.Thread(target=end, args=[None], daemon=True)\n"
        "thread.start()\n"
        "thread.join(1)\n"
        "os._exit(0)\n"
    )
    installed.run(PYTHON, "-I", "-c", script)


def test_installing_without_proc(installed: Machine, releases: Releases) -> None:
    installed.run("umount", "/proc")
    try:
        installed.run("sh", put(installed, releases["new"].run))
    finally:
        installed.run("mount", "-t", "proc", "proc", "/proc")
    assert active(installed) == "0.2.0"
    assert whole(installed, "0.2.0")
