"""Kinds of programs: each project has the files of its own kind, and nothing of the others."""

import json
import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Bake
from tests.support import KINDS, PROJECT, contents, offered_here, run, tree
from tests.test_bake import HOSTILE, STATEMENT, scars
from tests.test_pages import broken, pages

OTHERS = sorted({*KINDS} - {"service"})
"""The kinds that have a folder in kinds/."""
PROGRAM = {
    "service": {"app": "my_program.app:app"},
    "worker": {"run": "my_program.work:run"},
    "cli": {},
}
SCRIPT = {"service": "runtime.cli:main", "worker": "runtime.cli:main", "cli": "cli:main"}
DESCRIPTION = {
    "service": "A small web service",
    "worker": "A small worker",
    "cli": "A small command",
}
SAMPLE = {"service": "app", "worker": "work", "cli": "cli"}
OWN = {  # what of the runtime only one kind has
    "service": {"access_log", "asgi", "readiness", "server", "service", "sockets", "websocket"},
    "worker": {"health", "heart", "worker"},
}
UNITS = {
    "service": {"env.in", "service.in", "socket.in", "user.service.in"},
    "worker": {"env.in", "service.in", "user.service.in"},
    "cli": set[str](),
}
ROLES = {"service": set[str](), "worker": {"firewall"}}
ROLES["cli"] = {"account", "firewall", "journal", "units"}
"""The roles that a kind has not."""
SERVING = r"uvicorn|starlette|a2wsgi|asgi|websocket|health_url|deploy_listen|:8000|\bport\s*="
STRANGE = {  # words of what a kind has not
    "service": r"heartbeat|\bheart\b|\bwork\.py|work:run|stop\.wait",
    "worker": rf"(?i){SERVING}|NAME\.socket|app\.py|--port",
    "cli": rf"(?i){SERVING}|/healthz|/readyz|systemctl|journalctl|LOG_LEVEL|heartbeat",
}
OF_THE_PERSON = r"src/|tests/(?!tasks/)|docs/|deploy/(inventory|units)/|[^/]+$"
LOCKED = {"worker": {"click", "ecs-logging", "prometheus-client"}, "cli": {"click"}}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Return one kind after the other."""
    return str(request.param)


@pytest.fixture(scope="module")
def project(bake: Bake, kind: str) -> Path:
    """Return a project of the kind, to be read and not changed."""
    return bake(project="my-program", kind=kind)


def test_a_project_says_what_it_is(project: Path, kind: str) -> None:
    settings = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    assert settings["tool"]["program"] == {"kind": kind, **PROGRAM[kind]}
    assert settings["project"]["scripts"] == {"my-program": f"my_program.{SCRIPT[kind]}"}
    assert settings["project"]["description"] == DESCRIPTION[kind]


def test_pipenv_runs_it_without_a_shell(project: Path) -> None:
    """No variable is set before the command, since not every system and Pipenv can do that."""
    line = tomllib.loads((project / "Pipfile").read_text("utf-8"))["scripts"]["my-program"]
    python, *words = line.split()
    assert python == "python"
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = run([sys.executable, "-B", *words, "--help"], cwd=project, env=environment)
    assert done.stdout.startswith("Usage: ")


WITHOUT_POSIX = """
import os, sys
for module in "fcntl grp pty pwd resource syslog termios tty".split():
    sys.modules[module] = None
for name in "chown fork geteuid getuid mkfifo O_CLOEXEC O_DIRECTORY register_at_fork".split():
    delattr(os, name)
"""
"""Takes away what Windows has not."""
TASKS = """
import importlib, pkgutil, tasks
for found in pkgutil.walk_packages(tasks.__path__, "tasks."):
    if ".scripts" not in found.name:
        importlib.import_module(found.name)
        print(found.name)
"""
VERSION = """
import runpy
sys.path.insert(0, "src")
sys.argv[1:] = ["--version"]
runpy.run_module("my_program.runtime", run_name="__main__", alter_sys=True)
"""


def test_the_tasks_load_where_posix_is_not(project: Path) -> None:
    script = f"import invoke\n{WITHOUT_POSIX}{TASKS}"  # invoke knows the system that it runs on
    said = run([sys.executable, "-B", "-c", script], cwd=project).stdout.split()
    assert {"tasks.deploy.offline_binary.build", "tasks.develop", "tasks.hosts.rollout"} <= {*said}


def test_a_command_runs_where_posix_is_not(bake: Bake) -> None:
    project = bake(project="my-program", kind="cli")
    done = run([sys.executable, "-B", "-c", WITHOUT_POSIX + VERSION], cwd=project)
    assert done.stdout.startswith("my-program 0.1.0")


def test_it_also_runs_as_a_module(project: Path) -> None:
    module = [sys.executable, "-B", "-m", "my_program.runtime", "--help"]
    done = run(module, cwd=project, env=os.environ | {"PYTHONPATH": "src"})
    assert done.stdout.startswith("Usage: ")


def test_a_project_has_its_sample_alone(project: Path, kind: str) -> None:
    name = SAMPLE[kind]
    package = {path.name for path in (project / "src/my_program").iterdir()}
    assert package == {"__init__.py", f"{name}.py", "runtime"}
    assert {path.name for path in (project / "tests").glob("*.py")} == {f"test_{name}.py"}


def test_a_project_has_its_own_runtime_alone(project: Path, kind: str) -> None:
    runtime = {path.stem for path in (project / "src/my_program/runtime").glob("*.py")}
    for owner, modules in OWN.items():
        assert runtime & modules == (modules if owner == kind else set())
    if kind == "cli":
        assert runtime == {"__init__", "__main__", "program", "reference", "release"}
    assert {f"test_{name}" for name in ("program", "release")} <= {
        path.stem for path in (project / "tests/runtime").glob("*.py")
    }


def test_a_project_has_its_own_units_and_roles_alone(project: Path, kind: str) -> None:
    assert "kinds" not in tree(project)
    units = project / "deploy/units"
    assert {path.name for path in units.glob("*")} == UNITS[kind]
    assert units.exists() == bool(UNITS[kind])
    roles = {path.name for path in (project / "deploy/ansible/roles").iterdir()}
    shared = {path.name for path in (PROJECT / "deploy/ansible/roles").iterdir()}
    assert shared - roles == ROLES[kind]
    named = re.findall(r"role: (\w+)", (project / "deploy/ansible/setup.yml").read_text("utf-8"))
    assert {*named} <= roles


def test_a_project_has_nothing_of_another_kind(project: Path, kind: str) -> None:
    found = {
        name: match[0]
        for name, data in contents(project).items()
        if re.match(OF_THE_PERSON, name)
        and (match := re.search(STRANGE[kind], data.decode("utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize("other", OTHERS)
def test_no_file_is_there_twice(template: Path, other: str) -> None:
    """A file that a kind shares with services stands in the project, and not in kinds/ too."""
    shared = contents(template / PROJECT.name)
    own = contents(template / PROJECT.name / "kinds" / other)
    assert [name for name, data in own.items() if shared.get(name) == data] == []


@pytest.mark.parametrize("other", OTHERS)
def test_hostile_answers_scar_no_kind(bake: Bake, other: str) -> None:
    answers = HOSTILE.copy()
    answers["description"] = HOSTILE["description"].replace(STATEMENT, "")
    answers["kind"] = other
    assert scars(bake(**answers)) == []


def test_links_lead_somewhere(project: Path) -> None:
    assert len(pages(project)) > 5
    assert [link for page in pages(project) for link in broken(page)] == []


def test_the_menu(project: Path, kind: str) -> None:
    listed = run([sys.executable, "-m", "invoke", "--list"], cwd=project).stdout
    verb = "run" if kind == "cli" else "serve"
    assert re.findall(r"^  (\w+)(?: |$)", listed, re.MULTILINE) == sorted(["clean", verb])
    has_port = "--port" in run([sys.executable, "-m", "invoke", "--help", verb], cwd=project).stdout
    assert has_port == (kind == "service")


def test_a_command_runs_from_its_source(bake: Bake) -> None:
    folder = bake(kind="cli", python_version=offered_here())
    asking = [sys.executable, "-m", "invoke", "run"]
    assert "Count what is in texts." in run(asking, cwd=folder).stdout
    said = run([*asking, "--arguments", "words --most 0"], cwd=folder, code=2)
    assert "0 is not in the range" in said.stderr
    said = run([*asking, "--arguments", "it's"], cwd=folder, code=1)
    assert said.stderr == 'error: --arguments is "it\'s": no closing quotation\n'


def locks(kind: str) -> tuple[dict[str, dict[str, object]], dict[str, dict[str, object]]]:
    """Return the locks of a service and of another kind."""
    service, other = (
        json.loads((folder / "Pipfile.lock").read_text("utf-8"))
        for folder in (PROJECT, PROJECT / "kinds" / kind)
    )
    return service, other


@pytest.mark.parametrize("category", ["default", "test", "build", "bundle", "lint", "security"])
@pytest.mark.parametrize("other", OTHERS)
def test_kinds_are_locked_alike(other: str, category: str) -> None:
    service, own = (lock[category] for lock in locks(other))
    assert own
    assert {name: service.get(name) for name in own} == own


@pytest.mark.parametrize("other", OTHERS)
def test_only_the_lock_of_a_service_has_a_server(other: str) -> None:
    _, own = locks(other)
    assert set(own["default"]) == LOCKED[other]
    assert not {"starlette", "httpx2"} & set(own["test"])
