"""What this project is, read from pyproject.toml, and where its things lie."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_USER_LENGTH = 32  # useradd(8) refuses longer names


@dataclass(frozen=True)
class EntryPoint:
    """A command of the project and the function that it calls."""

    command: str
    module: str
    function: str

    @property
    def code(self) -> str:
        """The Python code that runs it; `sys` must be imported."""
        name = self.function.partition(".")[0]
        call = f"from {self.module} import {name}; sys.exit({self.function}())"
        return f'sys.argv[0] = "{self.command}"; {call}'


@dataclass(frozen=True)
class Project:
    """The facts of pyproject.toml that tasks and sessions build on."""

    root: Path
    name: str
    version: str
    description: str
    license: str
    author: str
    email: str
    pythons: tuple[str, ...]
    entry_points: tuple[EntryPoint, ...]
    serves: Mapping[str, Any]
    """`[tool.program]`: what is run. The project's own runtime knows what is allowed in it."""

    @property
    def package(self) -> str:
        """The name of the program's own package: the one that holds its first command."""
        return self.command.module.partition(".")[0]

    @property
    def command(self) -> EntryPoint:
        """The program's own command: the first, as its package is that of the first."""
        return self.entry_points[0]

    @property
    def program(self) -> str:
        """The name on machines: command, package, units."""
        return normalised(self.name)

    @property
    def user(self) -> str:
        """The system user that runs the service."""
        return self.program[:_USER_LENGTH].rstrip("-")

    @property
    def kind(self) -> str:
        """What kind of program it is: `service`, `worker` or `cli`."""
        return str(self.serves.get("kind", ""))

    @property
    def answers_callers(self) -> bool:
        """Whether the service tells its callers, and not only its health socket, if it is ready."""
        return self.kind == "service" and self.serves.get("ready_path") != ""

    @property
    def prepares_data(self) -> bool:
        """Whether a new release has a hook that prepares the data for it."""
        return bool(self.serves.get("before_switch"))

    @property
    def prefix(self) -> str:
        """What the names of the program's environment variables begin with."""
        return f"{self.package.upper()}_"

    @property
    def source(self) -> Path:
        """The folder of the program's own package."""
        return self.root / "src" / self.package

    @property
    def runtime(self) -> str:
        """The module that serves the program, and is its command line."""
        return f"{self.package}.runtime"

    @property
    def lock(self) -> Path:
        """The lock file that every environment is made from."""
        return self.root / "Pipfile.lock"

    @property
    def build(self) -> Path:
        """Where intermediate results are kept; may be deleted at any time."""
        return self.root / "build"

    @property
    def dist(self) -> Path:
        """Where finished artefacts are published, a folder per quadrant."""
        return self.root / "dist"

    @property
    def python(self) -> str:
        """The version in .python-version, such as `3.13`."""
        return (self.root / ".python-version").read_text(encoding="utf-8").split()[0]


def normalised(name: str) -> str:
    """Return the normalised form of a distribution name (https://peps.python.org/pep-0503/)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def load(root: Path | None = None) -> Project:
    """Read the project that lies in `root` (default: the one these tasks belong to)."""
    root = root or Path(__file__).resolve().parents[2]
    with (root / "pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)
    metadata = settings["project"]
    author = metadata["authors"][0]
    language = re.compile(r"Programming Language :: Python :: (\d+\.\d+)$")
    return Project(
        root=root,
        name=metadata["name"],
        version=metadata["version"],
        description=" ".join(metadata["description"].split()),
        license=metadata["license"],
        author=author["name"],
        email=author["email"],
        pythons=tuple(m[1] for m in map(language.match, metadata["classifiers"]) if m),
        entry_points=tuple(
            EntryPoint(command, *target.split(":"))
            for command, target in metadata["scripts"].items()
        ),
        serves=settings.get("tool", {}).get("program", {}),
    )
