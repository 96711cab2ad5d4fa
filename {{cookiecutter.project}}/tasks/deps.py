"""Dependencies: the lock that serves every Python, and what is known of the packages in it."""

import datetime as dt
from pathlib import Path

from invoke.context import Context

from .dependencies import audit, installed, osv, report
from .dependencies import update as updates
from .lib import index, lock, pipenv, project
from .lib.console import TaskError, closing, size
from .lib.environment import ensure, interpreter, require_lock
from .lib.task import task

_CATEGORY = "A category of the Pipfile (default: what is in the program)."


@task(name="lock", help={"only": "Packages of the Pipfile to renew, such as a,b (default: all)."})
def make_lock(_context: Context, only: str = "") -> None:
    """Make Pipfile.lock anew with Pipenv, so that it serves every Python of the project."""
    this = project.load()
    try:
        old = lock.read(this.lock) if this.lock.exists() else {}
        made = pipenv.renewed(this, _words(only))
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


@task(
    help={
        "only": "Packages of the Pipfile to renew, such as a,b (default: all).",
        "checks": "Sessions of nox that must pass, such as lint,test (default: all three).",
    }
)
def update(_context: Context, only: str = "", checks: str = "") -> None:
    """Renew the lock on a dependency branch, check the project with it, and commit it."""
    outcome = updates.run(project.load(), _words(only), _words(checks))
    if not outcome.versions:
        closing("deps.update: everything is as new as the Pipfile allows", {"changed": "nothing"})
        return
    push = f"git push --set-upstream origin {outcome.branch}"
    closing(f"{outcome.branch} has the new lock", {**report.rows(outcome), "next": push})


@task(name="audit")
def ask_audit(_context: Context) -> None:
    """Name the locked packages that have known vulnerabilities, and what fixes each."""
    this = project.load()
    require_lock(this)
    found = audit.run(this, ensure(this, interpreter(this), audit.CATEGORY))
    allowed = audit.accepted(this, found)
    for each in found:
        print(f"  {each}{' (accepted in pyproject.toml)' if each in allowed else ''}")
    closing(
        f"{len(found)} known vulnerabilities in {this.lock.name}",
        {"asked": osv.service(this), "accepted": str(len(allowed))},
    )
    if len(found) > len(allowed):
        raise TaskError("there are vulnerabilities: `invoke deps.update` takes what is fixed")


@task(
    help={
        "output": "The file to write (default: dist/advisories.json).",
        "also": "A bill of materials, or a folder with one, whose packages are asked about too.",
    },
    iterable=["also"],
)
def advisories(_context: Context, output: str = "", also: tuple[str, ...] = ()) -> None:
    """Write all advisories about the locked packages to a file, for machines without a network."""
    this, bills = project.load(), [Path(name) for name in also]
    require_lock(this)
    asked = osv.packages(this, *bills)
    found = osv.collect(osv.service(this), asked, dt.datetime.now(dt.UTC))
    path = Path(output) if output else this.dist / "advisories.json"
    osv.write(path, found)
    closing(
        f"{len(found['vulns'])} advisories about {len(asked)} packages",
        {
            "where": f"{path} ({size(path)})",
            "asked": f"{found['service']}, {found['made']}",
            "here": f"invoke deploy.verify --advisories {path} dist/offline-binary",
            "there": f"{this.program}-admin audit {path.name}",
        },
    )


@task(name="licenses", help={"category": _CATEGORY})
def list_licences(_context: Context, category: str = "packages") -> None:
    """List the licence of every locked package, as the package itself names it."""
    this = project.load()
    require_lock(this)
    found = installed.licences(ensure(this, interpreter(this), category))
    width = max(map(len, found), default=0)
    for name, (version, licence) in found.items():
        print(f"  {name:<{width}}  {version:<12}  {licence}")
    names = [licence for _, licence in found.values()]
    counts = {licence: str(names.count(licence)) for licence in sorted(set(names))}
    closing(f"{len(found)} packages of '{category}'", counts)


@task(help={"category": _CATEGORY, "to": "Show what needs this package, instead of all."})
def tree(_context: Context, category: str = "packages", to: str = "") -> None:
    """Show which locked package needs which."""
    this = project.load()
    require_lock(this)
    environment = ensure(this, interpreter(this), category)
    needed = installed.graph(this, environment, category)
    versions = {name: version for name, (version, _) in installed.licences(environment).items()}
    roots = [project.normalised(to)] if to else installed.roots(this, category, needed)
    shown = installed.reversed_graph(needed, roots[0]) if to else needed
    for line in installed.tree(shown, roots, versions):
        print(f"  {line}")


def _words(given: str) -> list[str]:
    return [word.strip() for word in given.split(",") if word.strip()]
