"""Copies of trees that other users have made, and the check of their checksums."""

import hashlib
import os
import shutil
import socket
import stat
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
from host import tree
from host.errors import HostError

from tests.support import missing

FILES = {"bin/demo": b"run\n", "lib/.well-known/x": b"x\n", ".hidden": b"h\n", "a b": b"\n"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    write_sums(folder)
    return folder


def write_sums(folder: Path) -> None:
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "SHA256SUMS"
    ]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_is_copied_and_readable_by_all(source: Path, tmp_path: Path) -> None:
    (source / "a b").chmod(0o600)
    (source / "lib").chmod(0o700)
    tree.copy(source, tmp_path / "copy")
    assert tree.faults(tmp_path / "copy") == []
    assert {name: (tmp_path / "copy" / name).read_bytes() for name in FILES} == FILES
    assert mode(tmp_path / "copy/a b") == 0o444
    assert mode(tmp_path / "copy/lib") == 0o755
    assert mode(tmp_path / "copy/bin/demo") == 0o555, "a program, whatever unpacked it"


def test_only_the_top_is_left_out(source: Path, tmp_path: Path) -> None:
    for place in (source, source / "lib"):
        (place / "install").write_bytes(b"")
    tree.copy(source, tmp_path / "copy", leave=frozenset({"install"}))
    assert not (tmp_path / "copy/install").exists()
    assert (tmp_path / "copy/lib/install").exists()


def add_link(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/shadow")


def add_folder_link(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "lib")


def add_fifo(folder: Path) -> None:
    os.mkfifo(folder / "link")


def add_socket(folder: Path) -> None:
    with chdir(folder), socket.socket(socket.AF_UNIX) as listening:
        listening.bind("link")  # a socket's path may have 107 bytes; a test folder's has more


@pytest.mark.parametrize("add", [add_link, add_folder_link, add_fifo, add_socket])
def test_what_is_no_plain_file_is_refused(
    source: Path, tmp_path: Path, add: Callable[[Path], None]
) -> None:
    add(source)
    with pytest.raises(HostError, match="link is neither a file nor a folder"):
        tree.copy(source, tmp_path / "copy")


@pytest.mark.parametrize(
    "name", ["a\nb", "a\rb", "a\tb", "a\x1b[2Jb", "a\\b", "a\udc80", "a\u202eb"]
)
def test_names_that_could_mislead_are_refused(source: Path, tmp_path: Path, name: str) -> None:
    (source / name).write_bytes(b"")
    with pytest.raises(HostError, match="has a control character or backslash") as caught:
        tree.copy(source, tmp_path / "copy")
    assert str(caught.value).isprintable()


def test_a_newline_smuggles_nothing_past_the_checksums(source: Path) -> None:
    digest = hashlib.sha256(b"").hexdigest()
    (source / f"x\n{digest}  y").write_bytes(b"")
    assert tree.faults(source)[0].startswith("not listed in SHA256SUMS: ")
    assert all(line.isprintable() for line in tree.faults(source))


def test_a_link_in_the_place_of_the_folder_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(HostError, match="is not a folder that can be read"):
        tree.copy(tmp_path / "link", tmp_path / "copy")


def test_a_folder_that_is_swapped_for_a_link_is_not_followed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat
    swapped: list[bool] = []

    def look(path: str, **how: object) -> os.stat_result:
        found: os.stat_result = real(path, **how)  # type: ignore[arg-type]
        if path == "lib" and not swapped:
            swapped.append(True)
            shutil.rmtree(source / "lib")
            (source / "lib").symlink_to("/etc")
        return found

    monkeypatch.setattr(os, "stat", look)
    with pytest.raises((OSError, HostError)):
        tree.copy(source, tmp_path / "copy")
    assert swapped
    assert not (tmp_path / "copy/lib/passwd").exists()


def test_a_file_that_is_swapped_for_a_pipe_is_not_waited_for(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat
    swapped: list[bool] = []

    def look(path: str, **how: object) -> os.stat_result:
        found: os.stat_result = real(path, **how)  # type: ignore[arg-type]
        if path == "a b" and not swapped:
            swapped.append(True)
            (source / "a b").unlink()
            os.mkfifo(source / "a b")
        return found

    monkeypatch.setattr(os, "stat", look)
    with pytest.raises(HostError, match="a b is neither a file nor a folder"):
        tree.copy(source, tmp_path / "copy")


def test_own_files_become_second_names_where_nobody_else_can_change_them(
    source: Path, tmp_path: Path
) -> None:
    (source / "a b").chmod(0o664)
    tree.copy(source, tmp_path / "copy", link=True)
    assert (tmp_path / "copy/.hidden").samefile(source / ".hidden")
    assert not (tmp_path / "copy/a b").samefile(source / "a b")


def test_files_of_another_user_are_copied_and_belong_to_us(source: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("root")
    os.chown(source / ".hidden", 12345, 12345)
    tree.copy(source, tmp_path / "copy", link=True)
    assert not (tmp_path / "copy/.hidden").samefile(source / ".hidden")
    assert (tmp_path / "copy/.hidden").stat().st_uid == 0


def test_faults_are_told_one_by_one(source: Path) -> None:
    (source / "bin/demo").write_bytes(b"changed")
    (source / ".hidden").unlink()
    (source / "new").write_bytes(b"")
    assert tree.faults(source) == [
        "missing: .hidden", "not listed in SHA256SUMS: new", "changed: bin/demo",
    ]  # fmt: skip
    with pytest.raises(HostError, match=r"^X is not whole, .*: missing: \.hidden and 2 more$"):
        tree.require_whole(source, "X")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"no checksum\n", b"0" * 64 + b" a\n"])
def test_checksums_that_are_none_are_a_fault(source: Path, content: bytes) -> None:
    (source / "SHA256SUMS").write_bytes(content)
    assert len(tree.faults(source)) == 1


def test_a_pipe_or_link_in_the_place_of_a_file_is_a_fault(source: Path) -> None:
    (source / "a b").unlink()
    os.mkfifo(source / "a b")
    (source / "lib/.well-known/x").rename(source.parent / "x")
    (source / "lib/.well-known/x").symlink_to(source.parent / "x")
    os.mkfifo(source / "new")
    assert tree.faults(source) == [
        "neither a file nor a folder: a b",
        "neither a file nor a folder: lib/.well-known/x",
        "neither a file nor a folder: new",
    ]


def test_a_pipe_in_the_place_of_the_checksums_is_not_waited_for(source: Path) -> None:
    (source / "SHA256SUMS").unlink()
    os.mkfifo(source / "SHA256SUMS")
    assert tree.faults(source)


def test_a_folder_in_the_place_of_a_file_is_a_fault(source: Path) -> None:
    (source / "a b").unlink()
    (source / "a b").mkdir()
    assert tree.faults(source) == ["missing: a b"]
