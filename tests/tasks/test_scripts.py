"""tasks.deploy.scripts: scripts for another Python, run here by this one."""

import importlib.util
import io
import json
import lzma
import runpy
import sys
import zipfile
from pathlib import Path

import pytest
from tasks.deploy.build import SCRIPTS
from tasks.deploy.scripts import bytecode, markers


def run(name: str, *arguments: str | Path) -> None:
    """Run a script as its own program, in this process."""
    before = sys.argv
    sys.argv = [name, *map(str, arguments)]
    try:
        runpy.run_path(str(SCRIPTS / name), run_name="__main__")
    finally:
        sys.argv = before


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "good.py").write_text("x = 1\n")
    (folder / "template.py").write_text("{" + "% if x %}\n")
    (folder / "data").write_text("data")
    return folder


def test_bytecode_holds_no_path_of_this_machine(package: Path) -> None:
    [made] = bytecode.compile_all(package)
    assert made == Path(importlib.util.cache_from_source(str(package / "good.py")))
    assert b"good.py" in made.read_bytes()
    assert str(package).encode() not in made.read_bytes()


def test_bytecode_moves_into_an_archive(package: Path, tmp_path: Path) -> None:
    run("bytecode.py", package, "--archive", tmp_path / "a.xz", "--add", "data")
    packed = (tmp_path / "a.xz").read_bytes()
    with zipfile.ZipFile(io.BytesIO(lzma.decompress(packed))) as files:
        data, compiled = files.namelist()
    assert (data, compiled.startswith("__pycache__/good.")) == ("data", True)
    assert not list(package.rglob("*.pyc"))
    run("bytecode.py", package)
    assert len(list(package.rglob("*.pyc"))) == 1


def test_markers_are_judged_for_the_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listing = tmp_path / "requirements.txt"
    listing.write_text(
        "a==1 ; sys_platform == 'linux' --hash=sha256:1 --hash=sha256:2\n"
        "b==2 ; sys_platform == 'win32' --hash=sha256:3\n"
        "c[x]==3 --hash=sha256:4\n"
    )
    expected = "a==1 --hash=sha256:1 --hash=sha256:2\nc[x]==3 --hash=sha256:4\n"
    target = {"sys_platform": "linux"}
    assert markers.applying(listing.read_text(), target) == expected
    run("markers.py", listing, json.dumps(target))
    assert capsys.readouterr().out == expected


def test_a_probe_tells_what_cannot_be_imported_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "probed_lacking.py").write_text("import no_such_module\n")
    (tmp_path / "probed_ending.py").write_text("raise SystemExit('at\\nonce')\n")
    (tmp_path / "probed_caused.py").write_text(
        "try: import no_such_module\nexcept ImportError as e: raise RuntimeError from e\n"
    )
    run("probe.py", "json", "probed_lacking", "probed_ending", "probed_caused")
    said = capsys.readouterr().out.splitlines()
    lacking = "failed ModuleNotFoundError|no_such_module|No module named 'no_such_module'"
    assert said == [
        "import json",
        "import probed_lacking",
        lacking,
        "import probed_ending",
        "failed SystemExit||at once",
        "import probed_caused",
        lacking,
        "imported all",
    ]


def test_a_rank_is_printed_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    run("release_rank.py", "1.0", "7")
    assert capsys.readouterr().out == "a0.a1.z..z..a7\n"
    with pytest.raises(SystemExit, match=r"^pyproject\.toml: .*banana"):
        run("release_rank.py", "banana", "7")


def test_what_is_imported_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in {"app": "import json\nimport nowhere.at_all\n", "host": "import ssl"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").write_text(text)
    run("imports.py", tmp_path / "app", tmp_path / "host", "pytest")
    told = json.loads(capsys.readouterr().out)
    assert told["modules"] == ["json", "ssl"]
    assert "invoke" in told["foreign"]
    assert "pytest" not in told["foreign"]
    (tmp_path / "app/main.py").write_text("def\n")
    with pytest.raises(SystemExit, match=r"main\.py, line 1: "):
        run("imports.py", tmp_path / "app", tmp_path / "host")


def test_modules_of_distributions_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    run("modules.py", "invoke", "no-such-distribution")
    assert json.loads(capsys.readouterr().out) == [["invoke"]]
    run("named.py", "invoke", "no-such-distribution")
    assert all(name.startswith("invoke.") for name in json.loads(capsys.readouterr().out))
