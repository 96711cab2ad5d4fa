"""tasks.checks.commands: the commands that pages of documentation name."""

from pathlib import Path

import pytest
from tasks.checks import commands

HELPS = {
    "nox -s": {"lint": "", "test": ""},
    "invoke": {"deploy.verify": "-h, --help", "serve": "-p INT, --port=INT   Port"},
    "my-service": {"check": "--url TEXT --release ID"},
}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("run `nox -s lint` and `invoke serve --port 80`", []),
        ("run `nox -s lnt`", ["nox -s lnt"]),
        (
            "```sh\nsudo invoke deploy.verify dist/x\ninvoke deploy.verfy\n```",
            ["invoke deploy.verfy"],
        ),
        ("`invoke serve --prt 80`", ["invoke serve --prt"]),
        ("`my-service check --url X \\\n --release Y`", []),
        ("```\nmy-service check --url X \\\n  --realease Y\n```", ["my-service check --realease"]),
        ("`sudo $name chck`, `NAME chack`", ["my-service chck", "my-service chack"]),
        ("`invoke serve | grep --colour x`", []),
        ("prose may invoke anything, and /opt/my-service anything too", []),
        ("`/opt/my-service anything`, `invoke --list`", []),
    ],
)
def test_names(tmp_path: Path, text: str, wrong: list[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert commands.unknown(page, HELPS, "my-service") == wrong
