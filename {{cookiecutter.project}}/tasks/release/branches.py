"""The branches of releases, as `[tool.branches]` in pyproject.toml names them."""

from dataclasses import dataclass
from pathlib import Path

from ..branches import table
from ..branches.table import Kind
from ..lib.console import TaskError

_KIND = "release"


@dataclass(frozen=True)
class Branches:
    """Where releases begin, are prepared and end."""

    main: str
    """The branch of what is released: releases begin from it and end in it."""
    others: tuple[str, ...]
    """The other branches that releases end in, such as that of daily work."""
    kind: Kind
    """The kind of the branches on which releases are prepared."""

    def of(self, version: str) -> str:
        """Return the branch on which a version is prepared."""
        return self.kind.branch(version)


def load(root: Path) -> Branches:
    """Return the branches of a project's releases; raise `TaskError` where the table lacks them."""
    kinds = table.load(root)
    kind = kinds.get(_KIND)
    if kind is None or not kind.comes_from:
        raise TaskError(f"pyproject.toml has no [tool.branches.{_KIND}] that says where they begin")
    main = kinds[kind.comes_from].name
    ends = [kinds[key] for key in kind.into]
    others = tuple(end.name for end in ends if end.fixed and end.name != main)
    return Branches(main, others, kind)
