"""How long an environment takes from the lock: the way the project makes it, and by pipenv."""

import runpy
import shutil
import sys
import tempfile
from pathlib import Path

from _application import bake
from _timing import compare, run

ROUNDS = 5


def main() -> None:
    """Print the table; the aim is that pipenv takes at least ten times as long."""
    with tempfile.TemporaryDirectory() as folder:
        place = bake(Path(folder), f"{sys.version_info.major}.{sys.version_info.minor}")
        requirements = runpy.run_path(str(place / "tasks/lib/lock.py"))["requirements"]
        listing = place / "requirements.txt"
        listing.write_text(requirements(place / "Pipfile.lock", ["packages"]), encoding="utf-8")

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
