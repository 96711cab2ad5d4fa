"""tasks.deploy.build.libraries: it notices files of this machine that were replaced."""

import os
from pathlib import Path

import pytest
from tasks.deploy.build import libraries


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "libc.so.6"
    path.write_bytes(b"one")
    return path


def test_the_same_file_is_unchanged(library: Path) -> None:
    assert libraries.unchanged(libraries.seen([library]))


def test_another_date_another_size_and_none_are_changes(library: Path) -> None:
    was = libraries.seen([library])
    os.utime(library, (1, 1))
    assert not libraries.unchanged(was)
    was = libraries.seen([library])
    library.unlink()
    assert not libraries.unchanged(was)
    gone = libraries.seen([library])
    assert libraries.unchanged(gone)
    library.touch()
    assert not libraries.unchanged(gone)
