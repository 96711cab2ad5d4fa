"""What the template's tests share: a way to bake."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypedDict, Unpack

import pytest

from tests.bases import Bases
from tests.soak import SEED, SOAK
from tests.support import ROOT, cache, commit, literal, missing, run, tracked

# Projects that tests make lie in no repository, though nox keeps temporary files in the checkout.
os.environ["GIT_CEILING_DIRECTORIES"] = tempfile.gettempdir()

LONGEST_FIRST = (
    "test_sessions", "test_pipelines", "test_own_program", "test_offline_binary",
    "test_offline_source", "test_menu",
    "test_dependencies", "test_python_tasks",
    "test_fastapi", "test_hosts", "test_settings", "test_online_source", "test_django",
    "test_kill", "test_bundle_heavy", "test_worker", "test_hosts_setup", "test_flask",
    "test_trial", "test_bundle_doctored", "test_bundle_kill", "test_bundle_foreign", "test_cli",
    "test_bundle_disk", "test_upgrade", "test_user", "test_disk", "test_release",
)  # fmt: skip
"""The files that take longest: one that is begun last leaves the other processes idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; all others keep their order."""
    place = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


def pytest_report_header() -> str:
    """Return the line that says how to repeat a run that took samples."""
    return "every step and damage is tried" if SOAK else f"samples: QUADRANT_SEED={SEED}"


class Answers(TypedDict, total=False):
    """Answers to the questions; for a missing one the default is taken."""

    project: str
    kind: str
    description: str
    author: str
    email: str
    python_version: str
    license: str
    ci: str


class Bake(Protocol):
    """Makes a project and returns its folder."""

    def __call__(
        self, *, git: bool = False, warm: bool = False, **answers: Unpack[Answers]
    ) -> Path:
        """Bake into a folder of its own.

        `git` also commits what was baked; `warm` lends the project all bases that other projects
        have filled. The answers are carried as they are, whatever they hold.
        """


@dataclass(frozen=True)
class CommandLine:
    """Runs cookiecutter as a user does."""

    template: Path
    config: Path

    def argv(self, *arguments: str | Path) -> list[str | Path]:
        """Return the command that bakes the template with these options and answers."""
        program = [sys.executable, "-m", "cookiecutter", "--config-file"]
        return [*program, self.config, self.template, *arguments]

    def __call__(
        self, *arguments: str | Path, cwd: Path, code: int = 0, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Bake in `cwd`, typing `stdin`, and expect exit status `code`."""
        # Cookiecutter leaves the hooks that it renders in the folder for temporary files.
        env = {**os.environ, "TMPDIR": str(self.config.parent)}
        return run(self.argv(*arguments), cwd=cwd, env=env, code=code, stdin=stdin)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the template as it is now, with nothing that git ignores."""
    copy = tmp_path_factory.mktemp("template") / "template"
    for name in tracked():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="session")
def cookiecutter_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a configuration with which cookiecutter writes nothing to the home folder."""
    folder = tmp_path_factory.mktemp("cookiecutter")
    config = folder / "config.yaml"
    config.write_text(f"replay_dir: '{folder}/replay'\ncookiecutters_dir: '{folder}/clones'\n")
    return config


@pytest.fixture(scope="session")
def command_line(template: Path, cookiecutter_config: Path) -> CommandLine:
    """Return cookiecutter's command line for the template."""
    return CommandLine(template, cookiecutter_config)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of what parallel test processes share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def bases() -> Bases:
    """Return the bases that projects share; the user's cache keeps them."""
    return Bases(cache() / "bases")


@pytest.fixture(autouse=True)
def _take_bases(bases: Bases) -> Iterator[None]:
    yield
    bases.take()


@pytest.fixture(scope="session")
def bake(command_line: CommandLine, bases: Bases, tmp_path_factory: pytest.TempPathFactory) -> Bake:
    """Return the function that makes projects from the template."""

    def bake(*, git: bool = False, warm: bool = False, **answers: Unpack[Answers]) -> Path:
        output = tmp_path_factory.mktemp("baked")
        given = [f"{name}={literal(str(text))}" for name, text in answers.items()]
        command_line("--no-input", *given, cwd=output)
        [project] = output.iterdir()
        if git:
            commit(project)
        if warm:
            bases.lend(project)
        return project

    return bake


@pytest.fixture(scope="session")
def baked(bake: Bake) -> Path:
    """Return a project made from the default answers, to be read and not changed."""
    return bake()


@pytest.fixture
def short() -> Iterator[Path]:
    """Return a folder with a path that is short enough for sockets below it."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def gpg(short: Path) -> Iterator[list[str]]:
    """Return the command that runs gpg with keys of the test's own."""
    tool = shutil.which("gpg") or missing("gpg")
    home = short / "gnupg"
    home.mkdir(mode=0o700)
    yield [tool, "--homedir", str(home), "--batch", "--quiet", "--no-tty"]
    run(["gpgconf", "--homedir", home, "--kill", "all"], cwd=short)
