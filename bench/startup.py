"""How long a packaged program takes to start, beside an environment and PyInstaller's onefile."""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from _timing import compare, run

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 15
ENTRY = "import sys\n\nfrom my_service.cli import main\n\nsys.exit(main())\n"


def main() -> None:
    """Print two tables; the aims are at most 1.25 to `version` and 1.05 to ready for the onedir."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        command = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        run([*command, ROOT, f"python_version={version}"], place)
        programs = build(place / "my-service")
        actions = {name: starter(command, place) for name, command in programs.items()}
        compare("to `version`", actions, rounds=ROUNDS)
        ready = {name: serving(command, place) for name, command in programs.items()}
        compare("to the first /healthz", ready, rounds=ROUNDS)


def build(project: Path) -> dict[str, list[str]]:
    """Build the program in every form and give the commands that start them."""
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
    run(
        [packer.with_name("pyinstaller"), "--onefile", "--paths", project / "src", "entry.py"],
        project.parent,
    )
    run([python, "-m", "compileall", "-q", project / "src"], project)
    return {
        "python -m": [str(python), "-m", "my_service"],
        "onedir": [str(project.parent / "onedir/bin/my-service")],
        "onefile": [str(single)],
        "PyInstaller's onefile": [str(project.parent / "dist/entry")],
    }


def environment(project: Path, name: str, *categories: str) -> Path:
    """Make a virtual environment from the lock and give its Python."""
    requirements = runpy.run_path(str(project / "tasks/lock.py"))["requirements"]
    listing = project.parent / "requirements.txt"
    listing.write_text(requirements(project / "Pipfile.lock", categories), encoding="utf-8")
    folder = project.parent / name
    run(["uv", "venv", "--python", sys.executable, folder], project)
    sync = ["uv", "pip", "sync", "--require-hashes", "--compile-bytecode", "--python"]
    run([*sync, folder, listing], project)
    return folder / "bin/python"


def surroundings(place: Path) -> Mapping[str, str]:
    """Give the environment variables of a start."""
    return {
        "HOME": str(place),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(place / "my-service/src"),
    }


def starter(command: list[str], place: Path) -> Callable[[int], object]:
    """Give the action that asks the program for its version."""
    return lambda _number: subprocess.run(
        [*command, "version"], env=surroundings(place), check=True, stdout=subprocess.DEVNULL
    )


def serving(command: list[str], place: Path) -> Callable[[int], object]:
    """Give the action that starts the service, waits for its first answer, and can be ended."""

    def serve(_number: int) -> Callable[[], None]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        arguments = [*command, "serve", "--port", str(port)]
        process = subprocess.Popen(arguments, env=surroundings(place), stdout=subprocess.DEVNULL)

        def stop() -> None:
            process.send_signal(signal.SIGTERM)
            process.wait()

        end = time.monotonic() + 30
        while time.monotonic() < end:
            with suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
                    json.load(answer)
                return stop
            time.sleep(0.002)
        stop()
        raise SystemExit(f"{command[0]} gave no answer")

    return serve


if __name__ == "__main__":
    main()
