"""Reads `[tool.branches]` in pyproject.toml: the kinds of branches, and what each may do.

Every hook, task, page and server rule asks this module; nothing else knows the conventions.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..lib.console import TaskError
from ..lib.rules import SWITCH, Rule, Rules, choice, read, text, texts

WHO = ("nobody", "maintainers", "developers")
_WORD = r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*"
"""What `*` in a name stands for; Git, every file system and every server take it."""
_KEY = r"[a-z][a-z0-9-]*"
_WHERE = "tool.branches"


@dataclass(frozen=True)
class Kind:
    """One row of the table."""

    key: str
    name: str
    """One branch's name, such as `main`, or a pattern, such as `feature/*`."""
    purpose: str
    comes_from: str
    """The kind that its branches start from; empty for the one that all others come from."""
    into: tuple[str, ...]
    """The kinds that it may be merged into; the first one is the usual one."""
    push: str
    """Who may push commits to it directly; `nobody` where all comes by requests."""
    checks: tuple[str, ...]
    """The nox sessions that must pass."""
    merge: str = "developers"
    """Who may merge requests into it."""
    artefacts: bool = False
    """Whether pipelines build the artefacts of every quadrant there."""
    deploys: str = ""
    """The target in invoke.yaml to which pipelines deploy from there; none if empty."""
    approval: bool = False
    """Whether someone must approve each of these deployments."""
    files: tuple[str, ...] = ()
    """The files that its commits may touch (see `touches`); any if empty."""

    @property
    def fixed(self) -> bool:
        """Whether there is exactly one branch of this kind."""
        return "*" not in self.name

    @property
    def pattern(self) -> str:
        """The regular expression of its names."""
        return re.escape(self.name).replace(r"\*", _WORD)

    def branch(self, name: str) -> str:
        """Return the full name of a branch of this kind, such as `feature/NAME` for `NAME`."""
        return self.name.replace("*", name)


Table = Mapping[str, Kind]
"""The rows by their kinds, in the order of the file."""


def load(root: Path) -> Table:
    """Read the table of the project in `root`; raise `TaskError` for what is wrong in it."""
    with (root / "pyproject.toml").open("rb") as file:
        given = tomllib.load(file).get("tool", {}).get("branches")
    if not isinstance(given, dict) or not given:
        raise TaskError(f"pyproject.toml has no [{_WHERE}]: docs/branches.md says what it holds")
    return parse(given)


def parse(given: Mapping[str, Any]) -> Table:
    """Return the table that `[tool.branches]` spells; raise `TaskError` for the first mistake."""
    rows = {key: _row(key, row) for key, row in given.items()}
    for check in _CHECKS:
        for problem in check(rows):
            raise TaskError(f"{_WHERE}{problem}")
    return rows


def kind_of(table: Table, branch: str) -> Kind | None:
    """Return the kind of the branch with a name; None for a name that no row allows."""
    return next((kind for kind in table.values() if re.fullmatch(kind.pattern, branch)), None)


def may_merge(source: Kind, target: Kind) -> bool:
    """Return whether branches of one kind may be merged into branches of another.

    Besides what `into` names, each branch may take in the one that it comes from.
    """
    return target.key in source.into or target.comes_from == source.key


def targets(table: Table, source: Kind) -> list[Kind]:
    """Return the kinds that requests from a kind of branches may go to, the usual one first."""
    updated = [kind for kind in table.values() if kind.fixed and kind.comes_from == source.key]
    return list(dict.fromkeys([*(table[key] for key in source.into), *updated]))


def touches(kind: Kind, file: str) -> bool:
    """Return whether a branch of this kind may touch a file.

    A name with `/` at its end is a folder with all below it; in others `*` stands for anything.
    """
    return not kind.files or any(_names(pattern, file) for pattern in kind.files)


def files_pattern(pattern: str) -> str:
    """Return the regular expression of the paths that an entry of `files` names."""
    body = re.escape(pattern).replace(r"\*", ".*")
    return f"{body}.*" if pattern.endswith("/") else body


def names(table: Table) -> str:
    """Return the names that branches may have, for a message."""
    return ", ".join(kind.name for kind in table.values())


def _names(pattern: str, file: str) -> bool:
    return re.fullmatch(files_pattern(pattern), file, re.DOTALL) is not None


_RULES: Mapping[str, Rule] = {
    "name": text(rf"{_WORD}(/\*)?", "a name such as main, or a pattern such as feature/*"),
    "purpose": text(r"[^\n|]+", "one line without |"),
    "from": text(_KEY, "a kind of this table", empty=True),
    "into": texts(_KEY, "kinds of this table"),
    "push": choice(*WHO),
    "merge": choice(*WHO[1:]),
    "checks": texts(r"[a-z][\w.-]*", "nox sessions"),
    "artefacts": SWITCH,
    "deploys": text(r"[\w.-]+", "a target of invoke.yaml", empty=True),
    "approval": SWITCH,
    "files": texts(r"(?!/)[^\n\\]+", "paths below the project's folder"),
}
_NEEDED = ("name", "purpose", "from", "into", "push", "checks")


def _row(key: str, given: object) -> Kind:
    where = f"{_WHERE}.{key}"
    if not re.fullmatch(_KEY, key):
        raise TaskError(f"{_WHERE} has '{key}': expected a word of lower-case letters and digits")
    if not isinstance(given, dict):
        raise TaskError(f"{where} is '{given}': expected a row of the table")
    rules: Rules = _RULES
    values = read(where, given, rules)
    if missing := [name for name in _NEEDED if name not in values]:
        raise TaskError(f"{where} has no '{missing[0]}': expected {_RULES[missing[0]].allowed}")
    return Kind(key=key, comes_from=values.pop("from"), **values)


def _one_root(table: Table) -> Iterator[str]:
    roots = [kind.key for kind in table.values() if not kind.comes_from]
    if len(roots) != 1:
        found = " and ".join(roots) or "no kind"
        yield f" has {found} with an empty 'from': expected one kind that all others come from"
    elif not table[roots[0]].fixed:
        yield f".{roots[0]}.name is '{table[roots[0]].name}': expected one name, without a *"


def _kinds_exist(table: Table) -> Iterator[str]:
    for kind in table.values():
        for setting, keys in (("from", [kind.comes_from]), ("into", kind.into)):
            for key in keys:
                if key and key not in table:
                    yield f".{kind.key}.{setting} has '{key}': expected {', '.join(table)}"


def _no_circle(table: Table) -> Iterator[str]:
    for kind in table.values():
        seen, above = [kind.key], kind.comes_from
        while above and above not in seen:
            seen.append(above)
            above = table[above].comes_from
        if above:
            yield f".{kind.key}.from leads in a circle: {' from '.join([*seen, above])}"


def _names_apart(table: Table) -> Iterator[str]:
    """Check that no two names are alike: Git cannot hold `docs` beside `docs/a` either."""
    taken: dict[str, str] = {}
    for kind in table.values():
        first = kind.name.partition("/")[0].lower()
        if first in taken:
            yield f".{kind.key}.name is '{kind.name}': {taken[first]} begins alike"
        taken.setdefault(first, kind.key)


def _approvals_of_something(table: Table) -> Iterator[str]:
    for kind in table.values():
        if kind.approval and not kind.deploys:
            yield f".{kind.key}.approval is true: expected 'deploys' to name what is approved"


_CHECKS: Sequence[Callable[[Table], Iterator[str]]] = (
    _kinds_exist, _one_root, _no_circle, _names_apart, _approvals_of_something,
)  # fmt: skip
