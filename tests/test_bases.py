"""tasks.deploy.build.bases: a base is filled once, and kept until what decides it changes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tasks.deploy.build import bases

from tests.bases import Bases


class Filling:
    """Counts how often a base is filled."""

    def __init__(self, library: Path) -> None:
        self.library = library
        self.times = 0

    def __call__(self, folder: Path) -> list[Path]:
        self.times += 1
        (folder / "content").write_text("content")
        return [self.library]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "code"
    path.mkdir()
    (path / "fill.py").write_text("fill = 1\n")
    return path


@pytest.fixture
def filling(tmp_path: Path) -> Filling:
    library = tmp_path / "libc.so.6"
    library.write_bytes(b"one")
    return Filling(library)


def test_a_base_is_filled_once(tmp_path: Path, code: Path, filling: Filling) -> None:
    one = bases.obtain(tmp_path / "cache", ["facts"], [code], filling)
    assert (one / "content").read_text() == "content"
    assert bases.obtain(tmp_path / "cache", ["facts"], [code], filling) == one
    assert filling.times == 1


def change_the_code(code: Path, _filling: Filling) -> list[str]:
    (code / "fill.py").write_text("fill = 2\n")
    return ["facts"]


def add_code(code: Path, _filling: Filling) -> list[str]:
    (code / "more.py").write_text("")
    return ["facts"]


def upgrade_a_library(_code: Path, filling: Filling) -> list[str]:
    filling.library.write_bytes(b"another")
    return ["facts"]


def change_the_facts(_code: Path, _filling: Filling) -> list[str]:
    return ["other facts"]


@pytest.mark.parametrize("change", [change_the_code, add_code, upgrade_a_library, change_the_facts])
def test_what_decides_the_bytes_is_never_stale(
    tmp_path: Path, code: Path, filling: Filling, change: Callable[[Path, Filling], list[str]]
) -> None:
    bases.obtain(tmp_path / "cache", ["facts"], [code], filling)
    bases.obtain(tmp_path / "cache", change(code, filling), [code], filling)
    assert filling.times == 2


def test_the_code_that_all_kinds_of_bases_share_counts(
    tmp_path: Path, filling: Filling, monkeypatch: pytest.MonkeyPatch, code: Path
) -> None:
    monkeypatch.setattr(bases, "_SHARED", (code,))
    bases.obtain(tmp_path / "cache", [], [], filling)
    (code / "fill.py").write_text("fill = 2\n")
    bases.obtain(tmp_path / "cache", [], [], filling)
    assert filling.times == 2


def test_a_failed_filling_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> list[Path]:
        (folder / "half").touch()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bases.obtain(tmp_path / "cache", [], [], fail)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_newest_are_kept_and_what_a_killed_build_left_is_not(
    tmp_path: Path, filling: Filling
) -> None:
    cache = tmp_path / "cache"
    (cache / "base-0123456789ab.99999").mkdir(parents=True)
    made = []
    for number in range(5):
        made.append(bases.obtain(cache, [number], [], filling))
        os.utime(made[-1], (number, number))
    last = bases.obtain(cache, ["last"], [], filling)
    assert set(cache.iterdir()) == {*made[3:], last}


# What the tests' projects share


def test_a_project_gets_what_another_one_has_filled(tmp_path: Path, filling: Filling) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for project in (one, other):
        shared = Bases(tmp_path / "store")
        shared.lend(project)
        bases.obtain(project / "build/offline-source", ["facts"], [], filling)
        shared.take()
    assert filling.times == 1
    (lent,) = (other / "build/offline-source").iterdir()
    assert lent.is_symlink()
    assert (lent / "content").read_text() == "content"


def test_a_base_that_is_outdated_is_not_lent(tmp_path: Path, filling: Filling) -> None:
    shared = Bases(tmp_path / "store")
    shared.lend(tmp_path / "one")
    bases.obtain(tmp_path / "one/build/offline-source", ["facts"], [], filling)
    shared.take()
    filling.library.write_bytes(b"upgraded")
    shared.lend(tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert list((tmp_path / "store").glob("*/*")) == []
