"""tasks.deploy: the tasks that work on any artefact."""

import json
from pathlib import Path

import pytest
from invoke.config import Config
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks import deploy
from tasks.deploy.build import keys, publish
from tasks.lib import project
from tasks.lib.project import Project

from tests import services


@pytest.fixture(autouse=True)
def _project(small: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "load", lambda: small)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    with publish.staging(tmp_path / "dist") as folder:
        (folder / "a").write_text("a")
        (folder / publish.SBOM).write_text("{}")
        publish.write_manifest(folder, {"release": "1.0+x", "python": "3.13.5"})
        publish.write_checksums(folder)
    return tmp_path / "dist"


@pytest.mark.parametrize("name", [".", "a"])
def test_what_is_whole_is_told_with_its_origin(
    published: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    deploy.verify(MockContext(), path=str(published / name))
    said = capsys.readouterr().out
    assert "is whole" in said
    assert "  release    1.0+x\n" in said
    assert "  signature  none; origin not checked" in said


def bill(published: Path, version: str) -> None:
    """Write a bill of materials with one package."""
    part = {"name": "click", "version": version, "purl": f"pkg:pypi/click@{version}"}
    (published / publish.SBOM).write_text(json.dumps({"components": [part]}))
    publish.write_checksums(published)


def test_what_vulnerabilities_affect_is_told(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weak = services.advisory("GHSA-1", "click", "8.2")
    known = services.carried(tmp_path / "known.json", ["click"], weak)
    bill(published, "8.2")
    deploy.verify(MockContext(), path=str(published), advisories=str(known))
    assert "vulnerable  nothing known (advisories of 2026-01-01, " in capsys.readouterr().out
    bill(published, "8.1")
    with pytest.raises(Exit) as refused:
        deploy.verify(MockContext(), path=str(published), advisories=str(known))
    assert refused.value.code == 1
    assert "dist is affected (advisories of 2026-01-01, " in str(refused.value)
    assert "\n  click 8.1: GHSA-1 (CVE-1): It does what it should not; fixed in 8.2" in str(
        refused.value
    )
    for given, said in (
        (tmp_path / "none", "none is not a plain file that can be read, of at most 16 MB"),
        (services.carried(tmp_path / "other.json", ["h11"]), "the file knows nothing of click"),
    ):
        with pytest.raises(Exit, match=said) as refused:
            deploy.verify(MockContext(), path=str(published), advisories=str(given))
        assert refused.value.code == 2


def test_what_is_damaged_is_named(published: Path) -> None:
    (published / "a").write_text("b")
    with pytest.raises(Exit, match=r"is not as it was published:\n  a: changed$"):
        deploy.verify(MockContext(), path=str(published))


def test_a_key_in_the_settings_wants_a_signature(published: Path) -> None:
    context = MockContext(Config(overrides={"deploy": {"signing_key": "/key"}}))
    with pytest.raises(Exit, match=r"SHA256SUMS\.sig: missing, and invoke.yaml names a key"):
        deploy.verify(context, path=str(published))


@pytest.mark.parametrize(("path", "expected"), [("", "default"), ("/other", "/other")])
def test_where_keys_are_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str, expected: str
) -> None:
    made: list[Path] = []

    def make(folder: Path, _project: Project) -> keys.Keys:
        made.append(folder)
        return keys.Keys(folder, "SHA256:x", "")

    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(keys, "make", make)
    deploy.keygen(MockContext(), path=path)
    default = tmp_path / ".config/my-service/signing"
    assert made == [default if expected == "default" else Path(expected)]
