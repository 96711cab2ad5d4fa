"""The reports that SonarQube reads, which other sessions of nox have written.

What every project says of itself is in `[tool.sonar]` of pyproject.toml. Which Pythons were tested
on, only the folder of the reports knows.
"""

from collections.abc import Sequence
from pathlib import Path

from ..lib.console import TaskError

_REPORTS = {
    "sonar.python.coverage.reportPaths": "coverage-{}.xml",
    "sonar.python.xunit.reportPath": "junit-{}.xml",
}


def options(reports: Path, pythons: Sequence[str]) -> list[str]:
    """Return the scanner's options that name the reports of each Python that was tested on.

    Raises `TaskError` where there are none.
    """
    tested = [
        version
        for version in pythons
        if all((reports / name.format(version)).is_file() for name in _REPORTS.values())
    ]
    if not tested:
        raise TaskError(f"there is no coverage report in {reports.name}/: run `nox -s test` first")
    return [
        f"-D{key}=" + ",".join((reports / name.format(version)).as_posix() for version in tested)
        for key, name in _REPORTS.items()
    ]
