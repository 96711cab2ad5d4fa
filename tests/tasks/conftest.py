"""What the tests of `tasks/` share: a small project, a plan for it, programs that do not run."""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tasks.deploy.build.plan import Plan, here
from tasks.deploy.settings import Settings
from tasks.lib import project
from tasks.lib.environment import Environment
from tasks.lib.interpreter import Interpreter
from tasks.lib.revision import Revision

from tests.support import PROJECT

PYPROJECT = """\
[project]
name = "My.Service"
version = "1.0rc1"
description = "Serves  100 % of\\n requests"
license = "MIT"
authors = [{ name = "A. Author", email = "author@example.com" }]
classifiers = [
    "License :: OSI Approved",
    "Programming Language :: Python :: 3.12",
    "Programming Language :: Python :: 3.13",
]

[project.scripts]
my-service = "my_service.runtime.cli:main"

[tool.program]
kind = "service"
app = "my_service.app:app"
"""
CATEGORIES = ("packages", "build", "bundle", "deploy")
INDEX = {"name": "mirror", "url": "https://mirror.example.com/simple", "verify_ssl": True}
LOCKED = {"version": "==8.1", "hashes": ["sha256:aa", "sha256:bb"]}


@pytest.fixture
def small(tmp_path: Path) -> project.Project:
    """Return a project outside of Git, with the fewest files that the tasks need."""
    root = tmp_path / "project"
    source = root / "src/my_service"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("")
    (source / "cli.py").write_text("def main(): pass\n")
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / ".python-version").write_text("3.13\n")
    (root / "deploy").symlink_to(PROJECT / "deploy")
    (root / "Pipfile").write_text("".join(f'[{name}]\nclick = "*"\n' for name in CATEGORIES))
    sections = {"default": {"click": LOCKED}} | {name: {"click": LOCKED} for name in CATEGORIES[1:]}
    (root / "Pipfile.lock").write_text(json.dumps({"_meta": {"sources": [INDEX]}, **sections}))
    return project.load(root)


@pytest.fixture
def python(tmp_path: Path) -> Interpreter:
    """Return an interpreter that is only a name."""
    return Interpreter(tmp_path / "bin/python3.13", "3.13.5", "3.13.5 (main) [GCC]")


@pytest.fixture
def environment(tmp_path: Path, python: Interpreter) -> Environment:
    """Return an environment that is only a name."""
    return Environment(tmp_path / "environment", python)


@pytest.fixture
def plan(small: project.Project, python: Interpreter) -> Plan:
    """Return the plan of a build for this machine."""
    revised = Revision("1.0rc1", "0123456789abcdef", dirty=False, epoch=1_700_000_000, inputs="ff")
    return Plan("offline-test", small, revised, python, Settings(), here())


Does = Callable[[list[str]], object]


@dataclass
class Processes:
    """Stands in for `subprocess.run`: records the commands, and gives the answers that were set."""

    calls: list[list[str]] = field(default_factory=list)
    environs: list[Mapping[str, str]] = field(default_factory=list)
    answers: list[tuple[str, tuple[int, str, str], Does]] = field(default_factory=list)

    def answer(
        self,
        words: str,
        out: str = "",
        *,
        err: str = "",
        code: int = 0,
        does: Does = lambda _: None,
    ) -> None:
        """Set what a command with these words prints, exits with, and does besides."""
        self.answers.insert(0, (words, (code, out, err), does))

    def __call__(
        self, command: Sequence[str | Path], **options: Any
    ) -> subprocess.CompletedProcess[Any]:
        """Stand in for `subprocess.run`; a command without an answer succeeds silently."""
        argv = [str(part) for part in command]
        self.calls.append(argv)
        self.environs.append(options.get("env") or {})
        code, out, err = 0, "", ""
        for words, told, does in self.answers:
            if words in " ".join(argv):
                does(argv)
                code, out, err = told
                break
        if not options.get("text"):
            return subprocess.CompletedProcess(argv, code, out.encode(), err.encode())
        return subprocess.CompletedProcess(argv, code, out, err)

    def ran(self, words: str) -> list[str]:
        """Return the one command that has these words in it."""
        [found] = [call for call in self.calls if words in " ".join(call)]
        return found


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """Return what runs in place of programs: none is started."""
    made = Processes()
    monkeypatch.setattr(subprocess, "run", made)
    return made
