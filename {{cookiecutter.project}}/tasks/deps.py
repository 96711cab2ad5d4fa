"""Dependencies: the lock that serves every Python, and the index that the Pipfile names."""

from invoke.context import Context

from .lib import index, lock, pipenv, project
from .lib.console import TaskError, closing
from .lib.task import task


@task(name="lock", help={"only": "Packages of the Pipfile to renew, such as a,b (default: all)."})
def make_lock(_context: Context, only: str = "") -> None:
    """Make Pipfile.lock anew with Pipenv, so that it serves every Python of the project."""
    this = project.load()
    names = [name.strip() for name in only.split(",") if name.strip()]
    try:
        old = lock.read(this.lock) if this.lock.exists() else {}
        made = pipenv.renewed(this, names)
        pipenv.keep(this, made)
    except lock.LockError as error:
        raise TaskError(str(error)) from error
    changes = lock.changes(old, made)
    closing(
        f"{this.lock.name} serves Python {', '.join(this.pythons)}",
        {"changed": ", ".join(changes) or "nothing", "next": "`pipenv sync --dev`, then `nox`"},
    )


@task(name="index", help={"url": "The index's URL (default: the one that pip uses here)."})
def name_index(_context: Context, url: str = "") -> None:
    """Write the package index into the Pipfile, so that Pipenv takes the lock on any machine."""
    this = project.load()
    try:
        source, taken_out = index.name(this, url)
    except lock.LockError as error:
        raise TaskError(str(error)) from error
    rows = {"url": source["url"], "next": "`pipenv verify`, then commit Pipfile and Pipfile.lock"}
    if taken_out:
        rows["set"] = f"{' and '.join(taken_out)} in the environment: they stood in the URL"
    closing("The Pipfile names its package index", rows)
