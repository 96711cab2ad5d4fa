"""Builds, carries and installs the same application in five ways."""

import os
import shutil
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from _application import STAMP, Application
from _timing import run

Command = list[str | Path]
_NOBODY = "65534"
_CACHES = ("XDG_CACHE_HOME", "PIP_CACHE_DIR", "UV_CACHE_DIR", "PEX_ROOT", "SHIV_ROOT")


@dataclass(frozen=True)
class Peer(ABC):
    """A way to bring the application to a machine without a network."""

    app: Application
    place: Path
    """A folder that no other peer uses."""

    carries_python = False
    has_environment = True
    """Whether installing makes an environment, which can be timed alone."""

    @property
    def output(self) -> Path:
        """The folder that is carried."""
        return self.place / "output"

    def tool(self, *command: str | Path, cwd: Path | None = None, **variables: str) -> None:
        """Run a tool that keeps its caches in this peer's own folder."""
        caches = {name: str(self.place / "cache" / name) for name in _CACHES}
        run(command, cwd or self.place, **caches, **variables)

    def source(self) -> Path:
        """Return a copy of the application's code that knows its release."""
        folder = self.place / "source"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.app.source, folder)
        (folder / "my_service/release.json").write_text(STAMP, encoding="utf-8")
        return folder

    def folder(self) -> Path:
        """Return a folder that is new."""
        return Path(tempfile.mkdtemp(dir=self.place))

    @abstractmethod
    def build(self) -> None:
        """Fill `output`."""

    def environment(self, folder: Path) -> Callable[[], None]:
        """Unpack `output` in a folder; return the action that makes the environment there."""
        raise NotImplementedError(folder)

    @abstractmethod
    def install(self, folder: Path) -> Command:
        """Install what is carried below a folder, and return the command that starts it."""


class Pip(Peer):
    """`pip download`; there, `python -m venv` and `pip install --no-index`."""

    def build(self) -> None:
        """Get the wheels, and pack them with the code."""
        get: Command = [self.app.python, "-m", "pip", "download", "--require-hashes"]
        self.tool(*get, "--dest", "wheels", "--requirement", self.app.requirements)
        shutil.copy(self.app.requirements, self.place)
        self.pack(["wheels", self.app.requirements.name])

    def pack(self, names: Sequence[str]) -> None:
        """Pack these files with the code."""
        self.output.mkdir(exist_ok=True)
        source: Command = ["-C", self.source(), "my_service"]
        self.tool("tar", "-czf", self.output / "app.tar.gz", *names, *source)

    def environment(self, folder: Path) -> Callable[[], None]:
        """Unpack the wheels and the code; return the action that makes the environment."""
        run(["tar", "-xzf", self.output / "app.tar.gz"], folder)
        return lambda: self.make(folder)

    def make(self, folder: Path) -> None:
        """Make the environment from the wheels that lie there."""
        run([self.app.python, "-m", "venv", "environment"], folder)
        pip: Command = ["environment/bin/python", "-m", "pip", "install", "--no-index"]
        listing = self.app.requirements.name
        run([*pip, "--find-links", "wheels", "--requirement", listing], folder)

    def install(self, folder: Path) -> Command:
        """Unpack, make the environment, and put the code into it."""
        self.environment(folder)()
        python = folder / "environment/bin/python"
        (site,) = folder.glob("environment/lib/python*/site-packages")
        (folder / "my_service").rename(site / "my_service")
        run([python, "-m", "compileall", "-q", site / "my_service"], folder)
        return [python, "-m", "my_service.runtime"]


class Uv(Pip):
    """The same, with uv carried along."""

    def pack(self, names: Sequence[str]) -> None:
        """Pack these files with the code and uv."""
        shutil.copy(shutil.which("uv") or "uv", self.place)
        super().pack([*names, "uv"])

    def make(self, folder: Path) -> None:
        """Make the environment with bytecode, and an empty cache as on a new machine."""
        cache = {"UV_CACHE_DIR": str(folder / "cache")}
        run(["./uv", "venv", "--python", self.app.python, "environment"], folder, **cache)
        pip = ["./uv", "pip", "install", "--no-index", "--find-links", "wheels"]
        options = ["--compile-bytecode", "--python", "environment/bin/python", "--requirement"]
        run([*pip, *options, self.app.requirements.name], folder, **cache)


class Pex(Peer):
    """One file, which unpacks itself when it is first started."""

    has_environment = False

    def build(self) -> None:
        """Make the file."""
        self.output.mkdir(exist_ok=True)
        pex: Command = [sys.executable, "-m", "pex", "--python", self.app.python]
        code: Command = ["-D", self.source(), "-m", "my_service.runtime"]
        output: Command = ["-o", self.output / "app.pex"]
        self.tool(*pex, "--requirement", self.app.requirements, *code, *output)

    def install(self, folder: Path) -> Command:
        """Copy the file."""
        (file,) = self.output.iterdir()
        return [self.app.python, shutil.copy(file, folder)]


class Shiv(Pex):
    """One file, which unpacks itself when it is first started."""

    def build(self) -> None:
        """Make the file."""
        self.output.mkdir(exist_ok=True)
        shiv: Command = [sys.executable, "-m", "shiv", "--site-packages", self.source()]
        output: Command = ["-e", "my_service.runtime.cli:main", "-o", self.output / "app.pyz"]
        self.tool(*shiv, *output, "--requirement", self.app.requirements)


class This(Peer):
    """`invoke deploy.offline-source`."""

    carries_python = True

    @property
    def output(self) -> Path:
        """The file that installs itself; beside it lies the same as an archive."""
        return self.place / "carried"

    def build(self, **variables: str) -> None:
        """Make the bundle."""
        task = [sys.executable, "-m", "invoke", "deploy.offline-source"]
        self.tool(*task, cwd=self.app.project, **variables)
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir()
        (file,) = self.app.project.glob("dist/offline-source/*.run")
        os.link(file, self.output / file.name)

    def unpacked(self, folder: Path) -> Path:
        """Unpack the bundle below a folder."""
        (file,) = self.output.iterdir()
        run(["sh", file, "--extract", folder], self.place)
        return folder / "my-service"

    def environment(self, folder: Path) -> Callable[[], None]:
        """Lay out the tree; return the action that installs wheels, bytecode and code in it."""
        bundle, tree = self.unpacked(folder), folder / "tree"
        shutil.copytree(bundle / "Script/release", tree)
        (python,) = bundle.glob("Python*")
        shutil.copytree(python, tree / "python")
        start: Command = ["sh", tree / "python/bin/python3", "-I", "-B"]
        return lambda: run([*start, bundle / "Script/environment.py", bundle, tree], folder)

    def install(self, folder: Path) -> Command:
        """Install as a plain user without a systemd, so that nothing is left elsewhere."""
        (file,) = self.output.iterdir()
        surroundings = {}
        for name in ("HOME", "XDG_RUNTIME_DIR", "TMPDIR"):
            surroundings[name] = str(folder / name)
            (folder / name).mkdir()
        nobody: Command = []
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, int(_NOBODY), int(_NOBODY))
            nobody = ["setpriv", "--reuid", _NOBODY, "--regid", _NOBODY, "--clear-groups"]
        run([*nobody, "sh", file, "--prefix", folder], folder, **surroundings)
        return [folder / "bin/my-service"]


PEERS: dict[str, type[Peer]] = {
    "venv + pip": Pip,
    "venv + uv": Uv,
    "pex": Pex,
    "shiv": Shiv,
    "this": This,
}
