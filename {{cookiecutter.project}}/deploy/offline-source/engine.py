"""Run the bundle's own engine, if none is installed: engine.py COPY COMMAND ARGUMENT...

COPY is the folder that start.sh copied the running Python to, or empty; it is removed at the end.
"""

import json
import sys
from pathlib import Path
from typing import NoReturn

RELEASE = Path(__file__).resolve().parent / "release"
sys.path += [str(RELEASE.parent), str(RELEASE)]

import temporary  # noqa: E402 (found by the line before)
from host.cli import main as engine  # noqa: E402


def main(copy: str, arguments: list[str]) -> NoReturn:
    """Run the engine, and remove the copy at the end unless this process is killed."""
    facts = json.loads((RELEASE / "host/release.json").read_text(encoding="utf-8"))
    temporary.sweep(facts["name"])
    temporary.end_cleanly()  # before the engine, which may set its own handlers
    try:
        sys.exit(engine(RELEASE, arguments))
    finally:
        if copy:
            temporary.remove(Path(copy))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
