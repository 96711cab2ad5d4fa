"""Tell from bills of materials which releases are affected by advisories, without a network.

A file of advisories comes from elsewhere and is not trusted: what is in it is compared and shown,
never followed. It has OSV's records (https://ossf.github.io/osv-schema/), the day on which they
were asked for, and the packages that were asked about. `invoke deps.advisories` writes it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .errors import HostError, one_line
from .release import content
from .versions import Key, key, public

BILL = "sbom.cdx.json"
ECOSYSTEM = "PyPI"
FORMAT = 1
_PURL = re.compile(r"pkg:pypi/[^@?#]+@.")
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_RANGES = {"ECOSYSTEM", "SEMVER"}
_EVENTS = ("introduced", "fixed", "last_affected")
_SHOWN = 160
_BEFORE_ALL: Key = (-1,)
"""The key of `0`, which in an event stands for the first version of all."""


class Unusable(HostError):  # noqa: N818 (it says what it is)
    """The question cannot be answered with what was given."""

    exit_code = 2


@dataclass(frozen=True)
class Finding:
    """One package of a release that one advisory is about."""

    package: str
    version: str
    id: str
    aliases: tuple[str, ...]
    fixed: str
    """The next version without that weakness; empty if the advisory names none."""
    summary: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        others = f" ({', '.join(self.aliases)})" if self.aliases else ""
        cure = f"fixed in {self.fixed}" if self.fixed else "no version fixes it yet"
        text = f": {self.summary}" if self.summary else ""
        return one_line(f"{self.package} {self.version}: {self.id}{others}{text}; {cure}")


@dataclass(frozen=True)
class Verdict:
    """What a file of advisories says of one release."""

    affected: tuple[Finding, ...] = ()
    unknown: str = ""
    """Why the release was not, or not wholly, judged; empty if it was."""

    def lines(self) -> list[str]:
        """Return what there is to say, a line for each finding."""
        told = [str(finding) for finding in self.affected]
        told += [f"not judged: {self.unknown}"] if self.unknown else []
        return told or ["not affected"]


@dataclass(frozen=True)
class Advisories:
    """The content of a file of advisories."""

    made: datetime
    """When they were asked for."""
    asked: frozenset[str]
    """The normalised names of the packages that it knows all advisories of."""
    records: Mapping[str, Sequence[Mapping[str, Any]]]
    """The records that are about a package, by its normalised name."""

    def judge(self, bill: Path) -> Verdict:
        """Return what the advisories say of the release with this bill of materials."""
        if not bill.exists():
            return Verdict(unknown=f"it has no {bill.name}: it was built before releases had one")
        try:
            parts = components(bill)
        except Unusable as error:
            return Verdict(unknown=str(error))
        found = [finding for part in parts for finding in self._findings(*part)]
        missing = sorted({name for name, _ in parts} - self.asked)
        why = f"the file knows nothing of {', '.join(missing)}" if missing else ""
        return Verdict(tuple(found), one_line(why))

    def age(self) -> str:
        """Return the day on which they were asked for, and how long ago that is."""
        days = max((datetime.now(UTC) - self.made).days, 0)
        ago = {0: "today", 1: "a day ago"}.get(days, f"{days} days ago")
        return f"advisories of {self.made.date()}, {ago}"

    def _findings(self, name: str, version: str) -> Iterator[Finding]:
        known: set[str] = set()
        for record in sorted(self.records.get(name, ()), key=lambda each: str(each["id"])):
            ids = {record["id"], *record["aliases"]}
            if ids & known or "withdrawn" in record:  # others publish the same under another name
                continue
            parts = [part for part in record["affected"] if _is_about(part, name)]
            hit = [part for part in parts if is_affected(part, version)]
            if hit:
                known |= ids
                fixes = (_fix(part, version) for part in hit)
                summary = one_line(record.get("summary", ""), _SHOWN)
                others = tuple(sorted(record["aliases"]))
                fixed = next(filter(None, fixes), "")
                yield Finding(name, version, record["id"], others, fixed, summary)


def read(path: Path) -> Advisories:
    """Return the content of a file of advisories. Raises Unusable for a file that is none."""
    given = _document(path)
    try:
        _require_format(given["format"])
        records = _by_package(_checked(record) for record in given["vulns"])
        names = frozenset(normalised(name) for name in dict(given["asked"]))
        return Advisories(_moment(given["made"]), names, records)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise Unusable(f"{path} is no file of advisories: {one_line(why)}") from error


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """Return 1 if a release is affected, else 2 if one was not wholly judged, else 0."""
    found = list(verdicts)
    return 1 if any(v.affected for v in found) else 2 if any(v.unknown for v in found) else 0


def components(bill: Path) -> list[tuple[str, str]]:
    """Return names and versions of the packages in a bill of materials. Raises Unusable."""
    given = _document(bill)
    try:
        return [
            (normalised(part["name"]), _text(part["version"]))
            for part in given["components"]
            if _PURL.match(part.get("purl", ""))
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Unusable(f"{bill} is no bill of materials") from error


def is_affected(part: Mapping[str, Any], version: str) -> bool:
    """Return whether an `affected` object of OSV is about a version: its list has it, or a range.

    A version that cannot be compared is affected, unless the list alone decides.
    """
    listed, ranges = part.get("versions") or (), list(_ranges(part))
    try:
        wanted = key(public(version))
    except ValueError:
        return version in listed or bool(ranges)
    if version in listed or any(_equal(each, wanted) for each in listed):
        return True
    return any(_within(events, wanted) for events in ranges)


def normalised(name: str) -> str:
    """Return the normalised form of a package's name."""
    return re.sub(r"[-_.]+", "-", _text(name)).lower()


def _document(path: Path) -> dict[str, Any]:
    text = content(path.resolve())
    if text is None:
        raise Unusable(f"{path} is not a plain file that can be read, of at most 16 MB")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{path} is not JSON") from error
    if not isinstance(given, dict):
        raise Unusable(f"{path} is not a JSON object")
    return given


def _require_format(given: object) -> None:
    if given != FORMAT:
        raise ValueError(f"its format is '{given}', and this engine reads {FORMAT}")


def _moment(made: object) -> datetime:
    return datetime.strptime(_text(made), _MOMENT).replace(tzinfo=UTC)


def _by_package(records: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        for name in {normalised(part["package"]["name"]) for part in record["affected"]}:
            found.setdefault(name, []).append(record)
    return found


def _checked(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record with the parts that are about Python packages; raise for a malformed one."""
    aliases = record.get("aliases") or ()
    for text in (record["id"], record.get("summary", ""), *aliases):
        _text(text)
    parts = [part for part in record.get("affected") or () if part.get("package")]
    mine = [part for part in parts if part["package"].get("ecosystem") == ECOSYSTEM]
    for part in mine:
        _text(part["package"]["name"])
        for version in part.get("versions") or ():
            _text(version)
        for events in _ranges(part):
            for event in events:
                for version in event.values():
                    _text(version)
    return {**record, "aliases": aliases, "affected": mine}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"'{one_line(repr(value), 40)}' is no text")
    return value


def _is_about(part: Mapping[str, Any], name: str) -> bool:
    return normalised(part["package"]["name"]) == name


def _ranges(part: Mapping[str, Any]) -> Iterator[list[dict[str, str]]]:
    """Yield the events of the ranges that name versions; others name commits."""
    for each in part.get("ranges") or ():
        if each["type"] in _RANGES:
            yield [event for event in each["events"] if event.keys() & set(_EVENTS)]


def _equal(version: str, wanted: Key) -> bool:
    try:
        return key(version) == wanted
    except ValueError:
        return False


def _point(event: Mapping[str, str]) -> tuple[Key, str, str]:
    kind = next(name for name in _EVENTS if name in event)
    return (_BEFORE_ALL if event[kind] == "0" else key(event[kind]), kind, event[kind])


def _within(events: Iterable[Mapping[str, str]], wanted: Key) -> bool:
    """Return whether a range has a version, by the rule of OSV's schema."""
    try:
        points = sorted(_point(event) for event in events)
    except ValueError:  # a bound that cannot be compared excludes nothing
        return True
    inside = False
    for place, kind, _ in points:
        if kind == "introduced" and wanted >= place:
            inside = True
        elif (kind == "fixed" and wanted >= place) or (kind == "last_affected" and wanted > place):
            inside = False
    return inside


def _fix(part: Mapping[str, Any], version: str) -> str:
    """Return the first version after this one in which an advisory calls the weakness fixed."""
    try:
        wanted = key(public(version))
        points = [_point(event) for events in _ranges(part) for event in events]
    except ValueError:
        return ""
    fixes = [(place, text) for place, kind, text in points if kind == "fixed" and place > wanted]
    return one_line(min(fixes)[1]) if fixes else ""
