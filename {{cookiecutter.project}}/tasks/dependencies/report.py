"""Says what an update of the lock has changed, for people and for the message of its commit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .audit import Vulnerability
from .facts import Facts

_NAMED = 3
_LONGEST_SUBJECT = 72
_KILO = 1024


@dataclass(frozen=True)
class Outcome:
    """What an update has changed."""

    versions: tuple[str, ...] | list[str] = ()
    """Such as `click 8.1.0 -> 8.1.2`; empty where nothing is newer."""
    before: Facts | None = None
    after: Facts | None = None
    ships: frozenset[str] = frozenset()
    """The packages that are in the program, as the lock spells them."""
    checks: tuple[str, ...] = ()
    branch: str = ""

    def on(self, branch: str) -> "Outcome":
        """Return the outcome as it is committed on a branch."""
        return replace(self, branch=branch)


def rows(outcome: Outcome) -> dict[str, str]:
    """Return what an update changes, a row for each question that is answered."""
    before, after = outcome.before, outcome.after
    if not (before and after):
        return {}
    told = {"changed": _listed(outcome.versions)}
    told |= _advisories(before.vulnerable, after.vulnerable)
    told["licences"] = _listed(_licences(before.licences, after.licences), "the same")
    if before.size is not None and after.size is not None:
        told["wheels"] = f"{_kilobytes(before.size)} -> {_kilobytes(after.size)}"
    told["checks"] = f"{', '.join(outcome.checks)} passed"
    if notes := sorted({*before.notes, *after.notes}):
        told["not known"] = "; ".join(notes)
    return told


def message(outcome: Outcome) -> str:
    """Return the message of the commit: a fix if it cures what ships, else a matter of builds."""
    names = sorted({change.partition(" ")[0] for change in outcome.versions})
    kind = "fix" if _cures(outcome) else "build"
    subject = f"{kind}(deps): update {', '.join(names)}"
    if len(names) > _NAMED or len(subject) > _LONGEST_SUBJECT:
        subject = f"{kind}(deps): update {len(names)} packages"
    told = rows(outcome)
    changed = [f"- {change}" for change in outcome.versions]
    others = [f"{key.capitalize()}: {text}" for key, text in told.items() if key != "changed"]
    return "\n".join([subject, "", *changed, "", *others])


def _cures(outcome: Outcome) -> bool:
    before, after = outcome.before, outcome.after
    if not (before and after and before.vulnerable and after.vulnerable is not None):
        return False
    fixed = before.vulnerable.keys() - after.vulnerable.keys()
    return any(before.vulnerable[name].package in outcome.ships for name in fixed)


def _advisories(
    before: Mapping[str, Vulnerability] | None, after: Mapping[str, Vulnerability] | None
) -> dict[str, str]:
    if before is None or after is None:
        return {"advisories": "not known"}
    return {
        "fixed": _listed(_brief(before[name]) for name in before.keys() - after.keys()),
        "new": _listed(_brief(after[name]) for name in after.keys() - before.keys()),
        "still there": _listed(_brief(after[name]) for name in after.keys() & before.keys()),
    }


def _brief(found: Vulnerability) -> str:
    return f"{found.id} of {found.package} {found.version}"


def _licences(
    before: Mapping[str, tuple[str, str]], after: Mapping[str, tuple[str, str]]
) -> Iterable[str]:
    for name in before.keys() | after.keys():
        was, is_now = (each.get(name, ("", "none"))[1] for each in (before, after))
        if was != is_now:
            yield f"{name} {was} -> {is_now}"


def _listed(texts: Iterable[str], otherwise: str = "none") -> str:
    return ", ".join(sorted(texts)) or otherwise


def _kilobytes(count: int) -> str:
    return f"{count / _KILO:.0f} kB"
