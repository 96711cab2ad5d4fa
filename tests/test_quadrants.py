"""docs/quadrants.py: the README's picture and table are those of docs/quadrants.toml."""

import runpy
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import ROOT

main: Callable[[Path, list[str]], int] = runpy.run_path(str(ROOT / "docs/quadrants.py"))["main"]


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "template")


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_the_readme_shows_what_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ROOT, ["--check"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "change", "stale"),
    [
        ("README.md", ("| today |", "| planned |"), "README.md"),
        ("docs/quadrants.svg", (">today<", ">planned<"), "docs/quadrants.svg"),
        ("docs/quadrants.toml", ("with everything in it", "alone"), "docs/quadrants.svg"),
        ("docs/quadrants.toml", ("old systems too", "old ones too"), "README.md"),
    ],
)
def test_a_difference_is_told_and_written_anew(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    change: tuple[str, str],
    stale: str,
) -> None:
    edit(folder / file, *change)
    assert main(folder, ["--check"]) == 1
    said = capsys.readouterr().out
    assert said == f"error: {stale} differs from docs/quadrants.toml: run `nox -s docs`\n"
    assert main(folder, []) == 0
    assert main(folder, ["--check"]) == 0


def test_a_quadrant_is_planned_until_its_package_is_there(folder: Path) -> None:
    package = folder / "{{cookiecutter.project}}/tasks/deploy/offline_binary"
    assert "`invoke deploy.offline-binary` | today |" in (folder / "README.md").read_text("utf-8")
    shutil.rmtree(package)
    assert main(folder, ["--check"]) == 1
    main(folder, [])
    assert "`invoke deploy.offline-binary` | planned |" in (folder / "README.md").read_text("utf-8")
    drawn = ET.parse(folder / "docs/quadrants.svg").getroot()  # noqa: S314 (it is our own)
    assert "Planned: online-binary, offline-binary." in "".join(drawn.itertext())


def test_a_readme_without_a_place_for_the_table_is_refused(folder: Path) -> None:
    edit(folder / "README.md", "<!-- The end of what it writes. -->", "")
    with pytest.raises(SystemExit, match=r"error: README.md has no lines"):
        main(folder, [])
