"""The pages on frameworks: their code is that of the programs which the end-to-end tests run."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import PROJECT, ROOT

PROGRAMS = ROOT / "tests/e2e/programs"
_BLOCK = re.compile(r"^```(?:python|toml)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_HEADS = {"[packages]", "[scripts]", "[tool.program]", 'kind = "service"', "[tool.mypy]", "…"}
"""Lines that show where the others go."""


def lines(text: str) -> set[str]:
    return {" ".join(line.split()).rstrip(",") for line in text.splitlines() if line.strip()}


def written(program: Path) -> Iterator[str]:
    """Yield the texts of a program and its later versions, and what replaces lines of the bake."""
    for path in program.rglob("*"):
        if path.suffix == ".py" or path.name == "Pipfile":
            yield path.read_text("utf-8")
    yield (PROGRAMS.parent / f"test_{program.name}.py").read_text("utf-8")
    edits = tomllib.loads((program / "edits.toml").read_text("utf-8"))
    for edit in edits["edit"]:
        yield edit["after"]


@pytest.mark.parametrize("name", ["django", "fastapi", "flask"])
def test_the_code_on_the_page_is_the_programs(name: str) -> None:
    page = (PROJECT / "docs/frameworks" / f"{name}.md").read_text("utf-8")
    blocks = _BLOCK.findall(page)
    assert len(blocks) > 3
    known = set().union(*map(lines, written(PROGRAMS / name)))
    shown = set().union(*map(lines, blocks))
    missing = {line.replace("PACKAGE", "my_service") for line in shown} - known - _HEADS
    assert not missing
