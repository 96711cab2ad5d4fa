"""Which installed releases known vulnerabilities affect: `NAME-admin audit`, without a network."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from host import advisories, cli
from host.advisories import Unusable

from tests.engine.test_command import Command, install, made

Facts = dict[str, Any]
DAY = "2026-01-02T03:04:05Z"


def part(name: str = "click", *events: Facts, versions: tuple[str, ...] = ()) -> Facts:
    """Return what an advisory says of one package."""
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    package = {"ecosystem": "PyPI", "name": name}
    return {"package": package, "ranges": ranges, "versions": list(versions)}


BEFORE_8_1_7 = ({"introduced": "0"}, {"fixed": "8.1.7"})
TWICE = ({"fixed": "4"}, {"introduced": "3"}, {"introduced": "0"}, {"fixed": "2"})
RECORD: Facts = {
    "id": "GHSA-1", "aliases": ["CVE-1"], "summary": "It\nleaks \x1b[31m",
    "affected": [part("Click", *BEFORE_8_1_7)],
}  # fmt: skip


def file(
    folder: Path, *records: Facts, asked: tuple[str, ...] = ("click",), **more: object
) -> Path:
    """Write a file of advisories."""
    path = folder / "advisories.json"
    names: Facts = {name: [] for name in asked}
    known = {"format": 1, "made": DAY, "asked": names, "vulns": list(records)}
    path.write_text(json.dumps({**known, **more}))
    return path


def bill(folder: Path, **versions: str) -> Path:
    """Write a bill of materials."""
    path = folder / advisories.BILL
    parts = [
        {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
        for name, version in versions.items()
    ]
    python = {"type": "platform", "name": "cpython", "version": "3.13.0"}
    path.write_text(json.dumps({"components": [*parts, python]}))
    return path


@pytest.mark.parametrize(
    ("version", "events", "versions", "affected"),
    [
        ("8.1.6", BEFORE_8_1_7, (), True), ("8.1.7", BEFORE_8_1_7, (), False),
        ("8.1.7rc1", BEFORE_8_1_7, (), True), ("8.1.10", BEFORE_8_1_7, (), False),
        ("0.dev1", BEFORE_8_1_7, (), True), ("1!0", BEFORE_8_1_7, (), False),
        ("8.1", ({"introduced": "8.2"},), (), False), ("9", ({"introduced": "8.2"},), (), True),
        ("2.0", ({"introduced": "1"}, {"last_affected": "2"}), (), True),
        ("2.0+local", ({"introduced": "1"}, {"last_affected": "2"}), (), True),
        ("2.0.1", ({"introduced": "1"}, {"last_affected": "2"}), (), False),
        ("3", TWICE, (), True), ("1", TWICE, (), True), ("4", TWICE, (), False),
        ("2.5", TWICE, (), False),
        ("8.1", (), ("8.1.0",), True), ("8.1", (), ("8.1.1", "2004d"), False),
        ("2004d", (), ("2004d",), True), ("2004d", (), ("2005a",), False),
        ("8.2", BEFORE_8_1_7, ("8.2",), True), ("8.1", BEFORE_8_1_7, ("8.0",), True),
        ("2004d", BEFORE_8_1_7, (), True), ("8.1", ({"introduced": "?"}, {"fixed": "1"}), (), True),
        ("8.1", (), (), False),
    ],
)  # fmt: skip
def test_which_versions_are_affected(
    version: str, events: tuple[Facts, ...], versions: tuple[str, ...], affected: bool
) -> None:
    assert advisories.is_affected(part("click", *events, versions=versions), version) is affected


def test_commits_are_no_versions() -> None:
    given = {"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}
    assert not advisories.is_affected(given, "1.0")


def test_a_finding_is_one_line(tmp_path: Path) -> None:
    verdict = advisories.read(file(tmp_path, RECORD)).judge(bill(tmp_path, click="8.1.0"))
    assert verdict.lines() == [
        "click 8.1.0: GHSA-1 (CVE-1): It leaks ?[31m; fixed in 8.1.7",
    ]
    [record] = [{**RECORD, "affected": [part("click", {"introduced": "0"})], "summary": ""}]
    verdict = advisories.read(file(tmp_path, record)).judge(bill(tmp_path, click="8.1.0"))
    assert verdict.lines() == ["click 8.1.0: GHSA-1 (CVE-1); no version fixes it yet"]


def test_the_same_weakness_is_told_once(tmp_path: Path) -> None:
    same = {**RECORD, "id": "PYSEC-1", "aliases": ["CVE-1", "GHSA-1"]}
    gone = {**RECORD, "id": "GHSA-0", "aliases": [], "withdrawn": DAY}
    other = {**RECORD, "id": "GHSA-2", "aliases": None, "affected": [part("flask", *BEFORE_8_1_7)]}
    foreign = part("click", *BEFORE_8_1_7)
    foreign["package"]["ecosystem"] = "npm"
    npm = {**RECORD, "id": "GHSA-3", "aliases": [], "affected": [foreign, {}]}
    known = advisories.read(file(tmp_path, same, gone, other, npm, RECORD))
    [found] = known.judge(bill(tmp_path, click="8.1.0")).affected
    assert found.id == "GHSA-1"


def test_what_the_file_does_not_know_is_not_called_clean(tmp_path: Path) -> None:
    known = advisories.read(file(tmp_path, asked=("click",)))
    verdict = known.judge(bill(tmp_path, click="8.1.0", h11="1"))
    assert verdict.lines() == ["not judged: the file knows nothing of h11"]
    assert advisories.exit_code([verdict]) == 2
    assert "it was built before releases had one" in known.judge(tmp_path / "none").unknown
    for text in ("[]", "{}", "{", '{"components": [{"purl": "pkg:pypi/x@1", "version": 1}]}'):
        (tmp_path / advisories.BILL).write_text(text)
        assert known.judge(tmp_path / advisories.BILL).unknown


@pytest.mark.parametrize(("days", "said"), [(0, "today"), (1, "a day ago"), (40, "40 days ago")])
def test_the_age_is_told(tmp_path: Path, days: int, said: str) -> None:
    when = datetime.now(UTC) - timedelta(days=days, minutes=1)
    known = advisories.read(file(tmp_path, made=when.strftime("%Y-%m-%dT%H:%M:%SZ")))
    assert known.age() == f"advisories of {when.date()}, {said}"


def _deep(path: Path) -> None:
    path.write_text("[" * 200_000)


def _deep_inside(path: Path) -> None:
    path.write_text('{"format": 1, "x": ' + '{"a":' * 5_000 + "1" + "}" * 5_000 + "}")


def _large(path: Path) -> None:
    with path.open("wb") as opened:
        opened.truncate((1 << 24) + 1)


def _hold(record: Any, path: Path) -> None:
    file(path.parent, record)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: path.unlink(missing_ok=True),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "too large": _large,
    "deep": _deep,
    "deep inside": _deep_inside,
    "no JSON": lambda path: path.write_bytes(b"\xff\x00"),
    "a list": lambda path: path.write_text("[]"),
    "a long number": lambda path: path.write_text("9" * 5000),
    "wrong asked": lambda path: path.write_text(
        json.dumps({"format": 1, "made": DAY, "asked": "click", "vulns": []})
    ),
    "wrong format": lambda path: file(path.parent, format=2),
    "wrong day": lambda path: file(path.parent, made="yesterday\n\x1b"),
    "no list": lambda path: file(path.parent, vulns=7),
    **{
        f"record {number}": partial(_hold, record)
        for number, record in enumerate([
            {}, {"id": 1}, {"id": "x", "aliases": 7}, {"id": "x", "aliases": [{}]},
            {"id": "x", "summary": []}, {"id": "x", "affected": {"a": 1}},
            {"id": "x", "affected": [{"package": 1}]},
            {"id": "x", "affected": [{"package": {"ecosystem": "PyPI"}}]},
            {"id": "x", "affected": [{**part(), "versions": [1]}]},
            {"id": "x", "affected": [{**part(), "ranges": [{}]}]},
            {"id": "x", "affected": [{**part(), "ranges": [{"type": "ECOSYSTEM"}]}]},
            {"id": "x", "affected": [part("click", {"fixed": 1})]},
            {"id": "x", "affected": [{**part(), "ranges": [{"type": "ECOSYSTEM", "events": [1]}]}]},
        ])
    },
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, what: str) -> None:
    path = tmp_path / "advisories.json"
    HOSTILE[what](path)
    with pytest.raises(Unusable) as refused:
        advisories.read(path)
    assert str(refused.value).startswith(f"{path} is ")
    assert str(refused.value).isprintable()
    assert refused.value.exit_code == 2


def test_a_large_file_is_judged_in_time(tmp_path: Path) -> None:
    versions = [f"7.{n}" for n in range(400)]
    affected = [part("click", {"introduced": "0"}, {"fixed": "8.0"}, versions=tuple(versions))]
    path = file(tmp_path, *({"id": f"GHSA-{n}", "affected": affected} for n in range(4000)))
    assert path.stat().st_size > 12_000_000
    begun = time.process_time()
    verdict = advisories.read(path).judge(bill(tmp_path, click="8.1.0"))
    assert verdict.lines() == ["not affected"]
    assert time.process_time() - begun < 5


@pytest.fixture
def installed(tmp_path: Path) -> Command:
    """Return an installation with two releases, a weak one and a mended one."""
    command = Command(tmp_path)
    for version, click in (("1.0", "8.1.0"), ("1.1", "8.1.7")):
        tree = made(tmp_path, version, advisories.BILL)
        (tree / advisories.BILL).write_text(bill(tmp_path, click=click).read_text())
        install(command, _summed(tree))
    return command


def _summed(tree: Path) -> Path:
    """Write the checksum of the bill anew."""
    sums = tree / "SHA256SUMS"
    digest = hashlib.sha256((tree / advisories.BILL).read_bytes()).hexdigest()
    lines = [line for line in sums.read_text().splitlines() if advisories.BILL not in line]
    sums.write_text("\n".join([*lines, f"{digest}  {advisories.BILL}", ""]))
    return tree


def audit(command: Command, *words: str | Path) -> int:
    tree = command.this.place.releases / command.version()
    prefix = ("--prefix", str(command.prefix))
    return cli.main(tree, ["audit", *map(str, words), *prefix])


def test_the_releases_here(
    installed: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(installed, file(tmp_path, RECORD)) == 1
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[:2] == [
        "1.0: click 8.1.0: GHSA-1 (CVE-1): It leaks ?[31m; fixed in 8.1.7",
        "1.1 (active): not affected",
    ]
    assert said.out.splitlines()[2].startswith("advisories of 2026-01-02, ")
    assert audit(installed, file(tmp_path, RECORD), "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["made"] == "2026-01-02T03:04:05+00:00"
    [finding] = told["releases"]["1.0"]["affected"]
    assert (finding["package"], finding["fixed"]) == ("click", "8.1.7")
    assert told["releases"]["1.1"] == {"affected": [], "unknown": ""}


def test_an_unpacked_release_and_one_that_is_clean(
    installed: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = file(tmp_path, RECORD)
    assert audit(installed, known, tmp_path / "tree-1.1") == 0
    assert audit(installed, known, tmp_path / "tree-1.0") == 1
    assert audit(installed, file(tmp_path)) == 0
    capsys.readouterr()
    install(installed, made(tmp_path, "1.2"))
    assert audit(installed, file(tmp_path)) == 2
    assert "1.2 (active): not judged: it has no sbom.cdx.json" in capsys.readouterr().out


def test_a_wrong_call(
    installed: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(installed, tmp_path / "none") == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/none is not a plain file")
    assert audit(installed) == 2
    tree = installed.this.place.releases / "1.1"
    (tmp_path / "empty").mkdir()
    code = cli.main(tree, ["audit", str(file(tmp_path)), "--prefix", str(tmp_path / "empty")])
    assert (code, capsys.readouterr().err.splitlines()[-1]) == (
        2,
        "error: no release of demo is installed here",
    )
