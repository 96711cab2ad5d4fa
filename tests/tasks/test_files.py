"""tasks.lib.files: a file holds the old text or the new one, whatever happens."""

import os
import platform
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
    def fail(*_: object) -> int:
        raise PermissionError("Windows opens no folder")

    monkeypatch.setattr(platform, "system", lambda: "Windows")
    monkeypatch.setattr(os, "open", fail)
    files.replace(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


def test_a_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / "made/below").mkdir(parents=True)
    files.remove(tmp_path / "made")
    assert not (tmp_path / "made").exists()
    files.remove(tmp_path / "made", ignore_errors=True)
    with pytest.raises(FileNotFoundError):
        files.remove(tmp_path / "made")


def test_windows_removes_only_what_can_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = os.unlink

    def unlink(path: str, *, dir_fd: int | None = None) -> None:
        if not os.stat(path, dir_fd=dir_fd).st_mode & 0o200:
            raise PermissionError(13, "Access is denied", path)
        remove(path, dir_fd=dir_fd)

    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/program").touch(mode=0o444)
    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(PermissionError):
        files.remove(tmp_path / "tree")
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    files.remove(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
