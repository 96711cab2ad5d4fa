"""The template's own files: legal on every system, and without template statements in Python."""

import re

import pytest

from tests.support import ROOT, tracked

FILES = tracked()


def test_no_python_holds_template_statements() -> None:
    statement = "{" + "%"
    python = [name for name in FILES if name.endswith(".py")]
    assert [name for name in python if statement in (ROOT / name).read_text("utf-8")] == []


@pytest.mark.parametrize("name", FILES)
def test_a_path_can_be_checked_out_on_windows(name: str) -> None:
    assert len(name) < 120
    for part in name.split("/"):
        assert not re.search(r'[<>:"|?*\\\x00-\x1f]|[ .]$', part)
        assert not re.match(r"(?i)(aux|con|nul|prn|(com|lpt)\d)(\.|$)", part)


def test_no_two_paths_differ_in_case_alone() -> None:
    assert len({name.lower() for name in FILES}) == len(FILES)


@pytest.mark.parametrize("name", FILES)
def test_lines_end_with_line_feeds(name: str) -> None:
    assert b"\r" not in (ROOT / name).read_bytes()
