"""Publishing: all artefacts or none, and every byte of them checked."""

from pathlib import Path

import pytest
from tasks.deploy.build import publish


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "dist/some"
    with publish.staging(folder) as new:
        (new / "artefact").write_text("old")
        (new / publish.SBOM).write_text("{}")
        publish.write_manifest(new, {"release": "1.2.3"})
        publish.write_checksums(new)
    return folder


def test_what_was_published_is_whole(published: Path) -> None:
    assert publish.verify(published) == []
    assert publish.read_manifest(published) == {"release": "1.2.3"}


def test_a_build_that_fails_leaves_the_old_artefacts(published: Path) -> None:
    with pytest.raises(ZeroDivisionError), publish.staging(published) as new:
        (new / "artefact").write_text(str(1 / 0))
    assert (published / "artefact").read_text() == "old"
    assert publish.verify(published) == []
    assert [path.name for path in published.parent.iterdir()] == ["some"]


def test_a_build_that_succeeds_replaces_them(published: Path) -> None:
    with publish.staging(published) as new:
        (new / "other").touch()
    assert [path.name for path in published.iterdir()] == ["other"]


def test_damage_is_named(published: Path) -> None:
    (published / "artefact").write_text("new")
    assert publish.verify(published) == ["artefact: changed"]
