"""tasks.lib.console: what a terminal sees, and what a log keeps."""

import re
import sys
from pathlib import Path

import pytest
from tasks.lib import console


def test_a_log_gets_a_step_once(capsys: pytest.CaptureFixture[str]) -> None:
    with console.step("packing"):
        assert capsys.readouterr().out == ""
    assert re.fullmatch(r"  - packing \(\d+\.\d s\)\n", capsys.readouterr().out)
    with pytest.raises(ZeroDivisionError), console.step("packing"):
        _ = 1 / 0
    assert capsys.readouterr().out == ""


def test_a_terminal_sees_a_step_begin_and_fail(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with console.step("packing"):
        assert capsys.readouterr().out == "  … packing"
    assert capsys.readouterr().out.startswith("\r  ✓ packing (")
    with pytest.raises(ZeroDivisionError), console.step("packing"):
        _ = 1 / 0
    assert capsys.readouterr().out.endswith("\r  ✗ packing\n")


def test_the_closing_block_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    console.closing("done", {"a": "1", "long": "2"})
    console.closing("nothing", {})
    assert capsys.readouterr().out == "\ndone\n  a     1\n  long  2\n\nnothing\n"


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "2 kB"), (3 * 1024**2, "3.0 MB")],
)
def test_sizes(tmp_path: Path, count: int, shown: str) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(count)
    assert console.size(tmp_path / "file") == shown
