"""`--to`, `deploy.status`, `deploy.history` and `deploy.rollback` on three hosts over SSH."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Bake
from tests.support import run

from .fleet import HUB, Fleet, address, fleet
from .machine import Result
from .releases import HEALTH_SECONDS, NAME, Releases, invoke
from .service import Load, active, answer, eventually

TO = ("--to", "fleet")
DEPLOY = ("deploy.offline-source", *TO)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Give three hosts."""
    with fleet(3, tmp_path_factory.mktemp("fleet") / "f") as made:
        yield made


class Project:
    """A project that deploys to the hosts."""

    def __init__(self, folder: Path, hosts: Fleet) -> None:
        self.folder = folder
        self.connections = folder.parent / "cp"
        """Where SSH keeps connections open; a new folder begins without any."""
        inventory = folder / "deploy/inventory/fleet.yml"
        inventory.write_text(hosts.inventory, encoding="utf-8")
        settings = folder / "invoke.yaml"
        target = "  targets:\n    fleet:\n      inventory: deploy/inventory/fleet.yml\n"
        text = settings.read_text(encoding="utf-8")
        text = text.replace("  targets:\n", f"{target}      quadrant: offline-source\n", 1)
        settings.write_text(text, encoding="utf-8")
        self.releases = Releases(folder, folder.parent)
        run(["git", "add", "--all"], cwd=folder)
        who = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
        run(["git", *who, "commit", "--quiet", "--amend", "--message=First"], cwd=folder)

    def become(self, which: str) -> str:
        """Check a release of `VERSIONS` out, build it (there is a network); give its version."""
        release = self.releases[which]
        self.releases.edit(which)
        invoke(self.folder, "deploy.offline-source")
        return release.version

    def invoke(self, *arguments: str, code: int = 0) -> Result:
        """Run invoke where the hosts can be reached, and nothing else."""
        return run(self.command(*arguments), cwd=self.folder, env=self.environ, code=code)

    @property
    def environ(self) -> dict[str, str]:
        """Give the environment of invoke."""
        return {
            **os.environ,
            "INVOKE_DEPLOY_HEALTH_SECONDS": str(HEALTH_SECONDS),
            "INVOKE_DEPLOY_OFFLINE_SOURCE_INTERPRETER": "local",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.connections),
        }

    def command(self, *arguments: str) -> list[str]:
        """Give that command."""
        return ["ip", "netns", "exec", HUB, sys.executable, "-m", "invoke", *arguments]


@pytest.fixture(scope="module")
def project(bake: Bake, hosts: Fleet) -> Project:
    """Give the project; what Ansible needs is there before the network is not."""
    made = Project(bake(git=True, project=NAME), hosts)
    invoke(made.folder, "deploy.history", "--to", "local")
    return made


def block(said: Result) -> dict[str, str]:
    """Give the closing block's lines by host."""
    return dict(re.findall(r"^  (h\d) +(.+)$", said.stdout.rsplit("\n\n", 1)[-1], re.MULTILINE))


def serving(hosts: Fleet) -> dict[str, str | None]:
    return {name: answer(host) for name, host in hosts.hosts.items()}


def everywhere(version: str) -> dict[str, str]:
    return dict.fromkeys(("h1", "h2", "h3"), version)


def deployed(project: Project, hosts: Fleet, which: str) -> str:
    """Make sure that a release serves on every host."""
    version = project.become(which)
    project.invoke(*DEPLOY, "--allow-downgrade")
    assert serving(hosts) == everywhere(version)
    return version


def test_first_deployment_status_and_again(project: Project, hosts: Fleet) -> None:
    version = project.become("old")
    said = block(project.invoke(*DEPLOY))
    assert said == everywhere(f"nothing -> {version}, healthy at http://127.0.0.1:8000")
    assert serving(hosts) == everywhere(version)
    again = project.invoke(*DEPLOY)
    assert block(again) == everywhere(f"{version}, unchanged")
    assert "  - h" not in again.stdout  # nothing was changed anywhere
    state = block(project.invoke("deploy.status", *TO))
    expected = rf"{version} \(offline-source\) since 20\S+Z, healthy at http://127\.0\.0\.1:8000"
    assert all(re.fullmatch(expected, state[name]) for name in hosts.hosts)
    told = project.invoke("deploy.history", *TO).stdout
    assert len(re.findall(rf"^  20\S+Z  active  {version}$", told, re.MULTILINE)) == 3


def test_an_upgrade_and_a_rollback_lose_no_request(project: Project, hosts: Fleet) -> None:
    old = deployed(project, hosts, "old")
    new = project.become("new")
    load = Load(hosts.hosts["h2"], "close", workers=2)
    there = block(project.invoke(*DEPLOY))
    assert there == everywhere(f"{old} -> {new}, healthy at http://127.0.0.1:8000")
    assert serving(hosts) == everywhere(new)
    back = block(project.invoke("deploy.rollback", *TO))
    seen = load.end()
    assert back == everywhere(f"{new} -> {old}, healthy at http://127.0.0.1:8000")
    assert serving(hosts) == everywhere(old)
    assert seen["failed"] == 0, seen["failures"]
    assert {release.partition("+")[0] for release in seen["releases"]} == {old, new}


def test_a_broken_release_stops_at_the_first_host(project: Project, hosts: Fleet) -> None:
    old = deployed(project, hosts, "old")
    broken = project.become("never ready")
    done = project.invoke(*DEPLOY, code=1)
    said = block(done)
    assert said["h1"].startswith(f"failed, {old} as before: {broken} did not become healthy")
    assert said["h2"] == said["h3"] == f"{old}, not touched"
    assert done.stderr.startswith("error: h1: ")
    assert serving(hosts) == everywhere(old)
    assert not any(host.path(f"/opt/{NAME}/releases/{broken}").exists()
                   for name, host in hosts.hosts.items() if name != "h1")  # fmt: skip


def test_an_unknown_release_is_refused_with_those_that_exist(
    project: Project, hosts: Fleet
) -> None:
    old = deployed(project, hosts, "old")
    done = project.invoke("deploy.rollback", *TO, "--release", "7.7", code=1)
    assert "no release '7.7' is installed; there are: " in done.stderr
    assert serving(hosts) == everywhere(old)


def test_a_host_with_another_key_is_refused_before_anything_changes(
    project: Project, hosts: Fleet
) -> None:
    old = deployed(project, hosts, "old")
    project.become("new")
    hosts.know(other_key_of="h3")
    project.connections = project.connections.with_name("cp2")
    try:
        done = project.invoke(*DEPLOY, code=1)
    finally:
        hosts.know()
    assert done.stderr.startswith("error: h3: cannot be reached: ")
    assert "Host key verification failed" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert serving(hosts) == everywhere(old)


def test_a_host_that_is_cut_off_before_and_in_the_middle(project: Project, hosts: Fleet) -> None:
    old = deployed(project, hosts, "old")
    new = project.become("new")
    hosts.link("h2", "down")
    try:
        done = project.invoke(*DEPLOY, code=1)
        assert done.stderr.startswith("error: h2: cannot be reached: ")
        assert active(hosts.hosts["h1"]) == active(hosts.hosts["h3"]) == old
    finally:
        hosts.link("h2", "up")
    with subprocess.Popen(
        project.command(*DEPLOY), cwd=project.folder, env=project.environ,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        eventually(lambda: active(hosts.hosts["h1"]) == new, "h1 has it", 60)
        hosts.link("h2", "down")
        try:
            said, wrong = running.communicate(timeout=120)
        finally:
            hosts.link("h2", "up")
    assert running.returncode == 1, said
    assert wrong.startswith("error: h2: ")
    assert serving(hosts)["h3"] == old
    project.invoke(*DEPLOY)
    assert serving(hosts) == everywhere(new)


def test_a_killed_run_is_finished_by_the_next(project: Project, hosts: Fleet) -> None:
    deployed(project, hosts, "old")
    new = project.become("new")
    for _ in range(2):
        with subprocess.Popen(
            project.command(*DEPLOY), cwd=project.folder, env=project.environ,
            stdout=subprocess.DEVNULL, start_new_session=True,
        ) as running:  # fmt: skip
            before = [active(host) for host in hosts.hosts.values()].count(new)
            eventually(
                lambda: [active(host) for host in hosts.hosts.values()].count(new) > before,  # noqa: B023
                "one more has it",
                60,
            )
            os.killpg(running.pid, signal.SIGKILL)
    project.invoke(*DEPLOY)
    assert serving(hosts) == everywhere(new)


def test_a_full_disk_on_one_host(project: Project, hosts: Fleet) -> None:
    old = deployed(project, hosts, "old")
    project.become("new")
    host = hosts.hosts["h1"]
    host.sh(
        "mount -t tmpfs -o size=4m tmpfs /tmp && dd if=/dev/zero of=/tmp/full bs=1M count=4 || :"
    )
    try:
        done = project.invoke(*DEPLOY, code=1)
    finally:
        host.sh("umount -l /tmp")
    assert block(done)["h1"].startswith(f"failed, {old} as before: ")
    assert serving(hosts) == everywhere(old)
