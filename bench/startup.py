"""How long a packaged program takes to start, beside an environment and PyInstaller's onefile."""

import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from _application import STAMP
from _service import serving
from _timing import compare, run

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 15
ENTRY = "import sys\n\nfrom my_service.runtime.cli import main\n\nsys.exit(main())\n"


def main() -> None:
    """Print two tables; the onedir's aims are at most 1.25 to `version` and 1.05 to ready."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        command = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        run([*command, ROOT, f"python_version={version}"], place)
        programs = build(place / "my-service")
        actions = {name: starter(command, place) for name, command in programs.items()}
        compare("to `version`", actions, rounds=ROUNDS)
        ready = {name: serving(command, surroundings(place)) for name, command in programs.items()}
        compare("to the first /healthz", ready, rounds=ROUNDS)


def build(project: Path) -> dict[str, list[str]]:
    """Build the program in every form and return the commands that start them."""
    tasks = [sys.executable, "-m", "invoke"]
    single = project.parent / "single"
    run([*tasks, "deploy.offline-binary", "--onefile"], project)
    next((project / "dist/offline-binary").glob("*.run")).rename(single)
    run([*tasks, "deploy.offline-binary"], project)
    archive = next((project / "dist/offline-binary").glob("*.tar.gz"))
    run(["tar", "-xzf", archive, "--strip-components=1", "--one-top-level=onedir"], project.parent)
    python = environment(project, "plain", "packages")
    packer = environment(project, "packer", "packages", "build")
    (project.parent / "entry.py").write_text(ENTRY)
    (project.parent / "release.json").write_text(STAMP)
    options = ["--hidden-import", "my_service.app", "--add-data", "release.json:my_service"]
    command = [str(packer.with_name("pyinstaller")), "--onefile", "--paths", str(project / "src")]
    run([*command, *options, "entry.py"], project.parent)
    run([python, "-m", "compileall", "-q", project / "src"], project)
    return {
        "python -m": [str(python), "-m", "my_service.runtime"],
        "onedir": [str(project.parent / "onedir/bin/my-service")],
        "onefile": [str(single)],
        "PyInstaller's onefile": [str(project.parent / "dist/entry")],
    }


def environment(project: Path, name: str, *categories: str) -> Path:
    """Make a virtual environment from the lock and return its Python."""
    requirements = runpy.run_path(str(project / "tasks/lib/lock.py"))["requirements"]
    listing = project.parent / "requirements.txt"
    listing.write_text(requirements(project / "Pipfile.lock", categories), encoding="utf-8")
    folder = project.parent / name
    run(["uv", "venv", "--python", sys.executable, folder], project)
    sync = ["uv", "pip", "sync", "--require-hashes", "--compile-bytecode", "--python"]
    run([*sync, folder, listing], project)
    return folder / "bin/python"


def surroundings(place: Path) -> Mapping[str, str]:
    """Return the environment variables of a start."""
    return {
        "HOME": str(place),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(place / "my-service/src"),
    }


def starter(command: list[str], place: Path) -> Callable[[int], object]:
    """Return the action that asks the program for its version."""
    return lambda _number: subprocess.run(
        [*command, "version"], env=surroundings(place), check=True, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main()
