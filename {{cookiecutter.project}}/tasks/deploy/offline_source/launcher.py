"""Writes the scripts that start the interpreter, and programs on it, on any machine."""

from dataclasses import dataclass
from pathlib import Path

from ...lib.project import EntryPoint
from ..build.render import render
from .carried_python import CarriedPython

FOLDER = Path("deploy/offline-source")
TEMPLATE = FOLDER / "launcher.sh"


@dataclass(frozen=True)
class Launcher:
    """What all launchers of a bundle have in common."""

    template: str
    """The text of launcher.sh."""
    home: CarriedPython
    floor: str
    """The oldest glibc of a machine that needs no carried one, such as `2.35`."""

    def write_python(self) -> None:
        """Write the interpreter's own launcher, `bin/python3`."""
        self._write(self.home.python, "..", "")

    def write_program(self, folder: Path, entry: EntryPoint) -> None:
        """Write the launcher of a command, which finds the interpreter in `../python`."""
        code = f"import sys; {entry.code}"
        self._write(folder / entry.command, "../python", f"-I -B -c '{code}' ")

    def _write(self, path: Path, home: str, arguments: str) -> None:
        loader = next((p.name for p in self.home.glibc.glob("ld-linux*")), "none")
        values = {
            "program": path.name,
            "home": home,
            "python": f"python{self.home.version}",
            "loader": loader,
            "glibc": self.floor.partition(".")[2],
            "arguments": arguments,
        }
        path.write_text(render(self.template, values), encoding="utf-8", newline="\n")
        path.chmod(0o755)
