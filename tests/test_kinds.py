"""Kinds of programs: each project has the files of its own kind, and nothing of the others."""

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Bake
from tests.support import PROJECT, contents, offered_here, run, tree
from tests.test_bake import HOSTILE, STATEMENT, scars
from tests.test_pages import broken, pages

OTHERS = re.compile(r"(?i)uvicorn|starlette|asgi|/healthz|/readyz|systemctl|journalctl|LOG_LEVEL")
"""What only a service has."""
OF_THE_PERSON = r"src/|tests/(?!tasks/)|docs/|deploy/inventory/|[^/]+$"


@pytest.fixture(scope="module")
def command(bake: Bake) -> Path:
    """Return a project for a command, to be read and not changed."""
    return bake(project="my-command", kind="cli")


def test_a_command_has_its_own_files(command: Path) -> None:
    package = tree(command / "src/my_command")
    runtime = {f"runtime/{name}.py" for name in ("__init__", "__main__", "program", "release")}
    assert package == {"__init__.py", "cli.py", "runtime", *runtime}
    assert not {"kinds", "deploy/units", "deploy/ansible/roles/units"} & tree(command)
    settings = tomllib.loads((command / "pyproject.toml").read_text("utf-8"))
    assert settings["tool"]["program"] == {"kind": "cli"}
    assert settings["project"]["scripts"] == {"my-command": "my_command.cli:main"}
    assert settings["project"]["description"] == "A small command"


def test_a_command_has_nothing_of_a_service(command: Path) -> None:
    found = {
        name: match[0]
        for name, data in contents(command).items()
        if re.match(OF_THE_PERSON, name) and (match := OTHERS.search(data.decode("utf-8")))
    }
    assert found == {}


def test_a_service_has_nothing_of_a_command(baked: Path) -> None:
    assert not {"kinds", "src/my_service/cli.py", "tests/test_cli.py"} & tree(baked)


def test_a_command_has_no_file_twice(template: Path) -> None:
    """A file that is the same for both kinds stands in the project, and not in kinds/ too."""
    shared = contents(template / PROJECT.name)
    own = contents(template / PROJECT.name / "kinds/cli")
    assert [name for name, data in own.items() if shared.get(name) == data] == []


def test_hostile_answers_scar_no_command(bake: Bake) -> None:
    answers = HOSTILE.copy()
    answers["description"] = HOSTILE["description"].replace(STATEMENT, "")
    answers["kind"] = "cli"
    assert scars(bake(**answers)) == []


def test_links_of_a_command_lead_somewhere(command: Path) -> None:
    assert len(pages(command)) > 5
    assert [link for page in pages(command) for link in broken(page)] == []


def test_the_menu_of_a_command(command: Path) -> None:
    listed = run([sys.executable, "-m", "invoke", "--list"], cwd=command).stdout
    assert re.findall(r"^  (\w+)(?: |$)", listed, re.MULTILINE) == ["clean", "run"]


def test_it_runs_from_its_source(bake: Bake) -> None:
    folder = bake(kind="cli", python_version=offered_here())
    asking = [sys.executable, "-m", "invoke", "run"]
    assert "Count what is in texts." in run(asking, cwd=folder).stdout
    said = run([*asking, "--arguments", "words --most 0"], cwd=folder, code=2)
    assert "0 is not in the range" in said.stderr
    said = run([*asking, "--arguments", "it's"], cwd=folder, code=1)
    assert said.stderr == 'error: --arguments is "it\'s": no closing quotation\n'


@pytest.mark.parametrize("category", ["default", "test", "build", "bundle", "lint", "security"])
def test_kinds_are_locked_alike(category: str) -> None:
    service, command = (
        json.loads((folder / "Pipfile.lock").read_text("utf-8"))[category]
        for folder in (PROJECT, PROJECT / "kinds/cli")
    )
    assert command
    assert {name: service.get(name) for name in command} == command


def test_the_lock_of_a_command_has_no_server() -> None:
    lock = json.loads((PROJECT / "kinds/cli/Pipfile.lock").read_text("utf-8"))
    assert set(lock["default"]) == {"click"}
    assert not {"starlette", "httpx2"} & set(lock["test"])
