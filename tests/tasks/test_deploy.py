"""tasks.deploy: the tasks that work on any artefact."""

from pathlib import Path

import pytest
from invoke.config import Config
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks import deploy
from tasks.deploy.build import keys, publish
from tasks.lib import project
from tasks.lib.project import Project


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
