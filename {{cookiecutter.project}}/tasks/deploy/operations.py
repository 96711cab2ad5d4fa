"""`deploy.status`, `deploy.history`, `deploy.rollback`: what works on every target."""

from collections.abc import Mapping

from invoke.context import Context

from ..lib import project
from ..lib.console import TaskError, closing
from ..lib.target import Report
from ..lib.task import task
from . import targets
from .settings import read

_TO = "A target of invoke.yaml."


@task(help={"to": _TO})
def status(context: Context, to: str) -> None:
    """Ask each host of a target which release it has, and in which state."""
    reports = _target(context, to).state()
    under = "\n" + " " * (max(map(len, reports)) + 4)
    closing(f"status of {to}", {place: under.join(told.lines) for place, told in reports.items()})
    _raise_problems(reports)


@task(help={"to": _TO})
def history(context: Context, to: str) -> None:
    """Ask each host of a target what was activated when, and what failed and why."""
    reports = _target(context, to).history()
    for place, report in reports.items():
        print(f"\n{place}")
        for line in report.lines:
            print(f"  {line}")
    _raise_problems(reports)


@task(help={"to": _TO, "release": "Go to this one (default: the one before the active one)."})
def rollback(context: Context, to: str, release: str = "") -> None:
    """Switch the hosts of a target back, in the same batches as a deployment."""
    target = _target(context, to)
    settings = read(targets.over(context.config.get("deploy", {}), to))
    target.roll_back(release, settings.health_seconds)


def _target(context: Context, name: str) -> targets.Target:
    return targets.find(project.load(), context.config.get("deploy", {}), name)


def _raise_problems(reports: Mapping[str, Report]) -> None:
    for problem in sorted({report.problem for report in reports.values()} - {""}):
        places = [place for place, report in reports.items() if report.problem == problem]
        raise TaskError(f"{problem}: {', '.join(places)}")
