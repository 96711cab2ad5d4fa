"""tasks.lib.process: commands are quiet unless they fail; then the error says why."""

import sys
from pathlib import Path

import pytest
from tasks.lib import process
from tasks.lib.console import TaskError


def test_output_is_returned(tmp_path: Path) -> None:
    script = "import os; print(os.environ['ASKED'], os.getcwd(), bool(os.environ['PATH']))"
    said = process.run([sys.executable, "-c", script], cwd=tmp_path, env={"ASKED": "x"})
    assert said == f"x {tmp_path} True\n"


def test_a_failure_shows_the_last_lines() -> None:
    with pytest.raises(TaskError) as failed:
        process.run(["sh", "-c", "seq 20; echo why >&2; exit 7"])
    first, *lines = str(failed.value).splitlines()
    assert first == "sh failed with exit code 7:"
    assert lines == [f"    {n}" for n in range(10, 21)] + ["    why"]


def test_a_program_that_is_not_there_is_one_line() -> None:
    with pytest.raises(TaskError, match=r"^cannot run /nowhere/x: No such file or directory$"):
        process.run([Path("/nowhere/x")])


def test_tools_that_are_missing_are_named() -> None:
    process.require(["sh"], "it")
    with pytest.raises(TaskError, match=r"^it needs no-such-tool: install binutils$"):
        process.require(["sh", "no-such-tool"], "it")


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("fatal: no\n\n  error: then\n", "no", "then"),
        ("[ERROR]: one\nfatal: two: fatal: x\n", "one", "two: fatal: x"),
        (" \n", "silent", "silent"),
    ],
)
def test_the_line_that_says_why(said: str, first: str, last: str) -> None:
    assert process.first_line(said, "silent") == first
    assert process.last_line(said, "silent") == last
