"""What each of the tests' programs costs: files touched, builds without a base, sizes, the start.

Arguments name some of the programs: `python bench/programs.py flask`. Packages come from uv's and
pip's caches where these have them. What the hosts of online-source make is not measured here.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import _paths
from _service import serving
from _timing import compare, run
from tasks.lib import environment
from tasks.lib import project as projects
from tasks.lib.console import size

from tests.e2e import programs
from tests.support import commit, contents

ROUNDS = 5
HEAVY = _paths.ROOT / "tests/e2e/heavy"
KINDS = {
    "fastapi": "service",
    "django": "service",
    "flask": "service",
    "worker": "worker",
    "click": "cli",
    "heavy": "service",
}
"""The kind of each program; the worker is the sample itself, with its queue in SQLite."""
QUADRANTS = {"offline-binary": (".tar.gz", ".deb", ".rpm"), "offline-source": (".run",)}
"""What each quadrant builds, by the ends of the files that are carried."""


def main() -> None:
    """Print a table for each program that is named, or for all."""
    names = sys.argv[1:] or [*KINDS]
    if unknown := [name for name in names if name not in KINDS]:
        raise SystemExit(f"error: '{unknown[0]}' is no program: expected {', '.join(KINDS)}")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            measure(name, Path(folder))


def measure(name: str, place: Path) -> None:
    """Print what a program costs."""
    project, touched = bake(name, place)
    listed = ", ".join(touched) or "none"
    print(f"\n{name}: a {KINDS[name]}; {len(touched)} files touched: {listed}")
    for quadrant, ends in QUADRANTS.items():
        began = time.monotonic()
        tasks = [sys.executable, "-m", "invoke", f"deploy.{quadrant}"]
        run(tasks, project, INVOKE_DEPLOY_OFFLINE_SOURCE_INTERPRETER="local")
        seconds = time.monotonic() - began
        made = (project / "dist" / quadrant).iterdir()
        sizes = sorted(f"{path.name} {size(path)}" for path in made if path.name.endswith(ends))
        print(f"  {quadrant}: {seconds:.0f} s; {', '.join(sizes)}", flush=True)
    start(name, project)


def bake(name: str, place: Path) -> tuple[Path, list[str]]:
    """Make the project of a program; return its folder, and the files that its author touched."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
    answers = ["project=my-service", f"kind={KINDS[name]}", f"python_version={version}"]
    run([*command, _paths.ROOT, *answers], place)
    project = place / "my-service"
    before = contents(project)
    if name in programs.NAMES:
        programs.overlay(project, name)
    elif name == HEAVY.name:
        programs.add_packages(project, HEAVY)
    touched = programs.touched(before, contents(project))
    commit(project)
    return project, sorted(touched)


def start(name: str, project: Path) -> None:
    """Compare the start of the built program with that of its source."""
    archive = next((project / "dist/offline-binary").glob("*.tar.gz"))
    run(["tar", "-xzf", archive, "--strip-components=1", "--one-top-level=built"], project.parent)
    this = projects.load(project)
    made = environment.ensure(this, environment.interpreter(this), "packages")
    run([made.python, "-m", "compileall", "-q", project / "src"], project)
    data = project.parent / "data"
    data.mkdir()
    variables = {
        "HOME": str(data),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(project / "src"),
        "STATE_DIRECTORY": str(data),
        "RUNTIME_DIRECTORY": str(data),
    }
    commands = {
        "python -m": [str(made.python), "-m", this.runtime],
        "built": [str(project.parent / "built/bin" / this.program)],
    }
    title, action = FIRST_ANSWERS[KINDS[name]]
    compare(f"  {title}", {each: action(c, variables) for each, c in commands.items()},
            rounds=ROUNDS)  # fmt: skip


def versioned(command: list[str], variables: Mapping[str, str]) -> Callable[[int], object]:
    """Return the action that asks a command for its version."""
    asking = [*command, "--version"]
    return lambda _number: subprocess.run(asking, env=variables, check=True, capture_output=True)


def working(command: list[str], variables: Mapping[str, str]) -> Callable[[int], object]:
    """Return the action that starts a worker, waits until it is ready, and can be ended."""
    path = Path(variables["RUNTIME_DIRECTORY"], "health.sock")

    def work(_number: int) -> Callable[[], None]:
        quiet = subprocess.DEVNULL
        process = subprocess.Popen([*command, "serve"], env=variables, stdout=quiet, stderr=quiet)

        def stop() -> None:
            process.terminate()
            process.wait()

        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            with suppress(OSError, ValueError):
                if ready(path):
                    return stop
            time.sleep(0.002)
        stop()
        raise SystemExit(f"{command[0]} is not ready")

    return work


def ready(path: Path) -> bool:
    """Return whether the health socket at a path says that all is well."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(str(path))
        asked.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        head, _, body = asked.makefile("rb").read().partition(b"\r\n\r\n")
    return b" 200 " in head.split(b"\r\n")[0] and bool(json.loads(body))


FIRST_ANSWERS: dict[str, tuple[str, Callable[..., Callable[[int], object]]]] = {
    "service": ("to the first /healthz", serving),
    "worker": ("to its readiness", working),
    "cli": ("to its version", versioned),
}


if __name__ == "__main__":
    main()
