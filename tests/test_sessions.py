"""nox in a baked project: green with no fixing, and red for what it is there to find."""

import json
import os
import re
import shutil
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tasks.lib import interpreter

from tests import services
from tests.conftest import Bake
from tests.services import Advisories
from tests.soak import some
from tests.support import KINDS, PYTHONS, offered_here, run

NOX = [sys.executable, "-m", "nox"]
HERE = [version for version in PYTHONS if interpreter.present(version)]
TESTED = some(HERE, 1, "Pythons of a fresh project")
"""The Pythons on which all tests of a fresh project run."""
CHOSEN = ["-s", "lint", *(f"test-{version}" for version in TESTED), "security"]
NOT_HERE = [version for version in PYTHONS if version not in HERE]


def nox(folder: Path, *arguments: str, code: int = 0, **env: str) -> str:
    kept = {key: value for key, value in os.environ.items() if key not in {"CI", "OSV_URL"}}
    done = run([*NOX, *arguments], cwd=folder, env={**kept, **env}, code=code)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(bake: Bake) -> Path:
    return bake(
        git=True, python_version=offered_here(), description='A "quoted" \\ {{ it\'s }} é🎉'
    )


@pytest.fixture
def mended(folder: Path) -> Iterator[Path]:
    """Return the project to a test that breaks it; restore it afterwards."""
    yield folder
    run(["git", "checkout", "--quiet", "."], cwd=folder)
    run(["git", "clean", "--quiet", "--force", "-d"], cwd=folder)


@pytest.fixture
def advisories() -> Iterator[Advisories]:
    """Return an advisory service on loopback that knows of nothing."""
    with services.advisories() as service:
        yield service


def test_a_fresh_project_is_green(folder: Path, advisories: Advisories) -> None:
    said = nox(folder, *CHOSEN, OSV_URL=advisories.url)
    for session in CHOSEN[1:]:
        assert f"* {session}: success" in said
    reports = folder / "reports"
    for name in ("bandit", "detect-secrets", "pip-audit", "mypy", "ruff"):
        json.loads((reports / f"{name}.json").read_text("utf-8"))
    assert all(path.stat().st_size for path in reports.iterdir())
    for version in TESTED:
        coverage = attributes(reports / f"coverage-{version}.xml", "coverage")
        assert float(coverage["branch-rate"]) >= 0.9
        suite = attributes(reports / f"junit-{version}.xml", "testsuite")
        assert int(suite["tests"]) > 50
        assert suite["skipped"] == suite["failures"] == "0"


KNOWN = (
    "import pysonar_scanner.configuration.properties as p; print(*(k.name for k in p.PROPERTIES))"
)
"""Prints every setting of the scanner, which itself takes any name without a word."""


def test_sonarqube_would_get_the_reports_of_a_fresh_project(
    folder: Path, advisories: Advisories
) -> None:
    if not (folder / "reports" / f"coverage-{TESTED[0]}.xml").exists():
        nox(folder, *CHOSEN, OSV_URL=advisories.url)
    said = nox(folder, "-s", "sonar", "--", "--dry-run", SONAR_HOST_URL="http://127.0.0.1:9")
    assert f"Coverage report check passed: reports/coverage-{TESTED[0]}.xml" in said
    assert "Configuration validation PASSED" in said
    given = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["tool"]["sonar"]
    settings = dict(flat(given, "sonar."))
    known = run([folder / ".nox/sonar/bin/python", "-c", KNOWN], cwd=folder).stdout.split()
    assert settings.keys() <= {*known}
    reports = [value for name, value in settings.items() if "eport" in name]
    assert len(reports) == 2
    assert all((folder / str(path)).is_file() for path in reports)


def flat(given: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in given.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


@pytest.mark.parametrize(
    ("coverage", "told"),
    [(None, "there is no coverage report in reports/"), ("<broken", "not valid XML")],
)
def test_sonarqube_needs_whole_reports(mended: Path, coverage: str | None, told: str) -> None:
    shutil.rmtree(mended / "reports", ignore_errors=True)
    if coverage:
        appended("reports/coverage-3.11.xml", coverage)(mended)
        appended("reports/junit-3.11.xml", "<testsuites/>")(mended)
    arguments = ("-s", "sonar", "--", "--dry-run")
    assert told in nox(mended, *arguments, code=1, SONAR_HOST_URL="http://127.0.0.1:9")


def test_without_a_sonarqube_the_session_says_that_it_was_skipped(folder: Path) -> None:
    said = nox(folder, "-s", "sonar", SONAR_HOST_URL="")
    assert "skipped: not asked: SONAR_HOST_URL does not name a SonarQube server" in said


def test_the_documentation_is_a_site_without_dead_links(mended: Path) -> None:
    nox(mended, "-s", "docs")
    assert "<title>" in (mended / "build/site/docs/machines.html").read_text("utf-8")
    appended("docs/hosts.md", "\n[a](none.md) [b](machines.md#none) [c](../none.py)\n")(mended)
    said = nox(mended, "-s", "docs", code=1)
    for link in ("'none.md'", "'machines.md#none'", "'../none.py'"):
        assert f"contains a link {link}" in said


@pytest.mark.parametrize("version", sorted({*HERE} - {*TESTED}))
def test_the_program_works_on_each_python(folder: Path, version: str) -> None:
    """Run what needs no waiting; `nox -s soak` runs all tests on each Python."""
    quick = [f"tests/runtime/test_{name}.py" for name in ("facts", "program", "serve", "service")]
    nox(folder, "-s", f"test-{version}", "--", "--no-cov", "tests/test_app.py", *quick)


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"service"}))
def test_a_fresh_project_of_another_kind_is_green(
    bake: Bake, advisories: Advisories, kind: str
) -> None:
    folder = bake(git=True, python_version=offered_here(), kind=kind)
    said = nox(folder, *CHOSEN, OSV_URL=advisories.url)
    for session in CHOSEN[1:]:
        assert f"* {session}: success" in said


def test_all_that_is_asked_without_words(folder: Path) -> None:
    said = nox(folder, "--list")
    for session in ["lint", *(f"test-{version}" for version in PYTHONS), "security"]:
        assert f"\n* {session} -> " in said


@pytest.mark.parametrize("version", NOT_HERE)
def test_a_python_that_is_not_here_is_skipped(folder: Path, version: str) -> None:
    said = nox(folder, "-s", "lint", f"test-{version}", "--", "noxfile.py")
    assert f"* test-{version}: skipped (Python interpreter {version} not found)" in said


def attributes(path: Path, element: str) -> dict[str, str]:
    return next(ET.parse(path).iter(element)).attrib  # noqa: S314 (these reports are our own)


def test_a_second_run_installs_nothing(folder: Path, advisories: Advisories) -> None:
    sessions = {"lint": "noxfile.py", "security": "pip-audit"}  # each the least that it can do
    for session, argument in sessions.items():
        nox(folder, "-s", session, "--", argument, OSV_URL=advisories.url)
        assert "install" not in nox(folder, "-s", session, "--", argument, OSV_URL=advisories.url)


def test_a_check_that_does_not_exist(folder: Path) -> None:
    said = nox(folder, "-s", "security", "--", "pip-audti", code=1)
    assert "there is no check 'pip-audti': expected bandit, pip-audit, detect-secrets" in said


def test_a_missing_python_is_an_error_in_ci(folder: Path) -> None:
    absent = NOT_HERE or ["3.10"]
    pyproject = folder / "pyproject.toml"
    if not NOT_HERE:
        text = pyproject.read_text()
        pyproject.write_text(text.replace("Python :: 3.11", f"Python :: {absent[0]}"))
    said = nox(folder, "-s", f"test-{absent[0]}", code=1, CI="true")
    assert f"Python interpreter {absent[0]} not found" in said
    run(["git", "checkout", "--quiet", "."], cwd=folder)


def test_the_python_that_ships_is_never_skipped(mended: Path) -> None:
    (mended / ".python-version").write_text("3.99\n")
    pyproject = mended / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("Python :: 3.14", "Python :: 3.99"))
    assert "Python interpreter 3.99 not found" in nox(mended, "-s", "test-3.99", code=1)


def appended(name: str, text: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((path.read_text() if path.exists() else "") + text)

    return damage


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (appended("src/my_service/more.py", "import os\n"), "F401"),
        (appended("src/my_service/runtime/cli.py", "x = {  'a':1}\n"), "would be reformatted"),
        (
            appended("src/my_service/runtime/cli.py", '\n\ndef _f() -> int:\n    return ""\n'),
            "error: Incomp",
        ),
        (
            appended("src/my_service/app.py", '\nLIMIT = int("many")\n'),
            "error: my_service.app cannot be imported: ValueError: invalid literal for int() with "
            "base 10: 'many' (my_service.app, line 29)",
        ),
        (
            appended("tasks/lib/lock.py", "\n\ndef _f(x):\n    return x\n"),
            "Function is missing a type",
        ),
    ],
)
def test_lint_finds(mended: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(mended)
    assert said in nox(mended, "-s", "lint", code=1)


def test_lint_finds_commands_that_do_not_exist(mended: Path) -> None:
    appended("docs/more.md", "`invoke deploy.nothing` `invoke serve --nothing`")(mended)
    unknown = "`nox -s nothing` `my-service nothing` `my-service-admin nothing`"
    appended("README.md", unknown)(mended)
    said = nox(mended, "-s", "lint", code=1)
    for page, names in {
        "README.md": "nox -s nothing; my-service nothing; my-service-admin nothing",
        "docs/more.md": "invoke deploy.nothing; invoke serve --nothing",
    }.items():
        assert f"{page} names what does not exist: {names}" in said


def test_a_failing_test_is_red(mended: Path) -> None:
    appended("tests/test_more.py", "def test_it() -> None:\n    assert 1 == 2\n")(mended)
    assert "1 failed" in nox(mended, "-s", f"test-{HERE[0]}", "--", "-k", "test_it", code=1)


def test_untested_code_is_red(mended: Path) -> None:
    many = "".join(f"    if x == {n}:\n        x += {n}\n" for n in range(100))
    appended("src/my_service/more.py", f"def f(x: int) -> int:\n{many}    return x\n")(mended)
    # Few tests run here; test_a_fresh_project_is_green shows that all of them reach the mark.
    said = nox(mended, "-s", f"test-{HERE[0]}", "--", "tests/tasks", code=1)
    assert "Required test coverage of 90.0% not reached" in said
    assert re.search(r"^src/my_service/more\.py +202 +20[12] ", said, re.MULTILINE)


def test_security_finds(mended: Path, advisories: Advisories) -> None:
    appended("src/my_service/more.py", 'eval("1")\n')(mended)
    appended("docs/more.md", f"AKIA{'IOSFODNN7EXAMPLF'}\n")(mended)
    said = nox(mended, "-s", "security", code=1, OSV_URL=advisories.url)
    assert "bandit: B307:src/my_service/more.py" in said
    assert re.search("detect-secrets: .*:docs/more.md", said)
    assert "pip-audit: 0 problems, exit code 0" in said


def test_a_vulnerable_package_is_red_until_it_is_allowed(
    mended: Path, advisories: Advisories
) -> None:
    advisories.records = [services.advisory("GHSA-test", "click", "999")]
    audit = ("-s", "security", "--", "pip-audit")
    said = nox(mended, *audit, code=1, OSV_URL=advisories.url)
    assert "pip-audit: CVE-test:click" in said
    entry = '\n[[tool.security.allow]]\ncheck = "pip-audit"\nfinding = "CVE-test:click"\n'
    appended("pyproject.toml", f'{entry}until = 2999-12-31\nreason = "made up"\n')(mended)
    said = nox(mended, *audit, OSV_URL=advisories.url)
    assert "Session security was successful" in said
    pyproject = mended / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("2999-12-31", "2020-12-31"))
    said = nox(mended, *audit, code=1, OSV_URL=advisories.url)
    assert "allow-list entry CVE-test:click ended on 2020-12-31" in said


@pytest.mark.parametrize("broken", [True, False])
def test_a_silent_advisory_service_is_never_green(
    folder: Path, advisories: Advisories, broken: bool
) -> None:
    advisories.broken = broken
    url = advisories.url if broken else "http://127.0.0.1:9/v1/query"
    audit = ("-s", "security", "--", "pip-audit")
    said = nox(folder, *audit, OSV_URL=url)
    silent = f"pip-audit: {url} does not answer"
    assert f"Session security skipped: not audited: {silent}" in said
    assert "success" not in said
    assert "Traceback" not in said
    assert not (folder / "reports/pip-audit.json").exists()
    said = nox(folder, *audit, code=1, OSV_URL=url, CI="1")
    assert f"Session security aborted: {silent}" in said


def test_a_check_that_crashed_is_red(folder: Path, advisories: Advisories) -> None:
    nox(folder, "-s", "security", "--", "pip-audit", OSV_URL=advisories.url)
    checks = ("bandit", "pip-audit", "detect-secrets")
    programs = {check: folder / ".nox/security/bin" / check for check in checks}
    kept = {program: program.read_bytes() for program in programs.values()}
    try:
        for check, program in programs.items():
            crash = f"import sys\nsys.path.append('x')\nimport no_such_module_of_{check[:3]}\n"
            program.write_text(f"#!{folder}/.nox/security/bin/python\n{crash}")
        said = nox(folder, "-s", "security", code=1, OSV_URL=advisories.url)
    finally:
        for program, content in kept.items():
            program.write_bytes(content)
    assert "Traceback" not in said
    reports = [path for path in (folder / "reports").iterdir() if path.is_file()]
    for check in checks:
        why = f"ModuleNotFoundError: No module named 'no_such_module_of_{check[:3]}'"
        assert f"{check} crashed: {why} (all of it: reports/{check}.log)" in said
        assert why in (folder / f"reports/{check}.log").read_text()
        assert check not in [path.stem for path in reports if path.suffix == ".json"]
    assert all(path.stat().st_size for path in reports)


def test_a_lock_made_on_another_python_is_told(mended: Path, advisories: Advisories) -> None:
    """A lock made on a newer Python lacks packages that only older Pythons need."""
    path = mended / "Pipfile.lock"
    content = json.loads(path.read_text())
    for session, lacking, by in (("lint", "mypy-extensions", "mypy"), ("security", "rich", "")):
        del content[session][lacking]
        path.write_text(json.dumps(content))
        shutil.rmtree(mended / ".nox" / session, ignore_errors=True)
        said = nox(mended, "-s", session, code=1, OSV_URL=advisories.url)
        assert "Pipfile.lock does not serve Python 3.11, 3." in said
        assert f"{by} needs {lacking} there: run `invoke deps.lock`" in said
        assert "Traceback" not in said


@pytest.mark.parametrize("session", ["lint", f"test-{HERE[0]}", "security"])
def test_a_stale_or_missing_lock_is_refused(mended: Path, session: str) -> None:
    appended("Pipfile", '\n[more]\nclick = "*"\n')(mended)
    said = nox(mended, "-s", session, code=1)
    assert "Pipfile.lock does not fit its Pipfile: run `invoke deps.lock`" in said
    (mended / "Pipfile.lock").unlink()
    said = nox(mended, "-s", session, code=1)
    assert "there is no Pipfile.lock: run `invoke deps.lock`" in said
    assert "Traceback" not in said
