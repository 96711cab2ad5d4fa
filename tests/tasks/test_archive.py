"""tasks.deploy.build.archive: bytes that depend on the contents alone."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from tasks.deploy.build import archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "b").mkdir(parents=True)
    (made / "b/deep").write_text("deep")
    (made / "a").write_text("a")
    return made


def test_members_are_in_a_fixed_order(folder: Path) -> None:
    names = [name for name, _ in archive.below(folder, "top/")]
    assert names == ["top/a", "top/b", "top/b/deep"]


def test_dates_and_owners_do_not_show(folder: Path) -> None:
    first = archive.tarball(archive.below(folder), 1_000_000)
    os.utime(folder / "a", (5, 5))
    assert archive.tarball(archive.below(folder), 1_000_000) == first
    assert archive.tarball(archive.below(folder), 1_000_001) != first
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        told = {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in tar.getmembers()}
    assert told == {(1_000_000, 0, 0, "root", "root")}


def test_parts_joined_are_one_archive(folder: Path) -> None:
    one = archive.part([("one", folder / "a")], 0)
    two = archive.part([("two", folder / "b/deep")], 0)
    with tarfile.open(fileobj=io.BytesIO(one + two + archive.end())) as tar:
        texts = {m.name: file.read() for m in tar.getmembers() if (file := tar.extractfile(m))}
    assert texts == {"one": b"a", "two": b"deep"}


def test_a_zip_holds_files_alone_of_a_fixed_date(folder: Path, tmp_path: Path) -> None:
    archive.zipped(archive.below(folder), tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as made:
        assert [info.filename for info in made.infolist()] == ["a", "b/deep"]
        assert {info.date_time for info in made.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert made.read("b/deep") == b"deep"
