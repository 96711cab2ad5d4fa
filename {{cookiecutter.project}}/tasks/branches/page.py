"""The part of docs/branches.md that is made from the table: a graph, and a row for each kind."""

import re
from collections.abc import Iterable

from ..lib.console import TaskError
from .table import Kind, Table, targets

BEGIN = "<!-- Written by `invoke branch.sync`. -->"
END = "<!-- The end of what it writes. -->"
_COLUMNS = ("Branch", "For", "Starts from", "Merges into", "Who pushes", "Who merges into it",
            "Checks", "Pipelines also", "May change")  # fmt: skip


def renewed(text: str, table: Table) -> str:
    """Return the page with its part made anew; raise `TaskError` for a page without the marks."""
    found = re.search(rf"{re.escape(BEGIN)}\n.*?{re.escape(END)}\n", text, re.DOTALL)
    if not found:
        raise TaskError(f"docs/branches.md lacks the lines '{BEGIN}' and '{END}'")
    made = f"{BEGIN}\n\n{graph(table)}\n{rows(table)}\n{END}\n"
    return text[: found.start()] + made + text[found.end() :]


def graph(table: Table) -> str:
    """Return the drawing, in Mermaid: where branches start (dashed) and where they merge."""
    kinds = table.values()
    nodes = [f'{_node(kind)}["{kind.name}"]' for kind in kinds]
    starts = [
        f"{_node(table[kind.comes_from])} -.->|starts| {_node(kind)}"
        for kind in kinds
        if kind.comes_from
    ]
    merges = [
        f"{_node(source)} -->|merges| {_node(target)}"
        for source in kinds
        for target in targets(table, source)
    ]
    lines = [f"    {line}" for line in (*nodes, *starts, *merges)]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```", ""])


def rows(table: Table) -> str:
    """Return the table of the page."""
    lines = [_line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
    return "\n".join([*lines, *(_line(_cells(table, kind)) for kind in table.values()), ""])


def _cells(table: Table, kind: Kind) -> list[str]:
    above = table.get(kind.comes_from)
    also = ["build every artefact"] * kind.artefacts
    if kind.deploys:
        also.append(f"deploy to {kind.deploys}{' after an approval' * kind.approval}")
    return [
        f"`{kind.name}`",
        kind.purpose,
        f"`{above.name}`" if above else "",
        _code(target.name for target in targets(table, kind)),
        kind.push,
        kind.merge,
        _code(f"nox -s {session}" for session in kind.checks),
        ", ".join(also),
        _code(kind.files) or "anything",
    ]


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _node(kind: Kind) -> str:
    """Return a name that is no word of Mermaid's, as `end` is one."""
    return f"kind_{kind.key.replace('-', '_')}"
