"""tasks.checks.findings: what the security tools report against the dated allow-list."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from tasks.checks import findings

TODAY = dt.date(2026, 6, 1)
REPORTS: dict[str, tuple[dict[str, Any], str]] = {
    "bandit": ({"results": [{"test_id": "B102", "filename": "src/a.py"}]}, "B102:src/a.py"),
    "pip-audit": (
        {"dependencies": [{"name": "a", "vulns": [{"id": "GHSA-1"}]}, {"name": "b", "vulns": []}]},
        "GHSA-1:a",
    ),
    "detect-secrets": (
        {"results": {"src/a.py": [{"hashed_secret": "0123456789abcdef"}]}},
        "0123456789ab:src/a.py",
    ),
}


def allowed(check: str, **more: Any) -> dict[str, Any]:
    finding = REPORTS[check][1]
    return {"check": check, "finding": finding, "until": TODAY, "reason": "seen", **more}


@pytest.fixture(params=REPORTS)
def check(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(REPORTS[request.param][0]))
    return request.param, path


def test_a_finding_is_a_problem(check: tuple[str, Path]) -> None:
    name, report = check
    assert findings.problems(name, report, [], TODAY) == [f"{name}: {REPORTS[name][1]}"]


def test_an_allowed_finding_is_none_until_its_day(check: tuple[str, Path]) -> None:
    name, report = check
    assert findings.problems(name, report, [allowed(name)], TODAY) == []
    late = findings.problems(name, report, [allowed(name)], TODAY + dt.timedelta(days=1))
    assert late == [
        f"{name}: allow-list entry {REPORTS[name][1]} ended on 2026-06-01: look at it again",
        f"{name}: {REPORTS[name][1]}",
    ]


def test_another_checks_entry_allows_nothing(check: tuple[str, Path]) -> None:
    name, report = check
    entry = {**allowed(name), "check": "another"}
    assert findings.problems(name, report, [entry], TODAY) == [f"{name}: {REPORTS[name][1]}"]


@pytest.mark.parametrize("wrong", [{"until": "2026-12-31"}, {"unknown": 1}])
def test_a_malformed_entry_is_a_problem(check: tuple[str, Path], wrong: dict[str, Any]) -> None:
    name, report = check
    problems = findings.problems(name, report, [allowed(name, **wrong)], TODAY)
    assert problems[0].endswith("needs exactly check, finding, reason, until, `until` as a date")
    assert problems[1] == f"{name}: {REPORTS[name][1]}"


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"results": 1, "dependencies": 1}'])
def test_no_report_is_never_a_clean_one(check: tuple[str, Path], text: str) -> None:
    name, report = check
    report.write_text(text)
    with pytest.raises(ValueError, match=r"Expecting value|is not in its form"):
        findings.problems(name, report, [], TODAY)


@pytest.mark.parametrize("name", REPORTS)
def test_an_empty_report_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        findings.whole(name, "")


def test_lines_of_json_are_one_report() -> None:
    assert json.loads(findings.whole("mypy", '{"a": 1}\n{"b": 2}\n')) == [{"a": 1}, {"b": 2}]
    assert findings.whole("mypy", "") == "[]\n"
    with pytest.raises(ValueError, match="Expecting value"):
        findings.whole("mypy", "Traceback")


SERVICE = [
    "Traceback\n...\nrequests.exceptions.ConnectionError: HTTPConnectionPool(host=...)\n",
    "Traceback\n...\nrequests.exceptions.ReadTimeout: ...\n\n",
    "Traceback\n...\npip_audit._service.interface.ServiceError\n",
    "ERROR:pip_audit._cli:Could not connect to OSV's vulnerability feed\n",
]


@pytest.mark.parametrize("said", SERVICE)
def test_a_service_that_does_not_answer_is_told_from_a_crash(said: str) -> None:
    assert findings.unreachable("pip-audit", said)
    assert not findings.unreachable("bandit", said)


@pytest.mark.parametrize(
    "said",
    ["", "Traceback\nModuleNotFoundError: No module named 'requests.exceptions'\n", "Killed"],
)
def test_a_crash_is_one(said: str) -> None:
    assert not findings.unreachable("pip-audit", said)
