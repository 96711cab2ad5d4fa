"""Writes into the pipelines what `[tool.branches]` says: which branch runs what, and where it goes.

A pipeline is a file that everyone may read as it stands. Only the lines between two marks are
written here, each for one subject, such as the branches that deploy.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ..lib import project, pythons
from ..lib.console import TaskError
from . import provider_github, provider_gitlab, provider_jenkins
from .table import Table, load

FILES: Mapping[str, Mapping[str, Callable[..., Iterable[str]]]] = {
    ".github/workflows/pipeline.yml": provider_github.BLOCKS,
    ".github/workflows/weekly.yml": provider_github.WEEKLY,
    ".gitlab-ci.yml": provider_gitlab.BLOCKS,
    "Jenkinsfile": provider_jenkins.BLOCKS,
}
"""What the blocks of each pipeline hold, by the pipeline's file and the block's subject."""
PUBLISHING = ("online_binary", "offline_source", "offline_binary")
"""The quadrants of which a build publishes artefacts, by the names of their packages."""
_END = "The end of what it writes."
_BLOCK = re.compile(
    r"^( *)((?:#|//) Written by `invoke branch\.sync`: ([a-z]+)\n)(.*?)^ *(?:#|//) "
    + re.escape(_END),
    re.DOTALL | re.MULTILINE,
)


def expected(root: Path) -> dict[str, str]:
    """Return the text of each pipeline that a project has, by its path.

    Raises `TaskError` for a pipeline that lacks a block.
    """
    table = load(root)
    facts = {"pythons": pythons.in_order(project.load(root)), "quadrants": quadrants(root)}
    found = [name for name in FILES if (root / name).is_file()]
    return {name: _renewed(root, name, table, facts) for name in found}


def quadrants(root: Path) -> list[str]:
    """Return the quadrants that a project has, of those that publish artefacts."""
    folder = root / "tasks" / "deploy"
    return [name.replace("_", "-") for name in PUBLISHING if (folder / name).is_dir()]


def _renewed(root: Path, name: str, table: Table, facts: Mapping[str, list[str]]) -> str:
    text, blocks = (root / name).read_text(encoding="utf-8"), FILES[name]
    marked = [found[3] for found in _BLOCK.finditer(text)]
    for subject in [*blocks, *marked]:
        if subject not in blocks or marked.count(subject) != 1:
            raise TaskError(
                f"{name} has {marked.count(subject)} blocks '{subject}': expected one of each of "
                f"{', '.join(blocks)}, from 'Written by `invoke branch.sync`: …' to '{_END}'"
            )

    def written(found: re.Match[str]) -> str:
        indent, begin, subject = found[1], found[2], found[3]
        given = facts.get(subject, table)
        lines = "".join(f"{indent}{line}".rstrip() + "\n" for line in blocks[subject](given))
        return f"{indent}{begin}{lines}{indent}{begin.split()[0]} {_END}"

    return _BLOCK.sub(written, text)
