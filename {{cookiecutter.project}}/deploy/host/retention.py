"""Decide which releases a machine keeps, and remove the others."""

from pathlib import Path

from .installation import Installation
from .state import State

_LEAST = 2


def prune(this: Installation) -> None:
    """Remove the releases that are not kept. The caller holds the lock. Raises OSError."""
    keep = max(this.facts(this.active).keep_releases, _LEAST)
    kept = to_keep(this.active, this.states.load(), this.releases(), keep)
    for name in this.releases():
        if name not in kept:
            # Rename it away first: there is never a partly removed release in `releases`.
            trash = this.place.engine / f"removed-{name}"
            this.disk.remove(trash)
            this.disk.rename(this.place.releases / name, trash)
            this.disk.remove(trash)


def to_keep(active: str, state: State, installed: list[str], keep: int) -> set[str]:
    """Return the releases to keep: the needed ones, then the most recently active, up to `keep`.

    Needed are the active release, those of a switch or trial under way, and the ones that a
    rollback would go to. A release that never became active is not kept.
    """
    here = [name for name in state.before if name in installed and name != active]
    needed = {active, *here[:1]}
    for change in (state.switch, state.trial and state.trial.change):
        if change:
            needed |= {change.old, change.new, *change.before[:1]}
    kept = [name for name in installed if name in needed]
    for name in state.recent:
        if name in installed and name not in kept and len(kept) < keep:
            kept.append(name)
    return set(kept)


def leftovers(folder: Path, names: list[str]) -> list[Path]:
    """Return the paths that killed runs have left in the engine's folder."""
    return [folder / name for name in names if name.startswith(("removed-", "staging"))]
