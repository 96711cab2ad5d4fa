"""tasks.release.branches: where releases begin, are prepared and end, by the table of branches."""

from pathlib import Path

import pytest
from tasks.lib.console import TaskError
from tasks.release import branches

from tests.branches import ROWS


def test_the_table_names_them(tmp_path: Path) -> None:
    rows = ROWS.replace('name = "main"', 'name = "trunk"').replace('"release/*"', '"v/*"')
    (tmp_path / "pyproject.toml").write_text(rows.replace('name = "develop"', 'name = "next"'))
    found = branches.load(tmp_path)
    assert (found.main, found.others, found.of("1.0")) == ("trunk", ("next",), "v/1.0")


def test_a_table_without_releases_is_one_line(tmp_path: Path) -> None:
    begin = ROWS.index("[tool.branches.release]")
    end = ROWS.index("[tool.branches.docs]")
    rows = (ROWS[:begin] + ROWS[end:]).replace('"release", ', "").replace(', "release"', "")
    (tmp_path / "pyproject.toml").write_text(rows)
    with pytest.raises(TaskError, match=r"^pyproject.toml has no \[tool.branches.release\]"):
        branches.load(tmp_path)
