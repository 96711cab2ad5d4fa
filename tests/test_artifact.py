"""tasks.deploy.artifact: published whole or not at all, and checked."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tasks.console import TaskError
from tasks.deploy import artifact

from tests.support import PROJECT, run


@pytest.fixture
def published(tmp_path: Path) -> Path:
    target = tmp_path / "dist" / "offline-binary"
    with artifact.staging(target) as folder:
        (folder / "program.tar.gz").write_bytes(b"program")
        (folder / artifact.SBOM).write_text("{}")
        artifact.write_manifest(folder, {"name": "x", "author": "Zoë"})
        artifact.write_checksums(folder)
    return target


def test_what_was_published_is_whole(published: Path) -> None:
    assert artifact.verify(published) == []
    assert artifact.verify(published / "program.tar.gz") == []
    assert artifact.read_manifest(published) == {"name": "x", "author": "Zoë"}
    run(["sha256sum", "--check", "--strict", artifact.CHECKSUMS], cwd=published)


def rewrite_checksums(folder: Path) -> None:
    (folder / artifact.SBOM).unlink()
    artifact.write_checksums(folder)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "program.tar.gz").write_bytes(b"Program"), "program.tar.gz: changed"),
        (lambda f: (f / "program.tar.gz").unlink(), "program.tar.gz: missing"),
        (lambda f: (f / "more").touch(), "more: not in SHA256SUMS"),
        (rewrite_checksums, "sbom.cdx.json: missing"),
    ],
)
def test_every_damage_is_named(
    published: Path, damage: Callable[[Path], object], said: str
) -> None:
    damage(published)
    assert artifact.verify(published) == [said]


def test_one_file_is_checked_alone(published: Path) -> None:
    (published / artifact.SBOM).write_text("{ }")
    assert artifact.verify(published / "program.tar.gz") == []
    assert artifact.verify(published / artifact.SBOM) == ["sbom.cdx.json: changed"]


def test_nothing_to_check_is_said(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"there is no .*nowhere"):
        artifact.verify(tmp_path / "nowhere")
    with pytest.raises(TaskError, match="there is no SHA256SUMS in "):
        artifact.verify(tmp_path)


def test_a_failure_leaves_what_was_there(published: Path) -> None:
    with pytest.raises(ZeroDivisionError), artifact.staging(published) as folder:
        (folder / "half").write_text(str(1 / 0))
    assert artifact.verify(published) == []
    assert [path.name for path in published.parent.iterdir()] == ["offline-binary"]


def test_a_kill_leaves_what_was_there_and_the_next_run_works(published: Path) -> None:
    script = (
        "import os, pathlib, sys; from tasks.deploy import artifact\n"
        "with artifact.staging(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').touch(); os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, published], cwd=PROJECT, check=False)
    assert killed.returncode == -9
    assert artifact.verify(published) == []
    with artifact.staging(published) as folder:
        (folder / "new").touch()
    assert [path.name for path in published.iterdir()] == ["new"]
    assert [path.name for path in published.parent.iterdir()] == ["offline-binary"]


def test_where_folders_cannot_be_exchanged(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact, "_exchange", lambda one, other: False)
    with artifact.staging(published) as folder:
        (folder / "new").touch()
    assert [path.name for path in published.iterdir()] == ["new"]
    # Killed between the two renames: the old artefacts come back under their own name.
    published.rename(published.with_name(".offline-binary.old"))
    with pytest.raises(ZeroDivisionError), artifact.staging(published):
        _ = 1 / 0
    assert [path.name for path in published.iterdir()] == ["new"]
