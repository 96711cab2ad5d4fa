"""Decides what a build makes."""

import datetime as dt
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...lib import end_of_life, lock, revision
from ...lib.environment import interpreter, require_lock
from ...lib.interpreter import Interpreter
from ...lib.project import Project
from ..settings import Settings
from . import signing


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a build makes."""

    quadrant: str
    project: Project
    revision: revision.Revision
    interpreter: Interpreter
    settings: Settings
    system: str
    """The system and machine that the build is for: `linux-x86_64`."""
    onefile: bool = False
    keeper: Project | None = None
    """The project that keeps environments, where `project` is a checkout that does not last."""

    @property
    def machine(self) -> str:
        """The machine that the build is for, as uname(1) names it there."""
        return self.system.partition("-")[2]

    @property
    def native(self) -> bool:
        """Whether what is built runs here."""
        return self.system == here()

    @property
    def for_hosts(self) -> bool:
        """Whether what is built can be installed as a service, which is so on Linux alone."""
        return self.system.startswith("linux-")

    @property
    def stem(self) -> str:
        """What the names of files for one system begin with."""
        return f"{self.project.program}-{self.project.version}-{self.system}"

    @property
    def dist(self) -> Path:
        """Where the artefacts are published."""
        return self.project.dist / self.quadrant

    @property
    def where(self) -> str:
        """The same place as it is shown to people: `dist/offline-binary/`."""
        return f"{self.dist.relative_to(self.project.root).as_posix()}/"

    @property
    def build(self) -> Path:
        """Where the quadrant keeps its intermediate results."""
        return self.project.build / self.quadrant

    def facts(self) -> dict[str, Any]:
        """Return what every manifest says."""
        return {
            "name": self.project.program,
            "version": self.project.version,
            "release": self.revision.release,
            "commit": self.revision.commit,
            "dirty": self.revision.dirty,
            "quadrant": self.quadrant,
            "platform": self.system,
            "lock_sha256": lock.digest(self.project.lock),
            "source_date": dt.datetime.fromtimestamp(self.revision.epoch, dt.UTC).isoformat(),
        }


def here() -> str:
    """Return the system and machine that these tasks run on: `linux-x86_64`."""
    return f"{platform.system()}-{platform.machine()}".lower()


def decide(
    quadrant: str, project: Project, settings: Settings, *, python: str = "", system: str = ""
) -> Plan:
    """Return the plan for the project as it is now; warn of a Python past its end of life.

    The plan is for `system`, or for this machine's. Raises `TaskError` for a lock that does not
    fit, for a Python that is not supported, not here, or past its end of life where the settings
    refuse that, and for a key that cannot be used.
    """
    require_lock(project)
    signing.require(settings)
    found = interpreter(project, python)
    refuse = settings.end_of_life == "refuse"
    end_of_life.check(found.version, dt.date.today(), refuse=refuse)
    revised = revision.current(project)
    return Plan(quadrant, project, revised, found, settings, system or here())
