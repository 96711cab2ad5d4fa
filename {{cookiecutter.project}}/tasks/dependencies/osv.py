"""Collects the advisories of packages from a service that answers as OSV does, in one file.

The file crosses the gap to machines without a network; `deploy/host/advisories.py` reads it there.
What is asked: https://google.github.io/osv.dev/post-v1-query/
"""

import datetime as dt
import json
import os
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..lib import lock
from ..lib.console import TaskError
from ..lib.project import Project, normalised

ECOSYSTEM = "PyPI"
_FORMAT = 1
_LARGEST = 1 << 24
"""The most bytes that an engine reads of such a file."""
_LARGEST_ANSWER = 1 << 26
_MOST_PAGES = 100
_SECONDS = 30
_AT_ONCE = 8
_KEPT = ("id", "modified", "published", "withdrawn", "aliases", "severity")
_SUMMARY = 200


class NoAnswer(TaskError):  # noqa: N818 (it says what it is)
    """The advisory service does not answer as it should."""


def service(project: Project) -> str:
    """Return the URL of the advisory service: OSV_URL, else what pyproject.toml names."""
    settings = tomllib.loads((project.root / "pyproject.toml").read_text(encoding="utf-8"))
    url = os.environ.get("OSV_URL") or settings["tool"]["security"]["advisories"]
    if not str(url).startswith(("https://", "http://")):
        raise TaskError(f"the advisory service is '{url}': expected a URL with https or http")
    return str(url)


def packages(project: Project, *bills: Path) -> dict[str, list[str]]:
    """Return the versions of every package in the lock, and in bills of materials, by its name.

    Raises `TaskError` for a bill that cannot be read, `LockError` for a lock that cannot.
    """
    found: dict[str, set[str]] = {}
    for category in lock.categories(project.lock):
        for name, entry in lock.packages(project.lock, category).items():
            found.setdefault(normalised(name), set()).add(entry.get("version", "").lstrip("="))
    for bill in bills:
        for name, version in _in_bill(bill):
            found.setdefault(normalised(name), set()).add(version)
    return {name: sorted(found[name] - {""}) for name in sorted(found)}


def collect(url: str, asked: Mapping[str, list[str]], now: dt.datetime) -> dict[str, Any]:
    """Return a document with all advisories of the packages, whatever version they affect.

    A release that runs somewhere may have another version than the lock. Raises `NoAnswer`.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda name: _ask(url, name), asked))
    records = {record["id"]: record for records in found for record in records}
    return {
        "format": _FORMAT,
        "made": now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "service": url,
        "asked": dict(asked),
        "vulns": [records[name] for name in sorted(records)],
    }


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a collected document; a kill at any moment leaves the old file or the new one."""
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if len(text.encode()) > _LARGEST:
        raise TaskError(f"the advisories take more than the {_LARGEST >> 20} MB that engines read")
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8", newline="\n")
        new.replace(path)
    except OSError as error:
        raise TaskError(f"cannot write {path}: {error.strerror}") from error


def _in_bill(bill: Path) -> Iterable[tuple[str, str]]:
    path = bill / "sbom.cdx.json" if bill.is_dir() else bill
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))["components"]
        return [(p["name"], p["version"]) for p in parts if "pkg:pypi/" in p.get("purl", "")]
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TaskError(f"{path} is no bill of materials") from error


def _ask(url: str, name: str) -> list[dict[str, Any]]:
    query: dict[str, Any] = {"package": {"name": name, "ecosystem": ECOSYSTEM}}
    records: list[dict[str, Any]] = []
    for _ in range(_MOST_PAGES):
        answer = _post(url, query)
        records += [_slim(record, name) for record in answer.get("vulns") or ()]
        if not answer.get("next_page_token"):
            return records
        query["page_token"] = answer["next_page_token"]
    raise NoAnswer(f"{url} does not answer: it never comes to the end of {name}'s advisories")


def _post(url: str, query: Mapping[str, Any]) -> dict[str, Any]:
    body, kind = json.dumps(query).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, kind)  # noqa: S310 (service() checks the scheme)
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310  # nosec B310
            answer: object = json.loads(response.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        raise NoAnswer(f"{url} does not answer: HTTP {error.code}") from error
    except (OSError, ValueError) as error:
        raise NoAnswer(f"{url} does not answer: {error}") from error
    if not isinstance(answer, dict):
        raise NoAnswer(f"{url} does not answer as an advisory service does")
    return answer


def _slim(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a record of OSV without what no engine reads: most of its size is long texts."""
    try:
        text = record.get("summary") or record.get("details", "").strip().partition("\n")[0]
        affected = [
            {
                "package": {"name": part["package"]["name"], "ecosystem": ECOSYSTEM},
                "ranges": [r for r in part.get("ranges", ()) if r["type"] != "GIT"],
                "versions": part.get("versions", []),
            }
            for part in record.get("affected", ())
            if part.get("package", {}).get("ecosystem") == ECOSYSTEM
        ]
        kept = {key: record[key] for key in _KEPT if key in record}
        return {**kept, "id": record["id"], "summary": text[:_SUMMARY], "affected": affected}
    except (KeyError, TypeError, AttributeError) as error:
        raise NoAnswer(f"the advisory service answers for {name} with what is no record") from error
