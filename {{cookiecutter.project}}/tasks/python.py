"""The Python that the project ships with: how long it gets fixes, and changing it."""

import datetime as dt

from invoke.context import Context

from .dependencies import python_places
from .lib import end_of_life, interpreter, project
from .lib.console import closing
from .lib.task import task


@task()
def status(_context: Context) -> None:
    """Show the project's Python, its phase in the yearly cycle, and what else could be had."""
    this = project.load()
    rows = {version: _described(version) for version in this.pythons}
    rows["pyenv has"] = ", ".join(interpreter.installed()) or "none"
    minor = interpreter.minor(this.python)
    closing(f"the project ships with Python {this.python}: {_phase(minor)}", rows)


@task(
    name="set",
    positional=["version"],
    help={
        "version": "One of those that pyproject.toml names, such as 3.13.",
        "checks": "Sessions of nox that must pass, such as lint,test (default: all three).",
    },
)
def set_version(_context: Context, version: str, checks: str = "") -> None:
    """Change the Python that the project ships with, on a dependency branch, checks included."""
    this = project.load()
    old, sessions = this.python, [word.strip() for word in checks.split(",") if word.strip()]
    branch, files = python_places.change(this, version, sessions)
    rows = {"changed": ", ".join(files), "next": f"git push --set-upstream origin {branch}"}
    if others := python_places.still_named(this.root, interpreter.minor(old)):
        rows["look at"] = f"{', '.join(others)}: they still name Python {interpreter.minor(old)}"
    closing(f"{branch}: the project ships with Python {version}", rows)


def _described(version: str) -> str:
    here = "is here" if interpreter.present(version) else "is not here"
    return f"{_phase(version)}; {here}"


def _phase(version: str) -> str:
    found = end_of_life.phase(version, dt.datetime.now(dt.UTC).date())
    last = end_of_life.LAST_DAYS.get(version)
    if found is None or last is None:
        return "no date is known"
    if found.name == "end of life":
        return f"end of life since {found.until}"
    fixes = {"bugfix": "bug fixes", "security": "security fixes"}.get(found.name, "no release yet")
    end = "" if found.until == last else f", security fixes until {last}"
    return f"{fixes} until {found.until}{end}"
