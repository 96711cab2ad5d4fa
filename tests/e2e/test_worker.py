"""A worker on a queue in SQLite: no job is lost or done twice, whatever is installed meanwhile."""

import os
import re
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Unpack

import pytest

from tests.conftest import Answers, Bake
from tests.support import commit

from . import bundles, quadrants
from .bundles import script
from .conftest import NewMachine
from .controller import TO, block
from .machine import Machine
from .releases import NAME, Releases, Versions
from .service import (
    BASE,
    active,
    crash,
    error,
    eventually,
    history,
    install,
    main_pid,
    status,
    whole,
)

DATA = f"/var/lib/{NAME}"
_WORK = "src/my_service/work.py"
_RUN = 'run = "my_service.work:run"\n'

# A version does what a test has written into the file `orders`, and writes down each job that it
# begins. A version that must be alone fails if another one runs, and the other way round.
_HOOKS = '''def run(stop: Stop) -> None:
    """Do what a test has ordered, or jobs until told to stop."""
    folder = Path(os.environ["STATE_DIRECTORY"])
    orders = folder / "orders"
    order = orders.read_text() if orders.exists() else ""
    if order == f"{VERSION} raises":
        raise LookupError("the new queue is missing")
    if order == f"{VERSION} is mute":
        time.sleep(1000)
    with (folder / "alone").open("w") as alone:
        fcntl.flock(alone, (fcntl.LOCK_EX if MUST_BE_ALONE else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        if order == f"{VERSION} hangs":
            stop.beat()
            time.sleep(1000)
        work_on(stop)


def work_on(stop: Stop) -> None:
    """Do jobs until told to stop."""
'''
_BEGUN = """    for job, seconds in taken:
        queue.execute("CREATE TABLE IF NOT EXISTS begun (job, version)")
        queue.execute("INSERT INTO begun VALUES (?, ?)", [job, VERSION])
"""


def _version(version: str, *, overlap: bool) -> tuple[str, tuple[tuple[str, str, str], ...]]:
    constants = f"import fcntl\nVERSION = {version!r}\nMUST_BE_ALONE = {not overlap}\n"
    edits = (
        (_WORK, "import os\n", f"{constants}import os\n"),
        (_WORK, 'def run(stop: Stop) -> None:\n    """Do jobs until told to stop."""\n', _HOOKS),
        (_WORK, "    for job, seconds in taken:\n", _BEGUN),
    )
    alone = ("invoke.yaml", "  overlap: true\n", "  overlap: false\n")
    return version, edits if overlap else (*edits, alone)


VERSIONS: Versions = {
    "old": _version("0.1.0", overlap=True),
    "new": _version("0.2.0", overlap=True),
    "alone": _version("0.3.0", overlap=False),
}


@pytest.fixture(scope="module")
def workers(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Return the releases of a worker."""
    return Releases(_project(bake), tmp_path_factory.mktemp("worker") / "releases", VERSIONS)


def _project(bake: Bake, **more: Unpack[Answers]) -> Path:
    """Return the project of the worker, committed."""
    answers: Answers = {"project": NAME, "kind": "worker", **more}
    project = bake(**answers)
    pyproject = project / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    assert text.count(_RUN) == 1
    pyproject.write_text(text.replace(_RUN, f"{_RUN}heartbeat_seconds = 2\n"), encoding="utf-8")
    commit(project)
    return project


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine) -> Machine:
    """Return a machine, on which a worker that hangs is not waited for so long."""
    made = new_machine("systemd")
    made.path(f"/etc/{NAME}").mkdir()
    settings = made.path(f"/etc/{NAME}/{NAME}.env")
    settings.write_text("MY_SERVICE_GRACE_SECONDS=4\n", encoding="utf-8")
    return made


class Queue:
    """The queue of the worker on a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.sent: list[int] = []

    def ask(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run a statement on the machine's queue."""
        path = self._machine.path(f"{DATA}/queue.db")
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as queue:
            rows = queue.execute(statement, values).fetchall()
            owner = path.parent.stat()
            for left in path.parent.glob("queue.db*"):
                os.chown(left, owner.st_uid, owner.st_gid)
            return rows

    def send(self, count: int, seconds: float) -> None:
        """Add jobs that take so many seconds each."""
        for _ in range(count):
            rows = self.ask("INSERT INTO jobs (seconds) VALUES (?) RETURNING id", seconds)
            self.sent += [int(str(row[0])) for row in rows]

    def begun(self) -> int:
        """Return how many jobs were begun, of all that were ever sent."""
        return len(self.ask("SELECT 1 FROM sqlite_master WHERE name = 'begun'")) and len(
            self.ask("SELECT job FROM begun")
        )

    def require_each_done_once(self, seconds: float = 20) -> Mapping[str, int]:
        """Check that each job was begun once and done; return how many each version has begun."""
        left = "SELECT id FROM jobs WHERE result IS NULL"
        eventually(lambda: not self.ask(left), "jobs are left", seconds)
        begun = [int(str(row[0])) for row in self.ask("SELECT job FROM begun ORDER BY job")]
        assert begun == self.sent
        counted = self.ask("SELECT version, count(*) FROM begun GROUP BY version")
        return {str(version): int(str(count)) for version, count in counted}


@pytest.fixture
def queue(machine: Machine, workers: Releases) -> Queue:
    """Return the queue, with the old release at work on it, and no order of an earlier test."""
    machine.run("rm", "-f", f"{DATA}/orders")
    if active(machine) != "0.1.0":
        install(machine, workers["old"])
    assert healthy(machine) == "0.1.0"
    found = Queue(machine)
    found.ask("DELETE FROM jobs")
    if found.begun():
        found.ask("DELETE FROM begun")
    return found


def healthy(machine: Machine) -> str:
    """Return the version of the worker that the command finds healthy."""
    said = machine.run(NAME, "check", check=False)
    return said.stdout.removeprefix("ready: ").partition("+")[0] or said.stderr


def order(machine: Machine, text: str) -> None:
    """Tell a version what to do."""
    machine.path(f"{DATA}/orders").write_text(text, encoding="utf-8")


def test_a_worker_has_no_socket_and_says_how_it_is(machine: Machine, queue: Queue) -> None:
    seen = status(machine)
    assert seen["service"] == f"healthy at unix:/run/{NAME}/health.sock"
    units = machine.sh("ls /etc/systemd/system").stdout.split()
    assert f"{NAME}.service" in units
    assert f"{NAME}.socket" not in units
    listening = machine.sh("cat /proc/net/tcp /proc/net/tcp6").stdout.splitlines()
    assert len(listening) == 2, "nothing but the two titles"
    shown = machine.run("systemctl", "show", "-p", "StatusText", "--value", NAME)
    assert shown.stdout == "working\n"
    assert machine.run("systemctl", "is-enabled", NAME).stdout == "enabled\n"


def test_an_upgrade_and_a_rollback_lose_no_job_and_do_none_twice(
    machine: Machine, queue: Queue, workers: Releases
) -> None:
    assert workers["new"].deb.exists()
    queue.send(40, 0.4)
    eventually(lambda: queue.begun() > 2, "it has not begun")
    began = time.monotonic()
    assert f"{NAME}: 0.2.0 is active and healthy\n" in install(machine, workers["new"]).stdout
    print(f"upgrade by dpkg: {time.monotonic() - began:.1f} s")
    assert healthy(machine) == active(machine) == "0.2.0"
    queue.send(5, 0.2)
    done = queue.begun()
    eventually(lambda: queue.begun() > done + 2, "the new one does not work")
    began = time.monotonic()
    said = machine.run(f"{NAME}-admin", "rollback").stdout
    print(f"rollback: {time.monotonic() - began:.1f} s")
    assert "went from 0.2.0 to 0.1.0" in said
    assert healthy(machine) == active(machine) == "0.1.0"
    assert queue.require_each_done_once().keys() == {"0.1.0", "0.2.0"}
    assert whole(machine, "0.1.0")


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("raises", "the worker failed: LookupError: the new queue is missing"),
        ("is mute", "it gave no heartbeat in time"),
    ],
)
def test_a_broken_release_leaves_the_old_one_at_work(
    does: str, why: str, machine: Machine, queue: Queue, workers: Releases
) -> None:
    before = main_pid(machine)
    order(machine, f"0.2.0 {does}")
    queue.send(20, 0.3)
    upgraded = install(machine, workers["new"], check=False)
    assert upgraded.returncode == 1
    line = error(upgraded)
    assert "0.2.0 did not become healthy, 0.1.0 is active as before: " in line
    assert why in line
    assert why in history(machine)[-1][3]
    assert healthy(machine) == active(machine) == "0.1.0"
    assert main_pid(machine) == before
    assert queue.require_each_done_once() == {"0.1.0": 20}
    machine.run("rm", f"{DATA}/orders")
    machine.run("dpkg", "--configure", "-a")
    machine.run(f"{NAME}-admin", "rollback")


def test_a_release_that_hangs_on_trial_goes_back_by_itself(
    machine: Machine, queue: Queue, workers: Releases
) -> None:
    install(machine, workers["new"])
    order(machine, "0.2.0 hangs")
    crash(machine)
    eventually(lambda: active(machine) == "0.1.0", "it did not go back")
    eventually(lambda: healthy(machine) == "0.1.0", "the old one is not healthy")
    queue.send(3, 0.1)
    assert queue.require_each_done_once() == {"0.1.0": 3}


def test_without_overlap_two_never_work_at_once(
    machine: Machine, queue: Queue, workers: Releases
) -> None:
    assert workers["alone"].deb.exists()
    queue.send(60, 0.5)
    install(machine, workers["new"])
    # What has proved this one may still do its job, and has to end first.
    install(machine, workers["alone"])
    assert healthy(machine) == active(machine) == "0.3.0"
    machine.run(f"{NAME}-admin", "rollback")
    assert healthy(machine) == active(machine) == "0.2.0"
    for does, why in {
        "raises": "the worker failed: LookupError: the new queue is missing",
        "is mute": "it has not become ready",
    }.items():
        order(machine, f"0.3.0 {does}")
        tree = f"{BASE}/releases/0.3.0"
        upgraded = machine.run(f"{NAME}-admin", "activate", tree, check=False)
        assert upgraded.returncode == 1
        line = error(upgraded)
        assert "0.3.0 did not become healthy, 0.2.0 is active and healthy as before: " in line
        assert why in line
    assert queue.require_each_done_once(60).keys() == {"0.1.0", "0.2.0", "0.3.0"}


def test_the_bundle_installs_upgrades_and_is_removed(
    new_machine: NewMachine, workers: Releases
) -> None:
    machine = new_machine("systemd")
    said = bundles.install(machine, workers["old"])
    assert f"{NAME}: 0.1.0 is active and healthy\n" in said.stdout
    assert workers["new"].run.exists()
    queue = Queue(machine)
    queue.send(40, 0.4)
    eventually(lambda: queue.begun() > 2, "it has not begun")
    bundles.install(machine, workers["new"])
    assert healthy(machine) == active(machine) == "0.2.0"
    assert queue.require_each_done_once().keys() == {"0.1.0", "0.2.0"}
    machine.sh(script(bundles.unpack(machine, workers["new"]), "uninstall", "--purge"))
    assert not machine.path(DATA).exists()
    left = machine.sh(f"ls /etc/systemd/system | grep {NAME}", check=False).stdout
    assert left == ""


def test_a_host_makes_it_from_its_source(bake: Bake, tmp_path: Path) -> None:
    project = _project(bake, python_version=quadrants.PYTHON)
    with quadrants.controlled(project, VERSIONS, tmp_path) as controller:
        [host] = controller.hosts.hosts.values()
        said = block(quadrants.deploy(controller, "old"))["h1"]
        where = f"healthy at unix:/run/{NAME}/health.sock"
        assert re.fullmatch(rf"nothing -> 0\.1\.0-\w+, {re.escape(where)}, \d+\.\d s", said)
        assert healthy(host) == "0.1.0"
        assert not host.path(f"/etc/systemd/system/{NAME}.socket").exists()
        queue = Queue(host)
        queue.send(60, 0.4)
        eventually(lambda: queue.begun() > 2, "it has not begun")
        quadrants.deploy(controller, "new")
        assert healthy(host) == "0.2.0"
        order(host, "0.3.0 raises")
        refused = quadrants.deploy(controller, "alone", code=1)
        assert "the worker failed: LookupError: the new queue is missing" in refused.stderr
        assert healthy(host) == "0.2.0"
        controller.invoke("deploy.rollback", *TO)
        assert healthy(host) == "0.1.0"
        queue.send(3, 0.1)
        assert queue.require_each_done_once(60).keys() == {"0.1.0", "0.2.0"}
        shown = block(controller.invoke("deploy.status", *TO))["h1"]
        assert re.match(rf"0\.1\.0-\w+ \(online-source\) since .*{re.escape(where)}", shown)
        happened = controller.invoke("deploy.history", *TO).stdout
        went = re.findall(r"(active|failed) +(0\.\d\.0)-", happened)
        assert went == [("active", "0.1.0"), ("active", "0.2.0"), ("failed", "0.3.0"),
                        ("active", "0.1.0")], happened  # fmt: skip
