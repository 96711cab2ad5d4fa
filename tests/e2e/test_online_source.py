"""`deploy.online-source` on hosts to which the test serves the source, wheels and pyenv.

Each of the three hosts installs its first environment with another program: h1 has uv, h2 nothing,
h3 pipenv. Later releases, which uv makes, are deployed to as many of them as a test needs.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tasks.lib import lock

from tests.conftest import Bake
from tests.support import PROJECT, ROOT, commit_change, missing, run

from .controller import (
    ADDRESS,
    TO,
    UV,
    Controller,
    block,
    everywhere,
    index,
    put_back,
    repository,
    serving,
    under_load,
)
from .fleet import Fleet
from .machine import Machine
from .releases import NAME
from .service import active, eventually, main_pid, status

DEPLOY = ("deploy.online-source", *TO)
PYTHON = "/usr/bin/python3.11"
BASE = f"/opt/{NAME}"
HEALTHY = "healthy at http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def served(hosts: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of the repositories that hosts can reach."""
    with repository(tmp_path_factory.mktemp("repositories")) as folder:
        yield folder


@pytest.fixture(scope="module")
def wheels(hosts: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the index that hosts can reach; install uv on h1 and pipenv on h3."""
    folder = tmp_path_factory.mktemp("index")
    listing = folder / "requirements.txt"
    pinned = lock.requirements(ROOT / "Pipfile.lock", ["locks"])
    listing.write_text(pinned + lock.requirements(PROJECT / "Pipfile.lock", ["packages"]))
    with index(folder, listing) as address:
        for name in ("h1", "h3"):
            install_uv(hosts.hosts[name])
        hosts.hosts["h3"].sh(
            f"uv venv -q --python {PYTHON} /opt/pipenv &&"
            f" uv pip install -q --python /opt/pipenv/bin/python --index-url {address} pipenv &&"
            " ln -s /opt/pipenv/bin/pipenv /usr/local/bin/ && rm /usr/local/bin/uv"
        )
        yield address


@pytest.fixture(scope="module")
def project(bake: Bake, hosts: Fleet, served: Path, wheels: str) -> Controller:
    """Return the project, whose remote `origin` is where the hosts can reach it."""
    made = Controller(
        bake(git=True, project=NAME, python_version="3.11"), hosts, quadrant="online-source"
    )
    made.prepare()
    bare = served / NAME
    run(["git", "init", "--quiet", "--bare", bare], cwd=served)
    git(made, "remote", "add", "origin", f"git://{ADDRESS}/{NAME}")
    git(made, "remote", "set-url", "--push", "origin", str(bare))
    made.variables = {
        "deploy_python": PYTHON,
        "deploy_environment": {
            "UV_DEFAULT_INDEX": wheels,
            "PIP_INDEX_URL": wheels,
            "PIP_TRUSTED_HOST": ADDRESS,
            "PIPENV_PYPI_MIRROR": wheels,
        },
    }
    made.write_inventory()
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


def git(project: Controller, *arguments: str) -> str:
    who = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
    return run(["git", *who, *arguments], cwd=project.folder).stdout.strip()


def push(project: Controller, which: str, note: str = "") -> str:
    """Change the project to a release and push it; return the release's name on hosts.

    A `note` makes it a commit that no host had before.
    """
    version = project.become(which)
    if note:
        project.commit("NOTE", note)
    git(project, "push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")
    return f"{version}-{git(project, 'rev-parse', 'HEAD')[:12]}"


def install_uv(host: Machine) -> None:
    if not host.path("/usr/local/bin/uv").exists():
        host.put(UV, "/usr/local/bin")


def there(hosts: Fleet) -> dict[str, str | None]:
    return {name: active(host) for name, host in hosts.hosts.items()}


def deployed(project: Controller, hosts: Fleet, which: str) -> str:
    """Make sure that a release serves on every host, and that uv makes the next ones."""
    for host in hosts.hosts.values():
        install_uv(host)
    release = push(project, which)
    if not put_back(hosts, release):
        project.invoke(*DEPLOY, "--allow-downgrade")
    assert there(hosts) == everywhere(hosts, release)
    return release


def with_variables(project: Controller, **variables: object) -> None:
    project.variables |= variables
    project.write_inventory()


def test_a_first_deployment(project: Controller, hosts: Fleet) -> None:
    release = push(project, "old")
    with_variables(project, deploy_settings={})
    would = project.invoke(*DEPLOY, "--check")
    assert all(line.startswith("nothing -> ") for line in block(would).values()), would.stdout
    assert not hosts.hosts["h1"].path("/opt").joinpath(NAME).exists()
    del project.variables["deploy_settings"]
    project.write_inventory()
    said = project.invoke(*DEPLOY)
    assert all(
        re.fullmatch(rf"nothing -> {release}, {re.escape(HEALTHY)}, \d+\.\d s", line)
        for line in block(said).values()
    ), said.stdout
    assert serving(hosts) == everywhere(hosts, "0.1.0")
    state = block(project.invoke("deploy.status", *TO))
    assert all(line.startswith(f"{release} (online-source) since ") for line in state.values())


def test_every_installer_makes_the_same_environment(project: Controller, hosts: Fleet) -> None:
    release = push(project, "old")
    if not put_back(hosts, release):
        project.invoke(*DEPLOY)
    locked = lock.packages(project.folder / "Pipfile.lock", "packages")
    for name, host in hosts.hosts.items():
        folder = host.path(f"{BASE}/releases/{release}/packages")
        found = {path.name.partition("-")[0].lower() for path in folder.glob("*.dist-info")}
        wanted = {package.replace("-", "_") for package in locked} - {"colorama"}
        assert found == wanted, name
        assert list(folder.glob("starlette/__pycache__/*.pyc")), f"{name} has no bytecode"
        assert host.sh(f"cd {BASE}/releases/{release} && sha256sum -c --quiet SHA256SUMS")
        bill = host.path(f"{BASE}/releases/{release}/sbom.cdx.json").read_text("utf-8")
        listed = {part["name"]: f"=={part['version']}" for part in json.loads(bill)["components"]}
        assert listed == {package: locked[package]["version"] for package in listed}
        assert listed.keys() == locked.keys() - {"colorama"}


def test_an_upgrade_and_a_rollback(project: Controller, pair: Fleet) -> None:
    """A run that is killed while a host makes its release is finished by the next run."""
    old = deployed(project, pair, "old")
    new = push(project, "new")
    would = project.invoke(*DEPLOY, "--check")
    assert all("would be changed" in line for line in block(would).values())
    assert re.search(r"^ ?pyproject\.toml \| 2 \+-$", would.stdout, re.MULTILINE)
    assert there(pair) == everywhere(pair, old)
    making = pair.hosts["h2"].path(f"{BASE}/.engine/making")
    with under_load(pair):
        running = project.begin(*DEPLOY)
        eventually(making.exists, "h2 makes it", 60)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        assert there(pair)["h2"] == old
        project.invoke(*DEPLOY)
        assert there(pair) == everywhere(pair, new)
        assert not making.exists()
        project.invoke("deploy.rollback", *TO)
    assert there(pair) == everywhere(pair, old)


def test_a_tag_that_is_older(project: Controller, single: Fleet) -> None:
    old = push(project, "old")
    git(project, "tag", "--force", "v0.1.0")
    git(project, "push", "--quiet", "--force", "origin", "v0.1.0")
    new = deployed(project, single, "new")
    refused = project.invoke(*DEPLOY, "--ref", "v0.1.0", code=1)
    assert f"{old} is older than {new}, which is active" in refused.stderr
    assert there(single) == everywhere(single, new)
    project.invoke(*DEPLOY, "--ref", "v0.1.0", "--allow-downgrade")
    assert there(single) == everywhere(single, old)


def test_a_broken_release_stops_at_the_first_host(project: Controller, pair: Fleet) -> None:
    old = deployed(project, pair, "old")
    broken = push(project, "never ready")
    process = main_pid(pair.hosts["h1"])
    with under_load(pair):
        done = project.invoke(*DEPLOY, code=1)
    said = block(done)
    refused = f"{broken} did not become healthy, {old} is active as before: "
    assert said["h1"].startswith(f"failed, {old} as before: {refused}")
    assert main_pid(pair.hosts["h1"]) == process, "the old release was not interrupted"
    assert said["h2"] == f"{old}, not touched"
    assert there(pair) == everywhere(pair, old)
    assert not pair.hosts["h2"].path(f"{BASE}/releases/{broken}").exists()


def test_settings_and_secrets_of_the_inventory(project: Controller, pair: Fleet) -> None:
    old = deployed(project, pair, "old")
    with_variables(project, deploy_settings={"LOG_LEVEL": "warning"},
                   deploy_secrets={"GRACE_SECONDS": 1717})  # fmt: skip
    would = project.invoke(*DEPLOY, "--check")
    assert '+MY_SERVICE_LOG_LEVEL="warning"' in would.stdout
    assert "1717" not in would.stdout
    assert "warning\n" not in pair.hosts["h1"].read(f"/etc/{NAME}/{NAME}.env")
    with under_load(pair):
        done = project.invoke(*DEPLOY)
    assert "GRACE" not in done.stdout + done.stderr
    for host in pair.hosts.values():
        pid = host.run("systemctl", "show", "--value", "-p", "MainPID", NAME).stdout.strip()
        environment = host.read_live(f"/proc/{pid}/environ").split("\0")
        assert "MY_SERVICE_LOG_LEVEL=warning" in environment
        assert "MY_SERVICE_GRACE_SECONDS=1717" in environment
    again = project.invoke(*DEPLOY)
    assert block(again) == everywhere(pair, f"{old}, unchanged")
    assert "\n  changed  0 of 2 hosts\n" in again.stdout
    with_variables(project, deploy_settings={"LOG_LEVEL": "nonsense"})
    with under_load(pair):
        refused = project.invoke(*DEPLOY, code=1)
    assert "nonsense" in refused.stderr
    assert block(refused)["h2"] == f"{old}, not touched"
    assert '"warning"' in pair.hosts["h1"].read(f"/etc/{NAME}/{NAME}.env")
    assert serving(pair) == everywhere(pair, "0.1.0")
    del project.variables["deploy_settings"], project.variables["deploy_secrets"]
    project.write_inventory()


def test_only_what_is_signed(project: Controller, single: Fleet, keys: Path) -> None:
    deployed(project, single, "old")
    new = push(project, "new", "to be signed")
    known = single.hosts["h1"].path(f"/etc/{NAME}/signing-key.pub")
    shutil.copy(keys / "ours.pub", known)
    try:
        refused = project.invoke(*DEPLOY, code=1)
        assert "is refused, nothing was changed: it is not signed by a key in" in refused.stderr
        for tag, key in (("theirs", "theirs"), ("v0.2.0", "ours")):
            sign = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={keys / key}"]
            git(project, *sign, "tag", "--force", "--sign", "--message=Signed", tag)
            git(project, "push", "--quiet", "--force", "origin", tag)
        refused = project.invoke(*DEPLOY, "--ref", "theirs", code=1)
        assert "h1: theirs is refused, nothing was changed: it is not signed" in refused.stderr
        with under_load(single):
            project.invoke(*DEPLOY, "--ref", "v0.2.0")
        assert there(single) == everywhere(single, new)
    finally:
        known.unlink()


def test_a_host_that_callers_do_not_reach_goes_back(project: Controller, single: Fleet) -> None:
    old = deployed(project, single, "old")
    push(project, "new")
    settings = project.folder / "invoke.yaml"
    kept = settings.read_text()
    url = "      health_url: http://HOST:8000/readyz\n"
    text = kept.replace(
        "      quadrant: online-source\n", f"      quadrant: online-source\n{url}", 1
    )
    assert text != kept
    project.commit("invoke.yaml", text)
    git(project, "push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")
    new = f"0.2.0-{git(project, 'rev-parse', 'HEAD')[:12]}"
    done = project.invoke(*DEPLOY, code=1)
    assert re.search(
        rf"h1: {new} does not answer at http://10\.77\.0\.11:8000/readyz: .*refused", done.stderr
    )
    assert there(single) == everywhere(single, old)
    host = single.hosts["h1"]
    eventually(lambda: not status(host)["trial"], "it has the old one for good")
    folder = host.path(f"/etc/systemd/system/{NAME}.socket.d")
    folder.mkdir()
    (folder / "listen.conf").write_text("[Socket]\nListenStream=\nListenStream=0.0.0.0:8000\n")
    host.sh(f"systemctl daemon-reload && systemctl restart {NAME}.socket")
    project.invoke(*DEPLOY)
    assert there(single) == everywhere(single, new)


def test_a_python_from_pyenv(project: Controller, single: Fleet, served: Path) -> None:
    make_pyenv(served / "pyenv")
    new = push(project, "new", "with a Python from pyenv")
    del project.variables["deploy_python"]
    with_variables(project, deploy_pyenv_source=f"git://{ADDRESS}/pyenv")
    try:
        said = project.invoke(*DEPLOY, "--allow-downgrade")
        assert there(single) == everywhere(single, new)
        assert said.stdout.count("Build Python with pyenv") == 1
        host = single.hosts["h1"]
        flags = host.read("/opt/pyenv/versions/3.11.2/flags")
        assert flags == "--enable-shared --enable-optimizations --with-lto\n"
        command = host.read(f"{BASE}/releases/{new}/bin/{NAME}")
        assert "/opt/pyenv/versions/3.11.2/bin/python3" in command
        push(project, "new", "with the same Python")
        assert "Build Python" not in project.invoke(*DEPLOY, "--allow-downgrade").stdout
    finally:
        project.variables["deploy_python"] = PYTHON


def make_pyenv(folder: Path) -> None:
    """Make a repository of pyenv itself, in which Python 3.11.2 is the system's, not compiled."""
    pyenv = shutil.which("pyenv") or missing("pyenv")
    root = Path(run([pyenv, "root"], cwd=folder.parent).stdout.strip())
    for part in ("bin", "libexec", "pyenv.d", "plugins/python-build"):
        shutil.copytree(root / part, folder / part, symlinks=True)
    definitions = folder / "plugins/python-build/share/python-build"
    for path in definitions.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (definitions / "3.11.2").write_text(
        'mkdir -p "$PREFIX_PATH/bin"\n'
        'echo "$PYTHON_CONFIGURE_OPTS" >"$PREFIX_PATH/flags"\n'
        f'printf \'#!/bin/sh\\nexec {PYTHON} "$@"\\n\' >"$PREFIX_PATH/bin/python3"\n'
        'chmod +x "$PREFIX_PATH/bin/python3"\n'
    )
    run(["git", "init", "--quiet"], cwd=folder)
    commit_change(folder)
    run(["git", "tag", "v2.6.30"], cwd=folder)


def test_this_machine_itself(project: Controller) -> None:
    push(project, "old")
    # In mounts of its own, so that nothing is installed on the machine that runs the tests.
    script = (
        "for folder in /opt /etc /usr/local /var/lib; do"
        " mkdir -p $0$folder/up $0$folder/work &&"
        " mount -t overlay -o lowerdir=$folder,upperdir=$0$folder/up,workdir=$0$folder/work"
        " overlay $folder || exit; done;"
        " mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd &&"
        ' "$@" && /usr/local/bin/my-service version'
    )
    mount = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs "$0" && ' + script]
    room = project.folder.parent / "room"
    room.mkdir()
    invoke = [sys.executable, "-m", "invoke", "deploy.online-source", "--to", "local"]
    said = subprocess.run(
        [*mount, room, *invoke], cwd=project.folder, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert re.search(r"^  localhost +nothing -> 0\.1\.0-\w+, none: ", said.stdout, re.MULTILINE)
    assert said.stdout.splitlines()[-1].startswith("my-service 0.1.0+")
