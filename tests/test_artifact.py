"""tasks.deploy.build.publish: published whole or not at all, and checked."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tasks.deploy.build import publish
from tasks.lib.console import TaskError

from tests.support import PROJECT, run


@pytest.fixture
def published(tmp_path: Path) -> Path:
    target = tmp_path / "dist" / "offline-binary"
    with publish.staging(target) as folder:
        (folder / "program.tar.gz").write_bytes(b"program")
        (folder / publish.SBOM).write_text("{}")
        publish.write_manifest(folder, {"name": "x", "author": "Zoë"})
        publish.write_checksums(folder)
    return target


def test_what_was_published_is_whole(published: Path) -> None:
    assert publish.verify(published) == []
    assert publish.verify(published / "program.tar.gz") == []
    assert publish.read_manifest(published) == {"name": "x", "author": "Zoë"}
    run(["sha256sum", "--check", "--strict", publish.CHECKSUMS], cwd=published)


def rewrite_checksums(folder: Path) -> None:
    (folder / publish.SBOM).unlink()
    publish.write_checksums(folder)


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
    assert publish.verify(published) == [said]


def test_one_file_is_checked_alone(published: Path) -> None:
    (published / publish.SBOM).write_text("{ }")
    assert publish.verify(published / "program.tar.gz") == []
    assert publish.verify(published / publish.SBOM) == ["sbom.cdx.json: changed"]


def test_nothing_to_check_is_said(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"there is no .*nowhere"):
        publish.verify(tmp_path / "nowhere")
    with pytest.raises(TaskError, match="there is no SHA256SUMS in "):
        publish.verify(tmp_path)


def test_a_failure_leaves_what_was_there(published: Path) -> None:
    with pytest.raises(ZeroDivisionError), publish.staging(published) as folder:
        (folder / "half").write_text(str(1 / 0))
    assert publish.verify(published) == []
    assert [path.name for path in published.parent.iterdir()] == ["offline-binary"]


def test_a_kill_leaves_what_was_there_and_the_next_run_works(published: Path) -> None:
    script = (
        "import os, pathlib, sys; from tasks.deploy.build import publish\n"
        "with publish.staging(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').touch(); os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, published], cwd=PROJECT, check=False)
    assert killed.returncode == -9
    assert publish.verify(published) == []
    with publish.staging(published) as folder:
        (folder / "new").touch()
    assert [path.name for path in published.iterdir()] == ["new"]
    assert [path.name for path in published.parent.iterdir()] == ["offline-binary"]


def test_a_kill_between_two_renames_is_mended(published: Path) -> None:
    with publish.staging(published) as folder:
        (folder / "new").touch()
    assert [path.name for path in published.iterdir()] == ["new"]
    # As after a kill between the two renames: the next run puts the old artefacts back.
    published.rename(published.with_name(".offline-binary.old"))
    with pytest.raises(ZeroDivisionError), publish.staging(published):
        _ = 1 / 0
    assert [path.name for path in published.iterdir()] == ["new"]
