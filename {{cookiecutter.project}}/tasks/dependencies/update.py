"""Renews the lock on a dependency branch, and says what that changes."""

from collections.abc import Sequence

from ..lib import lock, pipenv
from ..lib.console import TaskError
from ..lib.environment import require_lock
from ..lib.lock import LockError
from ..lib.project import Project
from . import branch, report
from .facts import Facts, gather
from .report import Outcome

SESSIONS = ("lint", "test", "security")
_SECURITY = "security"


def run(users: Project, names: Sequence[str] = (), sessions: Sequence[str] = ()) -> Outcome:
    """Renew the lock, check the project with it, and commit it on a dependency branch.

    `names` are packages of the Pipfile (none: all), `sessions` those of nox to run. Where nothing
    is newer, nothing is committed. Raises `TaskError` where any of that fails; the lock and the
    branch are then as they were.
    """
    with branch.work(users) as work:
        this = work.project
        old, new = _renewed(this, names)
        versions = lock.changes(old, new)
        if not versions:
            return Outcome()
        before = gather(users, users)
        this.lock.write_text(pipenv.text(new), encoding="utf-8")
        require_lock(this)
        after = gather(users, this)
        chosen = tuple(sessions) or _sessions(before, after)
        work.check(chosen)
        ships = frozenset(old["default"]) | frozenset(new["default"])
        outcome = Outcome(versions, before, after, ships, chosen)
        made = work.finish(_name(names), report.message(outcome), [this.lock.name])
    return outcome.on(made)


def _renewed(this: Project, names: Sequence[str]) -> tuple[pipenv.Content, pipenv.Content]:
    try:
        return lock.read(this.lock), pipenv.renewed(this, names)
    except LockError as error:
        raise TaskError(str(error)) from error


def _sessions(before: Facts, after: Facts) -> tuple[str, ...]:
    """Return which sessions can be asked about the new lock.

    One with a new vulnerability is refused. Where one stays that no version fixes yet, the session
    `security` fails with either lock, and would keep every other update away.
    """
    old = (before.vulnerable or {}).keys()
    found = {n: v for n, v in (after.vulnerable or {}).items() if n not in after.accepted}
    if before.vulnerable is not None and (new := sorted(found.keys() - old)):
        told = "".join(f"\n    {found[name]}" for name in new)
        raise TaskError(f"the newer versions have new vulnerabilities, nothing was changed:{told}")
    return tuple(name for name in SESSIONS if name != _SECURITY or not found)


def _name(names: Sequence[str]) -> str:
    """Return what a new branch is called after its prefix: the package, else the day."""
    return names[0].lower() if len(names) == 1 else branch.today()
