"""The sample's own test: replace it together with the sample."""

import tomllib
from pathlib import Path
from pkgutil import resolve_name

from click.testing import CliRunner, Result

SETTINGS = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))
[(COMMAND, REFERENCE)] = SETTINGS["project"]["scripts"].items()


def call(*words: str, given: str = "") -> Result:
    return CliRunner().invoke(resolve_name(REFERENCE), words, input=given)


def test_it_says_its_release() -> None:
    name, release = call("--version").output.split()
    assert name == COMMAND
    assert release.startswith(SETTINGS["project"]["version"])


def test_it_counts_files(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("one two\nthree\n")
    result = call("count", str(path))
    assert (result.exit_code, result.output.split()) == (0, ["2", "3", str(path)])


def test_it_counts_what_it_is_given() -> None:
    assert call("count", given="one\n").output.split()[:2] == ["1", "1"]


def test_it_prints_the_most_frequent_words() -> None:
    assert call("words", "--most", "1", given="a b a").output.split() == ["2", "a"]


def test_a_wrong_number_is_refused() -> None:
    result = call("words", "--most", "0")
    assert result.exit_code == 2
    assert "0 is not in the range" in result.output
