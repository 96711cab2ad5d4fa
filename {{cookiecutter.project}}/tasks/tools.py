"""Makes an environment with nox, invoke and uv, where a machine has none of them: in a pipeline.

`python3 -m tasks.tools FOLDER` needs Python alone, with its `venv` and pip. It prints the folder
that belongs on PATH.
"""

import subprocess
import sys
from pathlib import Path

from .lib import lock, project

CATEGORIES = ("dev-packages", "ci")


def make(this: project.Project, folder: Path) -> Path:
    """Make an environment with what the lock pins, and return the folder of its programs.

    Raises `LockError` for a lock that lacks a category, `CalledProcessError` for what else fails.
    """
    pinned = lock.requirements(this.lock, CATEGORIES)
    options = ["--clear", "--without-pip"]
    subprocess.run([sys.executable, "-m", "venv", *options, str(folder)], check=True)
    listing = folder / "locked.txt"
    listing.write_text(pinned, encoding="utf-8")
    programs = folder.resolve() / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    install = ["install", "--no-compile", "--no-deps", "--require-hashes", "--requirement"]
    command = [*pip, "--python", str(programs / "python"), *install, str(listing)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return programs


def main(arguments: list[str]) -> None:
    """Make the environment in the folder that the only argument names."""
    if len(arguments) != 1:
        sys.exit("error: expected one argument, the folder of the environment to make")
    try:
        print(make(project.load(), Path(arguments[0])))
    except lock.LockError as error:
        sys.exit(f"error: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {arguments[0]} cannot be made: exit code {error.returncode}")


if __name__ == "__main__":
    main(sys.argv[1:])
