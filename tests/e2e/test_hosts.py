"""`--to`, `deploy.status`, `deploy.history` and `deploy.rollback` on hosts over SSH.

There are three hosts; a test deploys to as many of them as it needs. While releases are switched
callers ask every host all the time, and no request may fail.
"""

import os
import re
import shutil
import signal
from collections.abc import Iterator

import pytest

from tests.conftest import Bake

from .controller import TO, Controller, block, count, everywhere, put_back, serving, under_load
from .fleet import Fleet
from .machine import Result
from .releases import NAME, invoke
from .service import BASE, active, eventually, main_pid, status

DEPLOY = ("deploy.offline-source", *TO)
HEALTHY = "healthy at http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def project(bake: Bake, hosts: Fleet) -> Controller:
    """Return the project."""
    made = Controller(bake(git=True, warm=True, project=NAME), hosts, quadrant="offline-source")
    # Long enough that the first host is still on trial when the last one has switched.
    made.trial_seconds = 60
    made.prepare()
    return made


@pytest.fixture
def pair(project: Controller, hosts: Fleet) -> Iterator[Fleet]:
    """Return two of the hosts; the target has no others during the test."""
    with project.on(hosts.first(2)) as two:
        yield two


@pytest.fixture
def single(project: Controller, hosts: Fleet) -> Iterator[Fleet]:
    """Return one of the hosts; the target has no others during the test."""
    with project.on(hosts.first(1)) as one:
        yield one


def build(project: Controller, which: str) -> str:
    """Build a release while there is a network, once; return its version."""
    version = project.become(which)
    published = project.folder / "dist/offline-source"
    kept = project.folder.parent / "built" / version
    if kept.exists():
        shutil.rmtree(published)
        shutil.copytree(kept, published)
    else:
        invoke(project.folder, "deploy.offline-source", settings=trial(project))
        shutil.copytree(published, kept)
    return version


def trial(project: Controller) -> dict[str, str]:
    """Return the setting that a build must share with the deployment after it."""
    return {"INVOKE_DEPLOY_TRIAL_SECONDS": str(project.trial_seconds)}


def changes(before: str, after: str) -> str:
    """Return the pattern of the line for a host that was switched."""
    return rf"{re.escape(before)} -> {re.escape(after)}, {re.escape(HEALTHY)}, \d+\.\d s"


def all_match(hosts: Fleet, said: dict[str, str], pattern: str) -> bool:
    return said.keys() == hosts.hosts.keys() and all(
        re.fullmatch(pattern, line) for line in said.values()
    )


def deployed(project: Controller, hosts: Fleet, which: str) -> str:
    """Make sure that a release serves on every host."""
    version = build(project, which)
    if not put_back(hosts, version):
        project.invoke(*DEPLOY, "--allow-downgrade")
    assert serving(hosts) == everywhere(hosts, version)
    return version


def upgraded(project: Controller, hosts: Fleet) -> tuple[str, str]:
    """Make sure that every host serves the new release and can go back to the old one."""
    old, new = build(project, "old"), build(project, "new")
    there = hosts.hosts.values()
    if any((active(host), status(host)["before"]) != (new, old) for host in there):
        deployed(project, hosts, "old")
        deployed(project, hosts, "new")
    return old, new


def test_first_deployment_status_and_again(project: Controller, hosts: Fleet) -> None:
    version = build(project, "old")
    said = project.invoke(*DEPLOY)
    assert all_match(hosts, block(said), changes("nothing", version))
    assert "\n  changed  3 of 3 hosts\n" in said.stdout
    assert serving(hosts) == everywhere(hosts, version)
    again = project.invoke(*DEPLOY)
    assert block(again) == everywhere(hosts, f"{version}, unchanged")
    assert "\n  changed  0 of 3 hosts\n" in again.stdout
    state = block(project.invoke("deploy.status", *TO))
    expected = rf"{version} \(offline-source\) since 20\S+Z, {re.escape(HEALTHY)}"
    assert all_match(hosts, state, expected)
    told = project.invoke("deploy.history", *TO).stdout
    line = rf"\nh%\n  20\S+Z  active    {version}\n"
    assert re.fullmatch("".join(line.replace("%", number) for number in "123"), told)


def test_an_upgrade_and_a_rollback(project: Controller, pair: Fleet) -> None:
    old = deployed(project, pair, "old")
    new = build(project, "new")
    would = project.invoke(*DEPLOY, "--check")
    assert all_match(pair, block(would), rf"{old} -> {new}\+\w+, would be changed")
    assert serving(pair) == everywhere(pair, old)
    with under_load(pair):
        running = project.begin(*DEPLOY)
        lock = project.folder / "build/.deploy-fleet"
        holder = f"process {running.pid} of "
        eventually(lambda: lock.read_text().startswith(holder), "it is at work", 60)
        second = project.invoke(*DEPLOY, code=1)
        said, wrong = running.communicate(timeout=120)
        there = Result(running.args, running.returncode, said, wrong)
        assert there.returncode == 0, there
        busy = rf"error: another run is at work on fleet: {holder}\S+@\S+ since 20\S+Z\n"
        assert re.fullmatch(busy, second.stderr)
        assert all_match(pair, block(there), changes(old, new))
        assert serving(pair) == everywhere(pair, new)
        back = block(project.invoke("deploy.rollback", *TO))
    assert all_match(pair, back, changes(new, old))
    assert serving(pair) == everywhere(pair, old)
    named = block(project.invoke("deploy.rollback", *TO, "--release", new))
    assert all_match(pair, named, changes(old, new))
    again = project.invoke("deploy.rollback", *TO, "--release", new)
    assert block(again) == everywhere(pair, f"{new}, unchanged")


def test_what_fails_on_trial_goes_back_by_itself_and_is_told(
    project: Controller, pair: Fleet
) -> None:
    old = deployed(project, pair, "old")
    new = deployed(project, pair, "new")
    told = project.invoke("deploy.status", *TO).stdout
    on_trial = rf"^ +on trial: {new}, for \d+ s more; a failure leads back to {old}$"
    assert len(re.findall(on_trial, told, re.MULTILINE)) == 2
    host = pair.hosts["h2"]
    host.run("systemctl", "kill", "--signal=KILL", NAME)
    eventually(lambda: status(host)["said"] != "", "h2 goes back")
    assert serving(pair) == everywhere(pair, new) | {"h2": old}
    told = project.invoke("deploy.status", *TO).stdout
    assert re.search(
        rf"^  h2  {old} \(.*, {re.escape(HEALTHY)}\n"
        rf"      last: {new} failed on trial: \S.*; went back to {old}$",
        told,
        re.MULTILINE,
    )
    told = project.invoke("deploy.history", *TO).stdout
    assert len(re.findall(rf"^  20\S+Z  returned  {new}  \S.*$", told, re.MULTILINE)) == 1
    again = block(project.invoke(*DEPLOY))
    assert again["h1"] == f"{new}, unchanged"
    assert serving(pair) == everywhere(pair, new)


def test_a_rollback_stops_at_the_first_host_that_is_not_healthy(
    project: Controller, pair: Fleet
) -> None:
    old, new = upgraded(project, pair)
    settings = pair.hosts["h1"].path(f"/etc/{NAME}/{NAME}.env")
    kept = settings.read_text(encoding="utf-8")
    settings.write_text('MY_SERVICE_LOG_LEVEL="nonsense"\n', encoding="utf-8")
    with under_load(pair):
        done = project.invoke("deploy.rollback", *TO, code=1)
    settings.write_text(kept, encoding="utf-8")
    said = block(done)
    refused = f"{old} did not become healthy, {new} is active as before: "
    assert said["h1"].startswith(f"failed, {new} as before: {refused}")
    assert "nonsense" in said["h1"]
    assert said["h2"] == f"{new}, not touched"
    assert done.stderr.startswith(f"error: h1: {refused}")
    assert serving(pair) == everywhere(pair, new)


def test_a_program_instead_of_source(project: Controller, single: Fleet) -> None:
    old = deployed(project, single, "old")
    project.become("new")
    named = project.invoke("deploy.offline-binary", *TO, code=1)
    assert (
        named.stderr == "error: the target fleet is for deploy.offline-source, not offline-binary\n"
    )
    any_quadrant = {"INVOKE_DEPLOY_TARGETS_FLEET_QUADRANT": "offline-binary"}
    invoke(project.folder, "deploy.offline-binary", settings=trial(project))
    with under_load(single):
        there = project.invoke("deploy.offline-binary", *TO, env=any_quadrant)
    # A bundle's release of the same version may be installed already.
    switched = changes(old, "0.2.0").replace(", healthy", r"(-\w+)?, healthy")
    assert all_match(single, block(there), switched)
    state = block(project.invoke("deploy.status", *TO))
    assert all("(offline-binary)" in line for line in state.values())


def test_a_broken_release_stops_at_the_first_host(project: Controller, pair: Fleet) -> None:
    old = deployed(project, pair, "old")
    broken = build(project, "never ready")
    process = main_pid(pair.hosts["h1"])
    with under_load(pair):
        done = project.invoke(*DEPLOY, code=1)
    said = block(done)
    refused = f"{broken} did not become healthy, {old} is active as before: "
    assert said["h1"].startswith(f"failed, {old} as before: {refused}")
    assert said["h2"] == f"{old}, not touched"
    assert done.stderr.startswith(f"error: h1: {refused}")
    assert main_pid(pair.hosts["h1"]) == process, "the old release was not interrupted"
    assert serving(pair) == everywhere(pair, old)
    assert not pair.hosts["h2"].path(f"{BASE}/releases/{broken}").exists()


def test_an_unknown_release_is_refused_with_those_that_exist(
    project: Controller, single: Fleet
) -> None:
    old = deployed(project, single, "old")
    done = project.invoke("deploy.rollback", *TO, "--release", "7.7", code=1)
    assert "no release '7.7' is installed; there are: " in done.stderr
    assert serving(single) == everywhere(single, old)


def test_a_host_with_another_key_is_refused_before_anything_changes(
    project: Controller, hosts: Fleet
) -> None:
    old = deployed(project, hosts, "old")
    build(project, "new")
    hosts.know(other_key_of="h3")
    project.connections = hosts.connections / "new"
    try:
        done = project.invoke(*DEPLOY, code=1)
    finally:
        hosts.know()
    assert done.stderr.startswith("error: h3: cannot be reached: ")
    assert "Host key verification failed" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert serving(hosts) == everywhere(hosts, old)


def test_a_host_that_is_cut_off_before(project: Controller, pair: Fleet) -> None:
    old = deployed(project, pair, "old")
    build(project, "new")
    pair.link("h2", "down")
    try:
        done = project.invoke(*DEPLOY, code=1)
    finally:
        pair.link("h2", "up")
    assert done.stderr.startswith("error: h2: cannot be reached: ")
    assert serving(pair) == everywhere(pair, old)


def test_a_run_from_elsewhere_is_waited_for_or_named(project: Controller, single: Fleet) -> None:
    old = deployed(project, single, "old")
    build(project, "new")
    lock = f"{BASE}/.engine/lock"
    holder = single.hosts["h1"].background(
        "flock", lock, "sh", "-c", f"echo process 7 of eve@elsewhere since then >{lock}; cat"
    )
    eventually(lambda: "eve@elsewhere" in single.hosts["h1"].read(lock), "it is held")
    project.variables = {"deploy_environment": {"DEPLOY_LOCK_SECONDS": "1"}}
    project.write_inventory()
    try:
        done = project.invoke(*DEPLOY, code=1)
    finally:
        holder.communicate(timeout=10)
        project.variables = {}
        project.write_inventory()
    assert "h1: another run is at work, process 7 of eve@elsewhere since then" in done.stderr
    assert serving(single) == everywhere(single, old)


def test_a_full_disk_on_one_host(project: Controller, single: Fleet) -> None:
    old = deployed(project, single, "old")
    build(project, "new")
    host = single.hosts["h1"]
    host.sh(
        "mount -t tmpfs -o size=4m tmpfs /tmp && dd if=/dev/zero of=/tmp/full bs=1M count=4 || :"
    )
    try:
        with under_load(single):
            done = project.invoke(*DEPLOY, code=1)
    finally:
        host.sh("umount -l /tmp")
    assert block(done)["h1"].startswith(f"failed, {old} as before: ")
    assert serving(single) == everywhere(single, old)


def test_runs_that_end_in_the_middle_are_finished_by_the_next(
    project: Controller, hosts: Fleet
) -> None:
    """The first run loses a host, the second one is killed while that host switches."""
    old = deployed(project, hosts, "old")
    new = build(project, "new")
    with under_load(hosts):
        running = project.begin(*DEPLOY)
        eventually(lambda: count(hosts, new) == 1, "h1 has it", 60)
        hosts.link("h2", "down")
        try:
            said, wrong = running.communicate(timeout=120)
        finally:
            hosts.link("h2", "up")
        assert running.returncode == 1, said
        assert wrong.startswith("error: h2: ")
        assert active(hosts.hosts["h3"]) == old
        running = project.begin(*DEPLOY)
        there = hosts.hosts["h2"].path(f"{BASE}/releases/{new}")
        eventually(there.exists, "h2 has the files", 60)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        assert active(hosts.hosts["h3"]) == old
        project.invoke(*DEPLOY)
    assert serving(hosts) == everywhere(hosts, new)
