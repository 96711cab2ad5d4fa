"""invoke in a baked project: a menu that tells what can be done, and tasks that do it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tasks import namespace

from tests.conftest import Bake
from tests.support import offered_here, run

INVOKE = [sys.executable, "-m", "invoke"]
TASKS = sorted(namespace.task_names)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_and_its_options_explain_themselves(name: str) -> None:
    task = namespace[name]
    assert re.fullmatch(r"[A-Z].*\.", (task.__doc__ or "").splitlines()[0])
    for argument in task.get_arguments():
        assert argument.help, f"{name} --{argument.name}"


def test_the_menu(baked: Path) -> None:
    listed = run([*INVOKE, "--list"], cwd=baked).stdout
    assert re.findall(r"^  (\S+)", listed, re.MULTILINE) == [
        "clean",
        "serve",
        "branch.check",
        "branch.finish",
        "branch.init",
        "branch.list",
        "branch.protect",
        "branch.start",
        "branch.sync",
        "ci.deploy",
        "ci.request",
        "deploy.history",
        "deploy.keygen",
        "deploy.offline-binary",
        "deploy.offline-source",
        "deploy.online-source",
        "deploy.rollback",
        "deploy.status",
        "deploy.verify",
        "deps.advisories",
        "deps.audit",
        "deps.index",
        "deps.licenses",
        "deps.lock",
        "deps.tree",
        "deps.update",
        "hosts.compare",
        "hosts.setup",
        "python.set",
        "python.status",
        "release.publish",
        "release.repository",
        "release.start",
    ]


def test_tasks_import_only_the_standard_library_and_invoke(baked: Path) -> None:
    """The same is true of noxfile.py, with nox."""
    script = (
        "import sys; before = set(sys.modules); import invoke; known = set(sys.modules)\n"
        "import tasks; new = {name.partition('.')[0] for name in set(sys.modules) - known}\n"
        "print(*sorted(new - set(sys.stdlib_module_names) - {'tasks', 'invoke'}))"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    assert run([sys.executable, "-c", script], cwd=baked, env=environment).stdout == "\n"


def test_nox_works_where_invoke_is_not_installed(baked: Path) -> None:
    script = (
        "import sys; sys.modules['invoke'] = None\n"
        "import importlib.util; real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda n, p=None: None if n == 'invoke' else real(n, p)\n"
        "from nox.__main__ import main; sys.argv = ['nox', '--list']; main()"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    said = run([sys.executable, "-c", script], cwd=baked, env=environment).stdout
    assert {"* lint", "* test-3.13", "* security"} <= set(
        re.findall(r"^\* \S+", said, re.MULTILINE)
    )


def test_serve_and_clean(bake: Bake) -> None:
    folder = bake(python_version=offered_here())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serving = subprocess.Popen(
        [*INVOKE, "serve", "--port", str(port)], cwd=folder, start_new_session=True
    )
    answer = b""
    end = time.monotonic() + 60
    while not answer and time.monotonic() < end:
        time.sleep(0.05)
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/") as response:
            answer = response.read()
    os.killpg(serving.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
    assert serving.wait(10) == 0
    assert b"0.1.0+dev" in answer
    assert (folder / "build").exists()
    run([*INVOKE, "clean"], cwd=folder)
    assert not (folder / "build").exists()


def test_an_unknown_path_is_one_line(baked: Path) -> None:
    done = run([*INVOKE, "deploy.verify", "nowhere"], cwd=baked, code=1)
    assert done.stderr == "error: there is no nowhere\n"


QUADRANTS = {
    "offline-binary": ("deploy/offline-binary", "docs/deploy/offline-binary.md"),
    "offline-source": (
        "deploy/offline-source",
        "docs/deploy/offline-source.md",
        "docs/deploy/offline-source.svg",
    ),
    "online-source": (
        "deploy/online-source",
        "deploy/ansible/roles/python",
        "deploy/ansible/roles/source",
        "docs/deploy/online-source.md",
    ),
}


@pytest.fixture(scope="module")
def project(bake: Bake) -> Path:
    """Return a project whose environments, caches and bases several tests use."""
    return bake(git=True, warm=True)


@pytest.fixture
def folder(project: Path) -> Iterator[Path]:
    """Return the project to a test that deletes a part of it; restore it afterwards."""
    yield project
    run(["git", "checkout", "--quiet", "."], cwd=project)
    left = run(["git", "status", "--porcelain"], cwd=project).stdout
    assert left == "", "the project is as it was baked"


@pytest.mark.parametrize("quadrant", QUADRANTS)
def test_a_quadrant_can_be_deleted(folder: Path, quadrant: str) -> None:
    page = (folder / f"docs/deploy/{quadrant}.md").read_text()
    for part in (f"tasks/deploy/{quadrant.replace('-', '_')}", *QUADRANTS[quadrant]):
        assert f"`{part}" in page, "the page names what belongs to the quadrant"
        path = folder / part
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    listed = run([*INVOKE, "--list"], cwd=folder).stdout
    assert "deploy.verify" in listed
    assert quadrant not in listed
    readme = folder / "README.md"
    kept = [line for line in readme.read_text().splitlines() if quadrant not in line]
    readme.write_text("\n".join(kept) + "\n")
    run([*INVOKE, "branch.sync"], cwd=folder)
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    run([sys.executable, "-m", "nox", "-s", "lint"], cwd=folder, env=environment)
    other = "offline-source" if quadrant == "offline-binary" else "offline-binary"
    run([*INVOKE, f"deploy.{other}", "--python", offered_here()], cwd=folder)


DELETABLE = {
    "docs/environments.md": ("tasks/hosts/compare.py",),
    "docs/host-setup.md": ("tasks/hosts/setup.py", "deploy/ansible/setup.yml"),
    "docs/releases.md": ("tasks/release/", "docs/repositories.md"),
}


def test_what_sets_hosts_up_compares_them_and_makes_releases_can_be_deleted(folder: Path) -> None:
    for page, parts in DELETABLE.items():
        text = (folder / page).read_text()
        for part in parts:
            assert f"`{part}`" in text, "the page names what belongs to it"
            path = folder / part
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (folder / page).unlink()
    listed = run([*INVOKE, "--list"], cwd=folder).stdout
    assert "deploy.status" in listed
    assert "hosts." not in listed
    assert "release." not in listed
    for document in [folder / "README.md", *folder.glob("docs/**/*.md")]:
        lines = document.read_text().splitlines()
        kept = [line for line in lines if not re.search(r"invoke (hosts|release)\.", line)]
        document.write_text("\n".join(kept) + "\n")
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    run([sys.executable, "-m", "nox", "-s", "lint"], cwd=folder, env=environment)
