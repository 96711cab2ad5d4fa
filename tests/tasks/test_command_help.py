"""tasks.deploy.scripts.command_help: completions and a man page from a click or Typer command."""

import os
import shutil
import sys
from pathlib import Path

import click
import pytest
import typer
from tasks.deploy.scripts import command_help

from tests.support import ROOT, missing, run, tree
from tests.tasks.test_scripts import run as run_script

DATE = "2026-01-02"


TEXT = "Do things.\n\n\b\n.PP is no request here, 'nor is this; a \\ stays, and - is a minus."


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, help=TEXT)
def tool() -> None:
    pass


@tool.group()
def remote() -> None:
    """Look after remotes."""


@remote.command()
@click.argument("name")
@click.option("--depth", type=int, metavar="N", help='How "deep".')
def add(name: str, depth: int) -> None:
    """Add the remote NAME."""


@tool.command(hidden=True)
def secret() -> None:
    """Never shown."""


app = typer.Typer(help="Keep notes.", context_settings={"help_option_names": ["-h", "--help"]})
lists = typer.Typer()
app.add_typer(lists, name="lists", help="Look after lists.")


@lists.command("add")
def add_list(
    name: str, color: str = typer.Option("red", metavar="WORD", help="How it looks.")
) -> None:
    """Add the list NAME."""


@app.command(hidden=True)
def quiet() -> None:
    """Never shown."""


BASH = """
. {file}
COMP_WORDS=({name} li) COMP_CWORD=1
_my_tool_completion {name}
echo "${{COMPREPLY[*]}}"
"""


def written(folder: Path) -> set[str]:
    return {name for name in tree(folder) if (folder / name).is_file()}


def page(command: object = tool) -> str:
    return command_help.man_page(command, "my-tool", "1.0", DATE)


def shown(tmp_path: Path, command: object = tool) -> str:
    """Return the page as man(1) shows it, which must have nothing to complain about."""
    man = shutil.which("man") or missing("man")
    (tmp_path / "my-tool.1").write_text(page(command))
    done = run([man, "--warnings", "--local-file", "my-tool.1"], cwd=tmp_path)
    assert done.stderr == ""
    return " ".join(done.stdout.split())


def test_every_shell_finds_its_file(tmp_path: Path) -> None:
    command_help.write(tool, str(tmp_path), "my-tool", "1.0", DATE)
    assert written(tmp_path) == {
        "bash-completion/completions/my-tool",
        "fish/vendor_completions.d/my-tool.fish",
        "man/man1/my-tool.1",
        "zsh/site-functions/_my-tool",
    }
    for shell, path in command_help.COMPLETIONS.items():
        text = (tmp_path / path.format("my-tool")).read_text()
        assert f"_MY_TOOL_COMPLETE={shell}_complete" in text


def test_the_page_has_all_commands(tmp_path: Path) -> None:
    text = shown(tmp_path)
    assert "my-tool - Do things" in text
    assert ".PP is no request here, 'nor is this; a \\ stays, and - is a minus." in text
    assert "my-tool remote add [OPTIONS] NAME" in text
    assert '--depth N How "deep".' in text
    assert "-h, --help" in text
    assert "Never shown" not in text


def test_a_typer_app_has_a_page_too(tmp_path: Path) -> None:
    command, library = command_help.known(app)
    assert library == "typer"
    text = shown(tmp_path, command)
    assert "my-tool - Keep notes" in text
    assert "my-tool lists add [OPTIONS]" in text
    assert "--color WORD How it looks. [default: red]" in text
    assert "Never shown" not in text


def test_bash_completes_a_typer_app(tmp_path: Path) -> None:
    command_help.write(app, str(tmp_path / "share"), "my-tool", "1.0", DATE)
    assert written(tmp_path / "share") == {
        "bash-completion/completions/my-tool",
        "fish/vendor_completions.d/my-tool.fish",
        "man/man1/my-tool.1",
        "zsh/site-functions/_my-tool",
    }
    start = f"#!{sys.executable}\nfrom {__name__} import app\napp(prog_name='my-tool')\n"
    program = tmp_path / "my-tool"
    program.write_text(start)
    program.chmod(0o755)
    file = tmp_path / "share/bash-completion/completions/my-tool"
    search = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = BASH.format(file=file, name=program)
    assert run(["bash", "-c", script], cwd=ROOT, env=search).stdout == "lists\n"


def test_a_typer_app_may_have_no_completions(tmp_path: Path) -> None:
    lines = ("import typer", "app = typer.Typer(add_completion=False)", "app.command()(lambda: 0)")
    (tmp_path / "plain.py").write_text("\n".join(lines))
    given = (tmp_path, "plain:app", "my-tool", "1.0", DATE, tmp_path / "share")
    search = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run([sys.executable, command_help.__file__, *given], cwd=tmp_path, env=search)
    assert written(tmp_path / "share") == {"man/man1/my-tool.1"}


def test_the_page_is_the_same_each_time() -> None:
    assert page() == page()
    assert page().startswith(f'.TH "MY\\-TOOL" "1" "{DATE}" "my\\-tool 1.0"\n')


def test_a_command_of_another_library_gets_nothing(tmp_path: Path) -> None:
    command_help.write(lambda: 0, str(tmp_path / "share"), "my-tool", "1.0", DATE)
    assert not (tmp_path / "share").exists()


@pytest.mark.usefixtures("_search_path")
def test_the_script_finds_the_command(tmp_path: Path) -> None:
    (tmp_path / "found.py").write_text("import click\nmain = click.Command('main')\n")
    arguments = ("found:main", "my-tool", "1.0", DATE, tmp_path / "share")
    run_script("command_help.py", tmp_path, *arguments)
    assert "man/man1/my-tool.1" in written(tmp_path / "share")


@pytest.fixture
def _search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend("/nonexistent")  # what a script adds is gone after the test
