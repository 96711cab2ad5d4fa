"""Names the files that a build makes, in one place."""

from dataclasses import dataclass
from pathlib import Path

from ..build.plan import Plan


@dataclass(frozen=True)
class Artefacts:
    """The artefacts of a plan in a folder, whether they are there already or not."""

    plan: Plan
    folder: Path

    @property
    def archive(self) -> Path:
        """The bundle as an archive."""
        return self.folder / f"{self.plan.stem}.tar.gz"

    @property
    def single(self) -> Path:
        """The bundle as one file that unpacks and installs itself."""
        return self.folder / f"{self.plan.stem}.run"
