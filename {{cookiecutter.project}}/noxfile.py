"""Check the project: `nox` runs lint, test and security, as CI does."""

import datetime as dt
import os
import sys
import tomllib
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from tasks.branches import derived, table  # noqa: E402
from tasks.branches import pipelines as written  # noqa: E402
from tasks.checks import commands, findings, pipelines, served, site  # noqa: E402
from tasks.checks import sonar as scanner  # noqa: E402
from tasks.lib import console, interpreter, lock, process, project, pythons  # noqa: E402

THIS = project.load(ROOT)
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["security"]
REPORTS = Path("reports")
_SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"
IN_CI = bool(os.environ.get("CI"))

nox.needs_version = ">=2025.5"
nox.options.sessions = ["lint", "test", "security"]
nox.options.default_venv_backend = "uv|venv"
nox.options.reuse_venv = "yes"
# CI must not skip a Python, and no machine may skip the one that ships.
nox.options.error_on_missing_interpreters = IN_CI or not interpreter.present(THIS.python)
nox.options.download_python = "auto" if IN_CI else "never"
# nox finds only those of pyenv's Pythons that are active.
os.environ["PATH"] = interpreter.search_path(THIS.pythons)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, layers, and that the docs name only commands that exist."""
    _locked(session, "packages", "dev-packages", "lint", "test")
    if session.posargs:  # from a Git hook: check only the style of these files
        session.run("ruff", "check", "--force-exclude", *session.posargs)
        session.run("ruff", "format", "--check", "--force-exclude", *session.posargs)
        return
    for check, command in findings.STYLE.items():
        said = _report(session, check, *command)
        if not _path(check).exists():
            session.error(_crash(check, said))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports", "--no-cache")
    session.run("python", *served.question(THIS), env={"PYTHONPATH": "src"})
    helps = commands.helps(THIS, lambda *command: _ask(session, *command))
    found = {page: commands.unknown(page, helps, THIS.program) for page in commands.pages(ROOT)}
    wrong = [
        f"{page.relative_to(ROOT)} names what does not exist: {'; '.join(names)}"
        for page, names in found.items()
        if names
    ]
    wrong += _branches(helps)
    if wrong:
        session.error("\n".join(wrong))


def _branches(helps: dict[str, dict[str, str]]) -> list[str]:
    """Return what does not fit the table of branches, pipelines included."""
    try:
        kinds = table.load(ROOT).values()
        sessions = dict.fromkeys(session for kind in kinds for session in kind.checks)
        deploys = any(kind.deploys for kind in kinds)
        quadrants = written.quadrants(ROOT)
        run = pipelines.problems(ROOT, helps, quadrants, sessions, deploys=deploys)
        return [*derived.problems(ROOT, helps["nox -s"]), *run]
    except console.TaskError as error:
        return [str(error)]


@nox.session(python=THIS.pythons)
def test(session: nox.Session) -> None:
    """Run the tests with branch coverage, on each supported Python."""
    _locked(session, "packages", "dev-packages", "test")  # invoke, for tests/tasks
    session.run(
        "pytest",
        "--numprocesses=auto",
        "--cov",
        f"--cov-report=xml:{REPORTS / f'coverage-{session.python}.xml'}",
        "--cov-report=term",
        f"--junitxml={REPORTS / f'junit-{session.python}.xml'}",
        *session.posargs,
        env={"COVERAGE_FILE": str(Path(session.create_tmp(), "coverage").resolve())},
    )


@nox.session
def security(session: nox.Session) -> None:
    """Look for risky code, vulnerable packages and secrets; arguments name some of the checks.

    OSV_URL names another advisory service.
    """
    _locked(session, "security")
    advisories = os.environ.get("OSV_URL") or SETTINGS["advisories"]
    audited = Path(session.create_tmp(), "requirements.txt")
    audited.write_text(_pinned(session, *lock.categories(THIS.lock)), encoding="utf-8")
    checks = findings.commands(ROOT, audited, advisories)
    if strange := [name for name in session.posargs if name not in checks]:
        session.error(f"there is no check {strange[0]!r}: expected {', '.join(checks)}")
    failed, unknown = [], []
    for check in session.posargs or checks:
        command = checks[check]
        said = _report(session, check, *command)
        if not _path(check).exists() and findings.unreachable(check, said):
            unknown.append(f"{check}: {advisories} does not answer")
            continue
        problems = _problems(check, said)
        for problem in problems:
            session.warn(problem)
        session.log(f"{check}: {len(problems)} problems, exit code {int(bool(problems))}")
        failed += [f"{check}: exit code 1"] * bool(problems)
    if failed or (unknown and IN_CI):
        session.error("; ".join(failed + unknown))
    if unknown:
        session.skip("not audited: " + "; ".join(unknown))


@nox.session
def docs(session: nox.Session) -> None:
    """Build a site of the documentation in build/site/; a dead link is an error."""
    _locked(session, "docs")
    work = Path(session.create_tmp(), "docs").resolve()
    configuration = site.prepare(THIS, work, THIS.build / "site")
    session.run("properdocs", "build", "--config-file", str(configuration))


@nox.session
def sonar(session: nox.Session) -> None:
    """Send the reports to SonarQube, and wait for its verdict (SONAR_HOST_URL, SONAR_TOKEN)."""
    if not os.environ.get("SONAR_HOST_URL"):
        session.skip("not asked: SONAR_HOST_URL does not name a SonarQube server")
    _locked(session, "sonar")
    try:
        reports = scanner.options(REPORTS, THIS.pythons)
    except console.TaskError as error:
        session.error(str(error))
    session.run("pysonar", *reports, *session.posargs)


def _problems(check: str, said: str) -> list[str]:
    report = _path(check)
    if not report.exists():
        return [_crash(check, said)]
    try:
        return findings.problems(check, report, SETTINGS.get("allow", ()), dt.date.today())
    except ValueError as error:
        return [str(error)]


def _crash(check: str, said: str) -> str:
    why = process.last_line(said, "it does not say why")
    return f"{check} crashed: {why} (all of it: {_path(check, 'log')})"


def _locked(session: nox.Session, *categories: str) -> None:
    """Install what the lock says in the session's environment, unless it is installed already."""
    pinned = _pinned(session, *categories)
    listing = Path(session.virtualenv.location) / "locked.txt"
    if listing.exists() and listing.read_text(encoding="utf-8") == pinned:
        return
    wanted = listing.with_suffix(".wanted")
    wanted.write_text(pinned, encoding="utf-8")
    session.install("--no-deps", "--require-hashes", "-r", str(wanted))
    site = session.run("python", "-c", _SITE, silent=True, log=False)
    try:
        pythons.require_whole(THIS, categories, Path(str(site).strip()))
    except lock.LockError as error:
        session.error(str(error))
    wanted.replace(listing)


def _pinned(session: nox.Session, *categories: str) -> str:
    try:
        pythons.require_usable(THIS)
        return lock.requirements(THIS.lock, categories)
    except lock.LockError as error:
        session.error(str(error))


def _report(session: nox.Session, name: str, *command: str) -> str:
    """Write a checker's machine-readable report to NAME.json; the caller judges it.

    Return its other output. If there is no usable report, NAME.log has all of the output.
    """
    REPORTS.mkdir(exist_ok=True)
    path, beside = _path(name), _path(name, "log")
    path.unlink(missing_ok=True)
    part = _path(name, "part")
    with part.open("w", encoding="utf-8") as out, beside.open("w", encoding="utf-8") as err:
        session.run(*command, stdout=out, stderr=err, success_codes=range(256))
    output, said = (p.read_text(encoding="utf-8", errors="replace") for p in (part, beside))
    part.unlink()
    try:
        path.write_text(findings.whole(name, output), encoding="utf-8")
    except ValueError:
        said = output + said
        beside.write_text(said, encoding="utf-8")
    else:
        beside.unlink()
    return said


def _path(name: str, suffix: str = "json") -> Path:
    return REPORTS / f"{name}.{suffix}"


def _ask(session: nox.Session, *command: str) -> str:
    return str(session.run(*command, silent=True, log=False, env={"PYTHONPATH": "src"}))
