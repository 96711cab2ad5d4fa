"""tasks.lib.lock: the requirements that it makes of a Pipfile.lock."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tasks.lib import lock

WriteLock = Callable[[dict[str, Any]], Path]


def entry(version: str = "==1.0", **more: Any) -> dict[str, Any]:
    return {"version": version, "hashes": ["sha256:aa", "sha256:bb"], **more}


@pytest.fixture
def write(tmp_path: Path) -> WriteLock:
    def write(content: dict[str, Any]) -> Path:
        path = tmp_path / "Pipfile.lock"
        path.write_text(json.dumps({"_meta": {}, **content}))
        return path

    return write


def test_a_line_has_version_marker_and_every_hash(write: WriteLock) -> None:
    path = write({"default": {"b": entry(markers="python_version < '3.12'"), "a": entry("==2")}})
    assert lock.requirements(path, ["packages"]) == (
        "a==2 --hash=sha256:aa --hash=sha256:bb\n"
        "b==1.0 ; python_version < '3.12' --hash=sha256:aa --hash=sha256:bb\n"
    )


def test_categories_are_merged_with_their_extras(write: WriteLock) -> None:
    path = write({"develop": {"a": entry(extras=["x"])}, "lint": {"a": entry(extras=["y"])}})
    assert lock.requirements(path, ["dev-packages", "lint"]).startswith("a[x,y]==1.0 --hash")


@pytest.mark.parametrize(
    ("content", "categories", "said"),
    [
        ({"default": {"a": entry("==1")}, "test": {"a": entry("==2")}}, ["packages", "test"],
         "a ==1 and ==2 for one environment"),
        ({"default": {}}, ["packages", "lint"], "no category 'lint'"),
        ({"default": {"a": {"version": "==1"}}}, ["packages"], "a is locked without"),
        ({"default": {"a": {"path": "."}}}, ["packages"], "a is locked without"),
        ({"default": {"a": entry("*")}}, ["packages"], "a is locked without"),
    ],
)  # fmt: skip
def test_what_cannot_be_pinned_is_refused(
    write: WriteLock, content: dict[str, Any], categories: list[str], said: str
) -> None:
    with pytest.raises(lock.LockError, match=said):
        lock.requirements(write(content), categories)


@pytest.mark.parametrize("text", ["", "{", None])
def test_an_unreadable_lock_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "Pipfile.lock"
    if text is not None:
        path.write_text(text)
    with pytest.raises(lock.LockError, match=r"Pipfile.lock: .*run `invoke deps.lock`"):
        lock.requirements(path, ["packages"])
