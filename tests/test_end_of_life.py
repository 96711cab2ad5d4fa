"""tasks.lib.end_of_life: a Python without security fixes is warned of, or refused."""

import datetime as dt

import pytest
from tasks.deploy.build.plan import decide
from tasks.deploy.settings import Settings
from tasks.lib import end_of_life, project
from tasks.lib.console import TaskError

from tests.conftest import Bake
from tests.support import PYTHONS, offered_here

LAST = dt.date(2027, 10, 31)
TEXT = "Python 3.11 reached its end of life on 2027-10-31: it gets no security fixes any more"


def test_every_offered_python_has_a_date() -> None:
    assert set(PYTHONS) <= set(end_of_life.LAST_DAYS)


@pytest.mark.parametrize("version", ["3.11", "3.11.7"])
def test_on_the_last_day_it_still_passes(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    end_of_life.check(version, LAST, refuse=True)
    assert capsys.readouterr() == ("", "")
    after = LAST + dt.timedelta(days=1)
    end_of_life.check(version, after, refuse=False)
    assert capsys.readouterr() == ("", f"warning: {TEXT}\n")
    with pytest.raises(TaskError, match=TEXT):
        end_of_life.check(version, after, refuse=True)


def test_an_unknown_version_passes() -> None:
    end_of_life.check("3.99.0", dt.date(2999, 1, 1), refuse=True)


def test_a_plan_with_an_old_python(
    bake: Bake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = offered_here()
    this = project.load(bake(python_version=version))
    decide("offline-binary", this, Settings(end_of_life="refuse"))
    monkeypatch.setitem(end_of_life.LAST_DAYS, version, dt.date(2020, 1, 31))
    decide("offline-binary", this, Settings())
    assert f"warning: Python {version} reached its end of life on 2020-01-31" in (
        capsys.readouterr().err
    )
    with pytest.raises(TaskError, match=rf"Python {version} .* 2020-01-31: .* is 'refuse'\)$"):
        decide("offline-binary", this, Settings(end_of_life="refuse"))


@pytest.mark.parametrize(
    ("version", "day", "name", "until"),
    [
        ("3.13", "2024-09-30", "development", "2024-09-30"),
        ("3.13", "2024-10-01", "bugfix", "2026-10-31"),
        ("3.13", "2026-10-31", "bugfix", "2026-10-31"),
        ("3.13.2", "2026-11-01", "security", "2029-10-31"),
        ("3.13", "2029-10-31", "security", "2029-10-31"),
        ("3.13", "2029-11-01", "end of life", "2029-10-31"),
        # Their last releases with bug fixes came in April 2024 and April 2025.
        ("3.11", "2024-04-30", "bugfix", "2024-04-30"),
        ("3.12", "2025-05-01", "security", "2028-10-31"),
    ],
)
def test_the_phases_of_a_python(version: str, day: str, name: str, until: str) -> None:
    found = end_of_life.phase(version, dt.date.fromisoformat(day))
    assert found == end_of_life.Phase(name, dt.date.fromisoformat(until))
    assert end_of_life.phase("3.99", dt.date.fromisoformat(day)) is None


def test_the_dates_are_those_of_pep_602() -> None:
    """A version appears each October and gets fixes for five years; 3.9 was the first, in 2020."""
    for version, last in end_of_life.LAST_DAYS.items():
        minor = int(version.partition(".")[2])
        assert last == dt.date(2016 + minor, 10, 31)
