"""The sessions docs and sonar, and the tools of pipelines: what nox and pipelines give them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tasks import tools
from tasks.checks import site, sonar
from tasks.lib import project
from tasks.lib.console import TaskError


def test_the_scanner_gets_the_reports_of_each_python_that_was_tested_on(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    with pytest.raises(TaskError, match=r"no coverage report in reports/: run `nox -s test` first"):
        sonar.options(reports, ("3.12", "3.13"))
    for name in ("coverage-3.12.xml", "junit-3.12.xml", "coverage-3.13.xml"):
        (reports / name).touch()
    coverage, junit = sonar.options(reports, ("3.12", "3.13"))
    assert coverage == f"-Dsonar.python.coverage.reportPaths={reports}/coverage-3.12.xml"
    assert junit == f"-Dsonar.python.xunit.reportPath={reports}/junit-3.12.xml"


def test_pages_lie_as_in_the_project(small: project.Project, tmp_path: Path) -> None:
    (small.root / "docs").mkdir()
    for name in ("README.md", "docs/page.md", "LICENSE", "other.txt"):
        (small.root / name).write_text(name)
    work = tmp_path / "work"
    (work / "pages").mkdir(parents=True)
    (work / "pages" / "old.md").touch()
    settings = json.loads(site.prepare(small, work, tmp_path / "site").read_text())
    pages = Path(settings["docs_dir"])
    found = {path.relative_to(pages).as_posix() for path in pages.rglob("*") if path.is_file()}
    assert found == {"README.md", "docs/page.md", "LICENSE"}
    assert settings["site_name"] == "My.Service"
    assert settings["strict"] is True


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_the_tools_need_a_folder(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="error: expected one argument"):
        tools.main(arguments)


def test_the_tools_are_what_the_lock_pins(
    small: project.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    ran: list[Any] = []
    monkeypatch.setattr("tasks.tools.project.load", lambda: small)
    monkeypatch.setattr("tasks.tools.subprocess.run", lambda command, **_: ran.append(command))
    content = json.loads(small.lock.read_text())
    pin = {"version": "==1.0", "hashes": ["sha256:" + "0" * 64]}
    small.lock.write_text(json.dumps({**content, "develop": {"nox": pin}, "ci": {"uv": pin}}))
    folder = tmp_path / "tools"
    folder.mkdir()
    tools.main([str(folder)])
    assert capsys.readouterr().out == f"{folder}/bin\n"
    lines = (folder / "locked.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["nox==1.0", "uv==1.0"]
    venv, install = ran
    assert venv[:3] == [sys.executable, "-m", "venv"]
    assert {"--require-hashes", "--no-deps", f"{folder}/bin/python"} <= set(install)


def test_tools_that_cannot_be_made_are_told(
    small: project.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: list[str], **_: Any) -> None:
        raise subprocess.CalledProcessError(7, command)

    monkeypatch.setattr("tasks.tools.project.load", lambda: small)
    small.lock.write_text("{}")
    with pytest.raises(SystemExit, match=r"error: Pipfile\.lock has no category"):
        tools.main([str(tmp_path)])
    pin = {"nox": {"version": "==1.0", "hashes": ["sha256:" + "0" * 64]}}
    small.lock.write_text(json.dumps({"develop": pin, "ci": {}}))
    monkeypatch.setattr("tasks.tools.subprocess.run", fail)
    with pytest.raises(SystemExit, match="cannot be made: exit code 7"):
        tools.main([str(tmp_path)])
