"""Runs the engine of a bundle, where none is installed: engine.py COPY COMMAND ARGUMENT...

COPY is the folder that the running Python was copied to (start.sh), or nothing; it goes at the end.
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
    """Run the engine, and remove the copy however that ends, but for a kill."""
    facts = json.loads((RELEASE / "host/release.json").read_text(encoding="utf-8"))
    temporary.sweep(facts["name"])
    temporary.end_cleanly()  # the engine may want something else
    try:
        sys.exit(engine(RELEASE, arguments))
    finally:
        if copy:
            temporary.remove(Path(copy))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
