"""Answers "is it good?": `nox` runs lint, test and security, as CI does."""

import datetime as dt
import os
import sys
import tomllib
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from tasks import docs, findings, interpreter, lock, project  # noqa: E402

THIS = project.load(ROOT)
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["security"]
REPORTS = Path("reports")
IN_CI = bool(os.environ.get("CI"))

nox.needs_version = ">=2025.5"
nox.options.sessions = ["lint", "test", "security"]
nox.options.default_venv_backend = "uv|venv"
nox.options.reuse_venv = "yes"
# A skipped Python is a hole in CI, and the one that ships is skipped nowhere.
nox.options.error_on_missing_interpreters = IN_CI or not interpreter.present(THIS.python)
nox.options.download_python = "auto" if IN_CI else "never"
# nox sees of pyenv's Pythons only those that are active.
os.environ["PATH"] = interpreter.search_path(THIS.pythons)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, and that the docs name only commands that exist."""
    _locked(session, "packages", "dev-packages", "lint", "test")
    _report(session, "ruff", "ruff", "check", "--output-format=json")
    _report(session, "mypy", "mypy", "--output=json")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    helps = docs.helps(THIS, lambda *command: _ask(session, *command))
    for page in docs.pages(ROOT):
        if wrong := docs.unknown(page, helps, THIS.program):
            session.error(f"{page.relative_to(ROOT)} names what does not exist: {'; '.join(wrong)}")


@nox.session(python=THIS.pythons)
def test(session: nox.Session) -> None:
    """Run the tests with branch coverage, on each supported Python."""
    _locked(session, "packages", "test")
    session.run(
        "pytest",
        "--cov",
        f"--cov-report=xml:{REPORTS / f'coverage-{session.python}.xml'}",
        "--cov-report=term",
        f"--junitxml={REPORTS / f'junit-{session.python}.xml'}",
        *session.posargs,
        env={"COVERAGE_FILE": str(Path(session.create_tmp(), "coverage").resolve())},
    )


@nox.session
def security(session: nox.Session) -> None:
    """Look for risky code, vulnerable packages and secrets (OSV_URL: the advisory service)."""
    _locked(session, "security")
    advisories = os.environ.get("OSV_URL") or SETTINGS["advisories"]
    audited = Path(session.create_tmp(), "requirements.txt")
    audited.write_text(_pinned(session, *lock.categories(THIS.lock)), encoding="utf-8")
    failed, unknown = [], []
    for check, command in findings.commands(ROOT, audited, advisories).items():
        report = _report(session, check, *command)
        try:
            problems = findings.problems(check, report, SETTINGS.get("allow", ()), dt.date.today())
        except ValueError:
            unknown.append(f"{check} gave no report (it asked {advisories})")
            continue
        for problem in problems:
            session.warn(problem)
        session.log(f"{check}: {len(problems)} problems, exit code {int(bool(problems))}")
        failed += [f"{check}: exit code 1"] * bool(problems)
    if failed or (unknown and IN_CI):
        session.error("; ".join(failed + unknown))
    if unknown:
        session.skip("not audited: " + "; ".join(unknown))


def _locked(session: nox.Session, *categories: str) -> None:
    """Bring the session's environment to what the lock says; at once where it is there already."""
    pinned = _pinned(session, *categories)
    listing = Path(session.virtualenv.location) / "locked.txt"
    if listing.exists() and listing.read_text(encoding="utf-8") == pinned:
        return
    wanted = listing.with_suffix(".wanted")
    wanted.write_text(pinned, encoding="utf-8")
    session.install("--no-deps", "--require-hashes", "-r", str(wanted))
    wanted.replace(listing)


def _pinned(session: nox.Session, *categories: str) -> str:
    try:
        return lock.requirements(THIS.lock, categories)
    except lock.LockError as error:
        session.error(str(error))


def _report(session: nox.Session, name: str, *command: str) -> Path:
    """Keep what a checker says for machines; the verdict is made elsewhere."""
    REPORTS.mkdir(exist_ok=True)
    path = REPORTS / f"{name}.json"
    path.unlink(missing_ok=True)
    with path.open("w", encoding="utf-8") as file:
        session.run(*command, stdout=file, stderr=sys.stderr, success_codes=range(256))
    return path


def _ask(session: nox.Session, *command: str) -> str:
    return str(session.run(*command, silent=True, log=False, env={"PYTHONPATH": "src"}))
