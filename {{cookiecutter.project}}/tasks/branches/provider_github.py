"""GitHub's spelling of what the table says of pipelines.

What an expression may hold: https://docs.github.com/actions/reference/workflows-and-actions/expressions
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from .table import Kind, Table

_PUSHED = "github.ref_name"
_BRANCH = "(github.head_ref || github.ref_name)"
"""The branch that was pushed, or that a request merges."""
_GOING_ON = ("!cancelled()", "!failure()")


def _branches(table: Table) -> Iterator[str]:
    names = ", ".join(f'"{kind.name}"' for kind in table.values())
    yield f"branches: [{names}]"


def _session(session: str, table: Table) -> Iterator[str]:
    kinds = [kind for kind in table.values() if session in kind.checks]
    if len(kinds) < len(table):
        yield from _folded("||", ["github.ref_type == 'tag'", *_names(kinds, _BRANCH)])


def _matrix(name: str, values: Sequence[str]) -> Iterator[str]:
    listed = ", ".join(f'"{value}"' for value in values)
    yield f"{name}: [{listed}]"


def _artefacts(table: Table) -> Iterator[str]:
    named = _names((kind for kind in table.values() if kind.artefacts), _PUSHED)
    where = " || ".join(["github.ref_type == 'tag'", *named])
    yield from _folded("&&", [*_GOING_ON, "github.event_name == 'push'", f"({where})"])


def _deploy(table: Table) -> Iterator[str]:
    kinds = [kind for kind in table.values() if kind.deploys]
    where = " || ".join(_names(kinds, _PUSHED)) or "false"
    pushed = ["github.event_name == 'push'", "github.ref_type == 'branch'"]
    yield from _folded("&&", [*_GOING_ON, *pushed, f"({where})"])
    *others, last = dict.fromkeys(kind.deploys for kind in kinds) or [""]
    chosen = "".join(
        f"({' || '.join(_names((k for k in kinds if k.deploys == name), _PUSHED))}) && '{name}' || "
        for name in others
    )
    if last:
        yield f"environment: ${{{{ {chosen}'{last}' }}}}"


def _develop(table: Table) -> Iterator[str]:
    yield f"ref: {updated(table)}"


def updated(table: Table) -> str:
    """Return the branch whose dependencies the weekly job renews."""
    kind = table.get("dependency")
    origin = table[kind.comes_from] if kind and kind.comes_from else None
    return origin.name if origin else next(kind.name for kind in table.values() if kind.fixed)


def _folded(operator: str, terms: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a condition, a term on each."""
    yield "if: >-"
    yield from (f"  {term} {operator}" for term in terms[:-1])
    yield f"  {terms[-1]}"


def _names(kinds: Iterable[Kind], branch: str) -> list[str]:
    """Return a term for each kind, which says that a branch is of that kind."""
    return [
        f"{branch} == '{kind.name}'"
        if kind.fixed
        else f"startsWith({branch}, '{kind.name.removesuffix('*')}')"
        for kind in kinds
    ]


BLOCKS: Mapping[str, Callable[..., Iterable[str]]] = {
    "branches": _branches,
    **{name: partial(_session, name) for name in ("lint", "test", "security")},
    "pythons": partial(_matrix, "python"),
    "artefacts": _artefacts,
    "quadrants": partial(_matrix, "quadrant"),
    "deploy": _deploy,
}
WEEKLY: Mapping[str, Callable[..., Iterable[str]]] = {"develop": _develop}
