"""tasks.lib.interpreter: which Python is found, and the error where there is none."""

import os
import sys
from pathlib import Path

import pytest
from tasks.lib import interpreter

REAL = sys.version.split()[0]


def python(path: Path, version: str = REAL) -> Path:
    """Make a program that answers as a Python of this version does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho \'["{path}", "{version} (main, now) [cc]"]\'\n')
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv("UV_PYTHON_DOWNLOADS", raising=False)


def test_pyenv_comes_first_with_its_newest_patch(tmp_path: Path) -> None:
    python(tmp_path / "path" / "python3.13", "3.13.99")
    for patch in (2, 9, 12, 10, 1, 3):
        python(tmp_path / f"pyenv/versions/3.13.{patch}/bin/python", f"3.13.{patch}")
    python(tmp_path / "pyenv/versions/3.131.0/bin/python", "3.131.0")
    found = interpreter.find("3.13")
    newest = tmp_path / "pyenv/versions/3.13.12/bin/python"
    assert (found.path, found.version) == (newest, "3.13.12")


def test_a_pyenv_for_windows_has_it_elsewhere(tmp_path: Path) -> None:
    path = python(tmp_path / "pyenv/versions/3.13.2/python.exe", "3.13.2")
    assert interpreter.find("3.13").path == path


def test_a_full_version_is_taken_at_its_word(tmp_path: Path) -> None:
    python(tmp_path / "pyenv/versions/3.13.10/bin/python", "3.13.10")
    old = python(tmp_path / "pyenv/versions/3.13.9/bin/python", "3.13.9")
    assert interpreter.find("3.13.9").path == old


def test_a_shim_that_refuses_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "path" / "python3.12"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'not installed' >&2\nexit 127\n")
    shim.chmod(0o755)
    real = python(tmp_path / "more" / "python3.12", "3.12.4")
    monkeypatch.setenv("PATH", f"{shim.parent}{os.pathsep}{real.parent}")
    assert interpreter.find("3.12").path == real


def test_never_another_version(tmp_path: Path) -> None:
    python(tmp_path / "path" / "python3.13", "3.12.4")
    python(tmp_path / "path" / "python3.11", "3.11.7")
    with pytest.raises(interpreter.InterpreterError) as refusal:
        interpreter.find("3.13", ["3.11", "3.12", "3.13"])
    assert str(refusal.value) == (
        f"Python 3.13 is not here: get it with `{interpreter.OPTIMISED} pyenv install 3.13` or "
        "`uv python install 3.13`; "
        "--python would accept 3.11"
    )


def test_uv_is_asked_last_and_may_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = python(tmp_path / "fetched" / "python3.14", "3.14.1")
    uv = tmp_path / "path" / "uv"
    uv.parent.mkdir()
    flag = tmp_path / "installed"
    uv.write_text(
        f"#!/bin/sh\ncase $2 in install) : >{flag} ;; "
        f"find) [ -f {flag} ] || exit 2; echo {fetched} ;; esac\n"
    )
    uv.chmod(0o755)
    assert not interpreter.present("3.14")
    with monkeypatch.context() as forbidden:
        forbidden.setenv("UV_PYTHON_DOWNLOADS", "never")
        with pytest.raises(interpreter.InterpreterError, match=r"^Python 3\.14 is not here: "):
            interpreter.find("3.14")
    assert interpreter.find("3.14").path == fetched


def test_nox_is_told_of_pyenvs_pythons(tmp_path: Path) -> None:
    path = str(tmp_path / "path")
    assert interpreter.search_path(["3.11", "3.13"]) == path
    for name in ("3.11.7", "3.13.9", "3.13.10"):
        python(tmp_path / f"pyenv/versions/{name}/bin/python", name)
    versions = [str(tmp_path / f"pyenv/versions/{name}/bin") for name in ("3.11.7", "3.13.10")]
    found = interpreter.search_path(["3.11", "3.12", "3.13"])
    assert found == os.pathsep.join([path, *versions])
