"""Reads what the security tools report and compares it with the dated allow-list.

The allow-list is in pyproject.toml: one `[[tool.security.allow]]` for each finding that someone
has accepted, with the last day on which that holds.
"""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..lib.process import last_line

# pip-audit's last line when the advisory service is broken or does not answer. It uses requests for
# nothing else.
_NO_ANSWER = re.compile(
    r"requests\.exceptions\.|pip_audit\._service\.interface\.|ERROR:.*: ?Could not connect to OSV"
)
_KEYS = {"check", "finding", "until", "reason"}


def bandit(report: Mapping[str, Any]) -> list[str]:
    """Return the findings in bandit's JSON report, each as `TEST:FILE`."""
    return [f"{r['test_id']}:{Path(r['filename']).as_posix()}" for r in report["results"]]


def pip_audit(report: Mapping[str, Any]) -> list[str]:
    """Return the findings in pip-audit's JSON report, each as `ADVISORY:PACKAGE`."""
    return [
        f"{advisory['id']}:{package['name']}"
        for package in report["dependencies"]
        for advisory in package.get("vulns", ())
    ]


def detect_secrets(report: Mapping[str, Any]) -> list[str]:
    """Return the findings in detect-secrets' JSON report, each as `HASH:FILE`."""
    return [
        f"{secret['hashed_secret'][:12]}:{Path(name).as_posix()}"
        for name, secrets in report["results"].items()
        for secret in secrets
    ]


_NOT_SCANNED = {
    *("__pycache__", ".git", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".venv"),
    *("build", "dist", "reports", "Pipfile.lock"),
}
STYLE = {
    "ruff": ["ruff", "check", "--output-format=json"],
    "mypy": ["mypy", "--output=json"],
}
"""For each check that lint runs, the command that prints its JSON report."""
_LINES = {"mypy"}  # prints a line of JSON for each finding
_FINDINGS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "bandit": bandit,
    "pip-audit": pip_audit,
    "detect-secrets": detect_secrets,
}


def commands(root: Path, audited: Path, advisories: str) -> dict[str, list[str]]:
    """Return for each check the command that prints its JSON report.

    `audited` is a requirements file, `advisories` the URL of a service that answers as
    https://google.github.io/osv.dev/post-v1-query/ says.
    """
    scanned = sorted(path.name for path in root.iterdir() if path.name not in _NOT_SCANNED)
    return {
        "bandit": ["bandit", "-q", "-r", "-c", "pyproject.toml", "-f", "json",
                   "src", "tasks", "deploy", "noxfile.py"],
        "pip-audit": ["pip-audit", *audit(audited, advisories)],
        "detect-secrets": ["detect-secrets", "scan", "--all-files", *scanned],
    }  # fmt: skip


def audit(audited: Path, advisories: str) -> list[str]:
    """Return pip-audit's arguments; they mean what those of `commands` do."""
    service = ["-s", "osv", "--osv-url", advisories, "--progress-spinner", "off"]
    return ["--strict", "--no-deps", "--disable-pip", *service, "-r", str(audited), "-f", "json"]


def whole(check: str, output: str) -> str:
    """Return what a check printed as one JSON document.

    Raises `ValueError` where the output is not JSON.
    """
    if check in _LINES:
        found = [json.loads(line) for line in output.splitlines() if line]
        return json.dumps(found, indent=1) + "\n"
    json.loads(output)
    return output


def unreachable(check: str, said: str) -> bool:
    """Return whether a check gave no report because a service does not answer as it should."""
    return check == "pip-audit" and bool(_NO_ANSWER.match(last_line(said, "")))


def problems(
    check: str, report: Path, allow: Iterable[Mapping[str, Any]], today: dt.date
) -> list[str]:
    """Return one line for each finding of a check that the allow-list does not cover today.

    An entry that is malformed or past its day is a problem too: a list that nobody renews must not
    stay green. Raises `ValueError` where the report does not have that check's form.
    """
    try:
        findings = _FINDINGS[check](json.loads(report.read_text(encoding="utf-8")))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"the report of {check} is not in its form: {error!r}") from error
    entries = [entry for entry in allow if entry.get("check") == check]
    wrong = [problem for entry in entries if (problem := _wrong(entry, today))]
    accepted = {entry.get("finding") for entry in entries if not _wrong(entry, today)}
    return wrong + [f"{check}: {name}" for name in findings if name not in accepted]


def _wrong(entry: Mapping[str, Any], today: dt.date) -> str:
    name = f"{entry.get('check')}: allow-list entry {entry.get('finding')}"
    if set(entry) != _KEYS or not isinstance(entry["until"], dt.date):
        return f"{name} needs exactly {', '.join(sorted(_KEYS))}, `until` as a date"
    if entry["until"] < today:
        return f"{name} ended on {entry['until']}: look at it again"
    return ""
