"""tasks.lib.files: a file holds the old text or the new one, whatever happens."""

import os
from pathlib import Path

import pytest
from tasks.lib import files
from tasks.lib.console import TaskError

from tests.support import tree


def test_it_keeps_its_mode_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "Pipfile.lock"
    path.write_text("old")
    path.chmod(0o640)
    files.replace(path, "née\n")
    assert path.read_bytes() == "née\n".encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert tree(tmp_path) == {"Pipfile.lock"}


def test_a_new_file(tmp_path: Path) -> None:
    files.replace(tmp_path / "new", "text")
    assert (tmp_path / "new").read_text() == "text"


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("old")
    (tmp_path / "link").symlink_to("there")
    files.replace(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_text() == "new"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        assert (tmp_path / "file").read_text() == "old"
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(os if step == "fsync" else Path, step, fail)
    with pytest.raises(TaskError, match=rf"^cannot write {tmp_path}/file: No space left on device"):
        files.replace(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"
    assert tree(tmp_path) == {"file"}


def test_it_is_on_the_disk_before_it_has_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    synced, renamed = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        synced(descriptor)

    def replace(self: Path, target: Path) -> Path:
        done.append("rename")
        return renamed(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    files.replace(tmp_path / "file", "new")
    assert done == ["sync .file.new", "rename", f"sync {tmp_path.name}"]


def test_windows_has_no_folders_to_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"  # made before: a path's kind depends on the system's name
    opened: list[object] = []
    monkeypatch.setattr(files.os, "open", lambda *given: opened.append(given))
    monkeypatch.setattr(files.os, "name", "nt")
    files.replace(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "new"
    assert not opened
