"""The folder of an interpreter that runs from anywhere."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CarriedPython:
    """The folder of a relocatable interpreter: bin/, lib/, share/."""

    folder: Path
    version: str
    """Such as `3.13`."""

    @property
    def python(self) -> Path:
        """The script that starts it on any machine."""
        return self.folder / "bin" / "python3"

    @property
    def stdlib(self) -> Path:
        """The standard library."""
        return self.folder / "lib" / f"python{self.version}"

    @property
    def site(self) -> Path:
        """Where packages are installed."""
        return self.stdlib / "site-packages"

    @property
    def glibc(self) -> Path:
        """The glibc that is carried along, if there is one."""
        return self.folder / "lib" / "glibc"
