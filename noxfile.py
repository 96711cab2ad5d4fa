"""The checks of the template: `nox` runs lint, security, test and e2e; `nox -l` lists them all.

Every tool comes from Pipfile.lock and is checked against its hashes.
"""

import json
import os
import re
import runpy
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import nox

ROOT = Path(__file__).parent
PROJECT = ROOT / "{{cookiecutter.project}}"
# Not imported, since that would leave bytecode in the folder that is baked.
lock = runpy.run_path(str(PROJECT / "tasks/lib/lock.py"))

ANSWERS = runpy.run_path(str(ROOT / "hooks" / "pre_gen_project.py"))
KINDS: list[str] = ANSWERS["KINDS"]
PYTHONS: list[str] = ANSWERS["PYTHONS"]
PYTHON = "{{ cookiecutter.python_version }}"
OLDEST = min(PYTHONS, key=lambda version: [int(part) for part in version.split(".")])

# The tests wait much of the time, for programs and machines: three processes keep two processors
# busy. One process runs all tests of a file, since these share what they have made. The files keep
# the order of tests/conftest.py, in which those that take longest come first.
TOGETHER = ["--numprocesses=3", "--dist=loadfile", "--no-loadscope-reorder", "--durations=20"]

os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")  # which Python runs is the user's choice
# Without kept bytecode each of the tests' thousands of Python processes would compile what it runs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "security", "test", "e2e"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, shell scripts and playbooks of the template and of what it makes."""
    install(session, "lint", "test", "programs")
    if session.posargs:  # from a Git hook: check only the style of these files
        session.run("ruff", "check", "--force-exclude", *session.posargs)
        session.run("ruff", "format", "--check", "--force-exclude", *session.posargs)
        return
    session.run("python", "docs/quadrants.py", "--check")
    install(session, "packages", "test", "dev-packages", folder=PROJECT)
    # Below .nox ruff would find nothing to check, and say that all is well.
    with tempfile.TemporaryDirectory() as folder:
        baked = [bake(session, Path(folder, kind), f"kind={kind}") for kind in KINDS]
        for checked in (ROOT, *baked):
            with session.chdir(checked):
                session.run("ruff", "check")
                session.run("ruff", "format", "--check")
                session.run("mypy")
        playbooks = ("deploy/ansible", "deploy/inventory")
        for project in baked:
            with session.chdir(project):
                session.run("lint-imports", "--no-cache")
                session.run("ansible-lint", "--offline", "--profile", "production", *playbooks)
        scripts = shell_scripts(session, Path(folder, "shell"))
        options = ("--external-sources", "--check-sourced", "--severity=style")
        with session.chdir(Path(folder, "shell")):
            session.run("shellcheck", *options, *scripts)


@nox.session
def security(session: nox.Session) -> None:
    """Look for risky code and secrets in the template; what it generates has its own session."""
    install(session, "security")
    own = [name for name in files(session) if not name.startswith(PROJECT.name)]
    code = [name for name in own if name.endswith(".py") and not name.startswith("tests/")]
    session.run("bandit", "--quiet", "--configfile", "pyproject.toml", *code)
    locks = ("Pipfile.lock", "package-lock.json")
    texts = [name for name in own if Path(name).name not in locks]
    session.log(f"detect-secrets-hook on {len(texts)} files")
    session.run("detect-secrets-hook", *texts, log=False)


@nox.session
def test(session: nox.Session) -> None:
    """Bake with every kind of answer and look at the result; arguments go to pytest.

    Without arguments it also measures how much of the engine's code the tests run.
    """
    install(session, "test", "locks", "programs")
    install_debian_packages(session)
    everything = [*TOGETHER, "--cov", "--cov-report=term", "--ignore=tests/e2e", "tests"]
    measured = {"COVERAGE_FILE": str(Path(session.create_tmp(), "coverage").resolve())}
    session.run("pytest", *(session.posargs or everything), env=measured)


@nox.session
def e2e(session: nox.Session) -> None:
    """Build, install, upgrade and roll back real packages; arguments go to pytest."""
    install(session, "test")
    install_debian_packages(session)
    session.run("pytest", *(session.posargs or [*TOGETHER, "tests/e2e"]))


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Try all that test and e2e take samples of, which takes hours; arguments go to pytest."""
    install(session, "test", "locks", "programs")
    install_debian_packages(session)
    everything = [*TOGETHER, "tests/test_offline_binary.py", "tests/engine", "tests/e2e"]
    session.run("pytest", *(session.posargs or everything), env={"QUADRANT_SOAK": "1"})


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Write the README's picture and table, and what projects derive from their branches.

    `-- --check` only compares the first two; a project's own lint compares the rest.
    """
    session.run("python", "docs/quadrants.py", *session.posargs)
    if session.posargs:
        return
    install(session, "test")
    with tempfile.TemporaryDirectory() as folder:
        baked = bake(session, Path(folder, "baked"), "ci=all")
        with session.chdir(baked):
            session.run("invoke", "branch.sync")
        shutil.rmtree(PROJECT / "ops" / "branches")
        pipelines = (".github/workflows", ".gitlab-ci.yml", "Jenkinsfile")
        for name in ("ops/branches", "docs/branches.md", *pipelines):
            source = baked / name
            if source.is_dir():
                shutil.copytree(source, PROJECT / name, dirs_exist_ok=True)
            else:
                shutil.copy(source, PROJECT / name)


@nox.session(default=False)
def bakes(session: nox.Session) -> None:
    """Bake each kind of project on this system, and run its lint: for systems without e2e."""
    install(session, "test")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for kind in KINDS:
            python = "{}.{}".format(*sys.version_info[:2])
            answers = (f"kind={kind}", "ci=all", f"python_version={python}")
            with session.chdir(bake(session, Path(folder, kind), *answers)):
                session.run("nox", "--session", "lint", "docs")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure what the README promises of speed; arguments name the benchmarks to run."""
    install(session, "test", "locks", "bench")
    for script in session.posargs or sorted(str(path) for path in Path("bench").glob("[!_]*.py")):
        session.run("python", script)


@nox.session(default=False, python=OLDEST)
def locks(session: nox.Session) -> None:
    """Renew every Pipfile.lock: the template's, those of generated projects and those of tests."""
    install(session, "locks")
    kinds = sorted((PROJECT / "kinds").iterdir())
    programs = sorted(path.parent for path in ROOT.glob("tests/e2e/programs/*/Pipfile"))
    for folder in (ROOT, PROJECT, *kinds, ROOT / "tests" / "e2e" / "heavy", *programs):
        # pipenv leaves its requests and responses behind, so it works on a copy.
        copy = Path(session.create_tmp(), "lock")
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        pipfile = (folder / "Pipfile").read_text(encoding="utf-8")
        (copy / "Pipfile").write_text(pipfile.replace(PYTHON, OLDEST), encoding="utf-8")
        # The package indexes of this machine's pip settings would go into the lock's own hash, and
        # no other machine would find that the lock fits its Pipfile.
        neutral = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": None,
            "PIP_EXTRA_INDEX_URL": None,
        }
        with session.chdir(copy):
            session.run("pipenv", "lock", env={"TMPDIR": str(copy), **neutral})
        made = anywhere(copy / "Pipfile.lock")
        if PYTHON in pipfile:
            made["_meta"] |= meta(copy / "Pipfile")
        (folder / "Pipfile.lock").write_text(written(made), encoding="utf-8")


def install(session: nox.Session, *categories: str, folder: Path = ROOT) -> None:
    """Install Pipfile categories of `folder` as its Pipfile.lock pins them."""
    listing = Path(session.create_tmp(), "requirements.txt")
    pinned = lock["requirements"](folder / "Pipfile.lock", categories)
    listing.write_text(pinned, encoding="utf-8")
    session.install("--require-hashes", "--no-deps", "--requirement", str(listing))


def install_debian_packages(session: nox.Session) -> None:
    """Install the programs that tests run, where that is allowed; tests name what is missing."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        session.run("sh", "tests/install-packages.sh", external=True)


def bake(session: nox.Session, output: Path, *answers: str) -> Path:
    """Make a project in the folder `output`; for questions without `answers`, take the defaults.

    Return the project's folder.
    """
    options = ("--no-input", "--default-config", "--output-dir", str(output))
    output.mkdir()
    session.run("cookiecutter", *options, ".", *answers)
    return next(output.iterdir())


def files(session: nox.Session) -> list[str]:
    """Return the files of the template that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = session.run(*command, external=True, silent=True) or ""
    return [name for name in listed.split("\0") if Path(name).is_file()]


def shell_scripts(session: nox.Session, folder: Path) -> list[str]:
    """Copy the shell scripts to `folder` with @tokens@ as plain words; return the entry points.

    The others are read by these, and checked together with them.
    """
    entries = ("#!/bin/sh", "#!/usr/bin/env bash")
    folder.mkdir()
    shutil.copy(".shellcheckrc", folder)
    scripts = []
    for name in files(session):
        text = Path(name).read_bytes().decode("utf-8", "replace")
        if text.startswith((*entries, "# shellcheck shell=")):
            copy = folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(re.sub(r"@([a-z_]+)@", r"\1", text), encoding="utf-8")
            if text.startswith(entries):
                scripts.append(name)
    return scripts


def anywhere(path: Path) -> dict[str, dict[str, Any]]:
    """Return a Pipfile.lock without the package index it was made from."""
    content: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    content["_meta"]["sources"] = []
    for category in content.keys() - {"_meta"}:
        for entry in content[category].values():
            entry.pop("index", None)
    return content


def meta(pipfile: Path) -> dict[str, object]:
    """Return what a lock says of a Pipfile that requires OLDEST, for each answer to that question.

    The Python is a part of the hash by which Pipenv knows the Pipfile.
    """
    asked = lock["read_pipfile"](pipfile)
    hashes = {}
    for python in PYTHONS:
        asked["requires"] = {"python_version": python}
        hashes[python] = lock["fingerprint"](asked, lock["USUAL"])
    chosen = f"{{{{ {hashes}[cookiecutter.python_version] }}}}"
    return {"hash": {"sha256": chosen}, "requires": {"python_version": PYTHON}}


def written(content: dict[str, dict[str, Any]]) -> str:
    """Return a Pipfile.lock as Pipenv writes it."""
    return json.dumps(content, indent=4, sort_keys=True) + "\n"
