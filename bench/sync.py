"""How long an environment takes from the lock: the way the project makes it, and by pipenv."""

import runpy
import shutil
import sys
import tempfile
from pathlib import Path

from _timing import compare, run

PROJECT = Path(__file__).resolve().parents[1] / "{{cookiecutter.project}}"
ROUNDS = 5


def main() -> None:
    """Print the table; the aim is that pipenv takes at least ten times as long."""
    requirements = runpy.run_path(str(PROJECT / "tasks/lib/lock.py"))["requirements"]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("Pipfile", "Pipfile.lock"):
            shutil.copy(PROJECT / name, place)
        listing = place / "requirements.txt"
        listing.write_text(requirements(PROJECT / "Pipfile.lock", ["packages"]), encoding="utf-8")

        def uv(_number: int) -> None:
            run(["uv", "venv", "--clear", "--python", sys.executable, "environment"], place)
            sync = ["uv", "pip", "sync", "--require-hashes", "--python", "environment"]
            run([*sync, listing], place)

        def pipenv(_number: int) -> None:
            shutil.rmtree(place / ".venv", ignore_errors=True)
            run(["pipenv", "sync", "--python", sys.executable], place, PIPENV_VENV_IN_PROJECT="1")

        compare("environment", {"uv": uv, "pipenv": pipenv}, rounds=ROUNDS)


if __name__ == "__main__":
    main()
