"""Decides what a build gives, and whether exactly that is published already."""

import datetime as dt
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...lib import end_of_life, lock, revision
from ...lib.console import TaskError
from ...lib.environment import interpreter, require_lock
from ...lib.interpreter import Interpreter
from ...lib.project import Project
from ..settings import Settings
from . import bases, publish, signing

_RECORD = "published.json"


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a build gives."""

    quadrant: str
    project: Project
    revision: revision.Revision
    interpreter: Interpreter
    settings: Settings
    system: str
    """The system and machine that are built for: `linux-x86_64`."""
    onefile: bool = False

    @property
    def machine(self) -> str:
        """The machine that is built for, as uname(1) names it there."""
        return self.system.partition("-")[2]

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
    def build(self) -> Path:
        """Where the quadrant keeps its intermediate results."""
        return self.project.build / self.quadrant

    def facts(self) -> dict[str, Any]:
        """Give what every manifest says."""
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
    """Give the system and machine that these tasks run on: `linux-x86_64`."""
    return f"{platform.system()}-{platform.machine()}".lower()


def decide(
    quadrant: str, project: Project, settings: Settings, *, python: str = "", system: str = ""
) -> Plan:
    """Decide what to build from the project as it is now, and warn of a Python past its end.

    It is built for this machine's system, or for `system`. Raises `TaskError` for a lock that does
    not fit, for a Python that is not supported, not here, or past its end where the settings refuse
    that, and for a key that cannot be used.
    """
    require_lock(project)
    signing.require(settings)
    found = interpreter(project, python)
    refuse = settings.end_of_life == "refuse"
    end_of_life.check(found.version, dt.date.today(), refuse=refuse)
    revised = revision.current(project)
    return Plan(quadrant, project, revised, found, settings, system or here())


def published(plan: Plan, **facts: str) -> bool:
    """Return whether exactly this build is published, every byte of it as it was.

    `facts` are what else decides it, as `record` was told.
    """
    try:
        record = json.loads((plan.build / _RECORD).read_text(encoding="utf-8"))
        unchanged = record["key"] == _key(plan, facts) and _is_current(plan, record)
        return bool(unchanged and not (publish.verify(plan.dist) or _unsigned(plan)))
    except (KeyError, OSError, ValueError, TaskError):
        return False


def _is_current(plan: Plan, record: Mapping[str, Any]) -> bool:
    return bases.is_current(plan.build / record["base"])


def _unsigned(plan: Plan) -> list[str]:
    return signing.verify(plan.dist, plan.settings, plan.project.program)


def record(plan: Plan, base: Path, **facts: str) -> None:
    """Remember that this build has been published, and on which base."""
    text = json.dumps({"key": _key(plan, facts), "base": base.name})
    (plan.build / _RECORD).write_text(text, encoding="utf-8")


def _key(plan: Plan, facts: Mapping[str, str]) -> str:
    """Return what must be unchanged for the published artefacts to be still the right ones."""
    parts = [plan.revision.inputs, plan.revision.release, plan.revision.epoch, plan.system,
             plan.interpreter.build, plan.onefile, asdict(plan.settings),
             signing.digests(plan.settings), facts]  # fmt: skip
    return json.dumps(parts, sort_keys=True)
