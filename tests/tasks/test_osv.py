"""tasks.dependencies.osv: all advisories about the locked packages in one file, or one line."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks import deps
from tasks.dependencies import osv
from tasks.lib import project
from tasks.lib.console import TaskError
from tasks.lib.project import Project

from tests import services

NOW = dt.datetime(2026, 11, 26, 13, 0, 5, tzinfo=dt.timezone(dt.timedelta(hours=1)))
TABLE = '\n[tool.security]\nadvisories = "https://advisories.example/v1/query"\n'


@pytest.fixture
def served() -> Iterator[services.Advisories]:
    with services.advisories() as server:
        yield server


@pytest.fixture
def this(small: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("OSV_URL", raising=False)
    path = small.root / "pyproject.toml"
    path.write_text(path.read_text() + TABLE)
    return small


def test_which_service_is_asked(this: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert osv.service(this) == "https://advisories.example/v1/query"
    monkeypatch.setenv("OSV_URL", "file:///etc/passwd")
    with pytest.raises(TaskError, match=r"^the advisory service is 'file:///etc/passwd': expected"):
        osv.service(this)


def test_every_category_and_bill_is_asked_about(this: Project, tmp_path: Path) -> None:
    part = {"name": "Old_One", "version": "2", "purl": "pkg:pypi/old-one@2"}
    (tmp_path / "sbom.cdx.json").write_text(json.dumps({"components": [part, {"name": "cpython"}]}))
    assert osv.packages(this, tmp_path) == {"click": ["8.1"], "old-one": ["2"]}
    assert osv.packages(this, tmp_path / "sbom.cdx.json")["old-one"] == ["2"]


@pytest.mark.parametrize(("text", "why"), [(None, "cannot read"), ("[]", "is no"), ("{", "is no")])
def test_a_bill_that_is_none(this: Project, tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / "bill.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TaskError, match=why):
        osv.packages(this, path)


def test_all_pages_are_collected(served: services.Advisories) -> None:
    served.records = [services.advisory(f"GHSA-{n}", "click", "9", "8.1") for n in (3, 1, 2)]
    found = osv.collect(served.url, {"click": ["8.1"], "h11": []}, NOW)
    assert found["made"] == "2026-11-26T12:00:05Z"
    assert found["asked"] == {"click": ["8.1"], "h11": []}
    assert [record["id"] for record in found["vulns"]] == ["GHSA-1", "GHSA-2", "GHSA-3"]
    [part] = found["vulns"][0]["affected"]
    assert part["package"] == {"name": "click", "ecosystem": "PyPI"}
    assert part["versions"] == ["8.1"]


def test_long_texts_and_other_ecosystems_are_left_out() -> None:
    record = {
        **services.advisory("GHSA-1", "click", "9"), "summary": "", "details": "First.\nSecond.",
        "affected": [{"package": {"ecosystem": "npm", "name": "click"}}, {"ranges": []}],
    }  # fmt: skip
    slim = osv._slim(record, "click")
    assert slim["summary"] == "First."
    assert slim["affected"] == []
    assert "details" not in slim


@pytest.mark.parametrize("record", [{}, {"id": "x", "affected": [1]}, {"id": "x", "affected": 1}])
def test_what_is_no_record(record: dict[str, Any]) -> None:
    with pytest.raises(osv.NoAnswer, match=r"^the advisory service answers for click with what is"):
        osv._slim(record, "click")


def test_a_service_that_does_not_answer(served: services.Advisories) -> None:
    served.broken = True
    with pytest.raises(osv.NoAnswer, match=r"does not answer: HTTP 503$"):
        osv.collect(served.url, {"click": []}, NOW)
    with pytest.raises(osv.NoAnswer, match=r"^http://127.0.0.1:9/ does not answer: .*refused"):
        osv.collect("http://127.0.0.1:9/", {"click": []}, NOW)
    served.broken = False
    for answer, why in (([], "as an advisory service does"), ({"next_page_token": "1"}, "never")):
        served.always = answer
        with pytest.raises(osv.NoAnswer, match=why):
            osv.collect(served.url, {"click": []}, NOW)


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dist/advisories.json"
    osv.write(path, {"vulns": []})
    monkeypatch.setattr(osv, "_LARGEST", 10)
    with pytest.raises(TaskError, match=r"^the advisories take more than the 0 MB that engines"):
        osv.write(path, {"vulns": ["x"]})
    assert json.loads(path.read_text()) == {"vulns": []}
    assert [each.name for each in path.parent.iterdir()] == ["advisories.json"]
    with pytest.raises(TaskError, match=r"^cannot write /proc/"):
        osv.write(Path("/proc/none/x"), {})


def test_the_task_says_what_comes_next(
    this: Project,
    served: services.Advisories,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(project, "load", lambda: this)
    monkeypatch.setenv("OSV_URL", served.url)
    served.records = [services.advisory("GHSA-1", "click", "9")]
    deps.advisories(MockContext())
    said = capsys.readouterr().out
    assert "1 advisories about 1 packages" in said
    assert "my-service-admin audit advisories.json" in said
    assert (this.dist / "advisories.json").is_file()
    served.broken = True
    with pytest.raises(Exit, match="does not answer: HTTP 503"):
        deps.advisories(MockContext(), output=str(this.root / "other.json"))
    assert not (this.root / "other.json").exists()
