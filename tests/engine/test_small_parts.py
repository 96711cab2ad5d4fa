"""The engine's smaller parts: what they read, refuse and say."""

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from host import lock, preflight, release, retention, settings, trial
from host import place as places
from host.disk import Disk
from host.errors import HostError, Misuse, last_line, one_line
from host.history import ACTIVE, FAILED, History
from host.installation import Installation
from host.place import Place
from host.state import Change, State, States, Trial
from host.trial import Seen

from tests.support import missing

FACTS = {
    "name": "demo", "version": "1.0", "release": "1.0-abc", "rank": "1", "user": "demo",
    "size_kb": 1, "machine": os.uname().machine, "glibc": "none",
}  # fmt: skip


# --- what is said -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n b\t\tc", "a b c"), ("\x1b[31mred\x07", "?[31mred?"), ("\u202eevil", "?evil"),
        ("x" * 400, "x" * 300 + "…"), ("", ""), ("a\x00b\udc80", "a?b?"),
        ("a\x85b\u2028c", "a b c"),
    ],
)  # fmt: skip
def test_one_line_is_one_printable_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_the_last_line_is_the_last_that_is_not_blank() -> None:
    assert last_line("a\nb\n\n  \n") == "b"
    assert last_line("\n") == ""


# --- what a release says of itself ------------------------------------------------------------


def test_a_release_is_read(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / release.FACTS).write_text(json.dumps({**FACTS, "unknown": 1}), encoding="utf-8")
    assert release.read(tmp_path).keep_releases == 3


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": "../x"}, "has a wrong 'name'"), ({"version": "a/b"}, "has a wrong 'version'"),
        ({"version": ".."}, "has a wrong 'version'"), ({"version": "1\n"}, "wrong 'version'"),
        ({"version": "x" * 300}, "has a wrong 'version'"), ({"name": "demo\n"}, "wrong 'name'"),
        ({"size_kb": "1"}, "has a wrong 'size_kb'"), ({"size_kb": True}, "wrong 'size_kb'"),
        ({"overlap": 1}, "has a wrong 'overlap'"), ({"health_seconds": -1}, "'health_seconds'"),
        ({"rank": None}, "has a wrong 'rank'"), ({"kind": 1}, "has a wrong 'kind'"),
        ({"kind": "robot"}, "has the kind 'robot': expected one of service, worker, cli"),
    ],
)  # fmt: skip
def test_wrong_facts_are_refused(changed: dict[str, object], why: str, tmp_path: Path) -> None:
    with pytest.raises(HostError, match=f"is not a release: host/release.json .*{why}"):
        release.parse(json.dumps({**FACTS, **changed}).encode(), tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"[]", b"null", b"{", b"\xff", b"[[1, 2]]", b"{}"])
def test_what_are_no_facts_is_refused(content: bytes | None, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="is not a release: "):
        release.parse(content, tmp_path)


# --- the state --------------------------------------------------------------------------------

_CHANGE = Change("A", "B", ("C",), {"demo.env": True})


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    states = States(tmp_path, Disk())
    state = State(("A",), ("B", "A"), "now", _CHANGE, Trial(_CHANGE, "boot", 1.5), "said", 2)
    states.reserve()
    states.save(state)
    assert states.load() == state
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"], "what was reserved is used"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0" * 4096, b"{", b"[]", b"null", b"1", b"\xff", b'{"switch": {}}', b'{"trial": 1}',
        b'{"trial": {"change": null, "boot": "", "ends": 1}}', b'{"before": 1}',
        b'{"restarts": "x"}',
        b'{"switch": {"old": "A", "new": "B", "before": [], "settings": [1]}}',
        b"current=A\nbefore=B\n",
    ],
)  # fmt: skip
def test_a_state_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    assert States(tmp_path, Disk()).load() == State()


def test_the_state_of_many_releases_fits_into_what_is_reserved(tmp_path: Path) -> None:
    names = tuple(f"2026.11.25.dev{n}+g0123456-abcdef01" for n in range(20))
    change = Change(names[0], names[1], names, {"demo.env": True, "secrets.env": True})
    states = States(tmp_path, Disk())
    states.save(State(names, names, "now", change, Trial(change, "boot", 1.0), "x" * 700))
    size = (tmp_path / "state.json").stat().st_size
    states.reserve()
    assert (tmp_path / "state.json.spare").stat().st_size >= size


# --- the history ------------------------------------------------------------------------------


def test_a_torn_line_costs_no_other(tmp_path: Path) -> None:
    history = History(tmp_path, Disk())
    assert history.add(ACTIVE, "A")
    with (tmp_path / "history").open("ab") as file:
        file.write(b'{"time": "x", "ev\0\0\0')
    assert history.add(FAILED, "B", "why\nnot\x1b")
    found = history.events()
    assert [event["release"] for event in found] == ["A", "B"]
    assert found[1]["why"] == "why not?"


@pytest.mark.parametrize("content", [b"\0" * 100, b"[]\n1\nnull\n", b"\xff\n", b""])
def test_what_is_no_history_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "history").write_bytes(content)
    assert History(tmp_path, Disk()).events() == []


def test_a_history_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    assert not History(tmp_path / "missing", Disk()).add(ACTIVE, "A")


# --- the lock ---------------------------------------------------------------------------------


def test_who_holds_the_lock_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_BY", "ann\x1b of the\nbench")
    file = tmp_path / "lock"
    with (
        lock.held(file, 0),
        pytest.raises(lock.Busy, match=rf"process {os.getpid()} of ann\? of the bench since "),
        lock.held(file, 0),
    ):
        pass
    assert file.stat().st_mode & 0o777 == 0o600
    with lock.held(file, 0):
        pass


def test_the_lock_is_waited_for_as_long_as_was_said(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        begun = time.monotonic()
        with pytest.raises(lock.Busy), lock.held(tmp_path / "lock", 0.25):
            pass
        assert 0.2 < time.monotonic() - begun < 2


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = "import fcntl, os, sys; fcntl.flock(open(sys.argv[1], 'w'), 2); os.kill(os.getpid(), 9)"
    subprocess.run((sys.executable, "-c", code, str(tmp_path / "lock")), check=False)
    with lock.held(tmp_path / "lock", 0):
        pass


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError), lock.held(tmp_path / "lock", 0):  # noqa: PT011 (its number differs)
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("given", ["", "-1", "x", "601", "1.5", "٣", "9" * 5000])
def test_a_patience_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_LOCK_SECONDS", given)
    with pytest.raises(Misuse, match="expected a whole number from 0 to 600"):
        lock.patience()


# --- settings ---------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Place:
    where = Place("demo", tmp_path, os.geteuid(), tmp_path)
    for folder in (where.engine, where.etc):
        folder.mkdir(parents=True)
    return where


def test_settings_go_there_and_back(place: Place) -> None:
    (place.etc / "demo.env").write_bytes(b"old")
    kept = settings.Settings(place, Disk())
    new = {"demo.env": b"new", "secrets.env": b"key"}
    assert kept.other_than_now({"demo.env": b"old"}) == {}
    replaced = kept.prepare(new)
    assert replaced == {"demo.env": True, "secrets.env": False}
    assert (kept.next / "demo.env").read_bytes() == b"new"
    assert (place.etc / "demo.env").read_bytes() == b"old"
    kept.put(replaced)
    assert (place.etc / "demo.env").read_bytes() == b"new"
    assert (place.etc / "secrets.env").stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        kept.back(replaced)
        assert (place.etc / "demo.env").read_bytes() == b"old"
        assert not (place.etc / "secrets.env").exists()
    kept.forget()
    assert [path.name for path in place.etc.iterdir()] == ["demo.env"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("other.env", "is not a settings file: expected demo.env and secrets.env"),
        ("", "holds neither"),
    ],
)
def test_settings_that_are_none_are_refused(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / (name or ".ignored")).write_bytes(b"")
    with pytest.raises(Misuse, match=why):
        settings.given(str(tmp_path), "demo")


def test_a_pipe_among_the_settings_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "demo.env")
    with pytest.raises(Misuse, match="is not a file that can be read"):
        settings.given(str(tmp_path), "demo")
    with pytest.raises(Misuse, match="there is no folder"):
        settings.given(str(tmp_path / "missing"), "demo")


# --- the place --------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["a'b", 'a"b', "a\\b", "a*", "a?", "a[", "a\nb", "a\x7fb", "a\0b"])
def test_a_prefix_that_no_unit_can_hold_is_refused(tmp_path: Path, bad: str) -> None:
    with pytest.raises(Misuse, match="has a quote, backslash, wildcard or control character"):
        places.whole_path(f"{tmp_path}/{bad}", "demo")


def test_a_prefix_is_freed_of_links_and_dots(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert places.whole_path(f"{tmp_path}/link/.", "demo") == tmp_path.resolve() / "real"
    assert places.whole_path("/", "demo") is None
    with pytest.raises(Misuse, match="there is no folder"):
        places.whole_path(f"{tmp_path}/missing/../x", "demo")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Misuse, match="is not a folder"):
        places.whole_path(f"{tmp_path}/file/x", "demo")


def test_a_link_below_the_prefix_is_refused(tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/demo").symlink_to("/tmp")
    with pytest.raises(Misuse, match=r"/opt/demo is a link: give another --prefix"):
        places.whole_path(str(tmp_path), "demo")


def test_an_installed_tree_tells_its_prefix(tmp_path: Path) -> None:
    for inner in ("releases/1.0", "package"):
        tree = tmp_path / "opt/demo" / inner
        tree.mkdir(parents=True)
        assert places.find("demo", tree).prefix == tmp_path
    assert places.find("demo", Path("/opt/demo/releases/1.0")).prefix is None
    assert places.find("demo", tmp_path, str(tmp_path / "x")).prefix == tmp_path / "x"


def test_a_prefix_that_others_could_exchange_is_refused(tmp_path: Path) -> None:
    where = Place("demo", tmp_path / "a/b", os.geteuid(), tmp_path)
    (tmp_path / "a").mkdir()
    places.require_steady(where)
    (tmp_path / "a").chmod(0o777)
    with pytest.raises(HostError, match=f"others may write to {tmp_path}/a and could replace"):
        places.require_steady(where)
    (tmp_path / "a").chmod(0o1777)
    places.require_steady(where)
    (tmp_path / "a").chmod(0o770)
    with pytest.raises(HostError, match="others may write"):
        places.require_steady(where)


def test_a_prefix_below_a_folder_of_another_user_is_refused_for_root(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("root")
    (tmp_path / "a").mkdir()
    os.chown(tmp_path / "a", 12345, 12345)
    where = Place("demo", tmp_path / "a/b", 0, tmp_path)
    with pytest.raises(HostError, match=f"{tmp_path}/a belongs to 12345, who could replace"):
        places.require_steady(where)
    where.base.mkdir(parents=True)
    os.chown(where.base, 12345, 12345)
    with pytest.raises(HostError, match="belongs to 12345: run it as 12345"):
        places.require_owner(where)


def test_a_prefix_that_the_service_cannot_enter_is_refused(place: Place) -> None:
    place.base.parent.chmod(0o700)
    as_root = Place("demo", place.prefix, 0, place.home)
    with pytest.raises(HostError, match=r"cannot enter .*/opt: chmod o\+x it"):
        places.require_way_in(as_root)


# --- what fits, and what is kept --------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "needed", "why"),
    [
        ({"machine": "vax"}, 0, "the program was built for vax"),
        ({"glibc": "99.0"}, 0, "the program needs 99.0 or newer"),
        ({}, 10**12, "kB free: .* needs 1000000000000 kB"),
    ],
)
def test_what_does_not_fit_is_refused(
    place: Place, changed: dict[str, str], needed: int, why: str
) -> None:
    facts = release.parse(json.dumps({**FACTS, **changed}).encode(), Path())
    with pytest.raises(HostError, match=why):
        preflight.require_fit(facts, place, needed)


def test_what_fits_is_not_refused(place: Place) -> None:
    for glibc in ("none", "2.5", "2.17.1"):
        facts = release.parse(json.dumps({**FACTS, "glibc": glibc}).encode(), Path())
        preflight.require_fit(facts, place, 1)


def test_what_is_needed_is_kept() -> None:
    installed = list("ABCDEFG")
    change = Change("B", "C", ("D", "A"))
    state = State(before=("X", "C", "E", "A"), recent=("G", "F", "B"))
    assert retention.to_keep("C", state, installed, 2) == {"C", "E"}, "X is gone, C is active"
    assert retention.to_keep("C", state, installed, 4) == {"C", "E", "G", "F"}
    on_trial = State(trial=Trial(change, "boot", 1.0))
    assert retention.to_keep("C", on_trial, installed, 2) == {"B", "C", "D"}
    assert retention.to_keep("B", State(switch=change), installed, 2) == {"B", "C", "D"}


# --- the watch --------------------------------------------------------------------------------


def test_the_watch_asks_seldom_while_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    slept: list[float] = []
    on_trial = Trial(Change("1", "2"), "boot", now + 12)
    answers = iter([Seen(on_trial), Seen(on_trial, 1), Seen(on_trial), Seen(on_trial), None])

    class Clock:
        def seconds(self) -> float:
            return now + sum(slept)

        def sleep(self, seconds: float) -> None:
            slept.append(seconds)

    monkeypatch.setattr(trial, "look", lambda *_: next(answers))
    trial.watch(cast("Installation", SimpleNamespace(clock=Clock())))
    assert slept == [5.0, 1.0, 5.0, 1.0], "until the next check, after a failure, until the end"
