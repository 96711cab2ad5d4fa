from click.testing import CliRunner, Result
from my_service.cli import RELEASE, main

TABLE = "a | b\n--|--\n1 | 2\n"


def call(*words: str, given: str = "") -> Result:
    return CliRunner().invoke(main, words, input=given)


def test_version() -> None:
    assert call("--version").output == f"my-service {RELEASE}\n"


def test_extensions_are_found_by_their_entry_points() -> None:
    assert {"tables", "toc"} <= set(call("extensions").output.split())
    assert "<table>" not in call("convert", given=TABLE).output
    assert "<table>" in call("convert", "--use", "tables", given=TABLE).output


def test_an_unknown_extension_is_refused() -> None:
    result = call("convert", "--use", "tabels", given=TABLE)
    assert (result.exit_code, "--use is 'tabels': expected one of" in result.output) == (2, True)
