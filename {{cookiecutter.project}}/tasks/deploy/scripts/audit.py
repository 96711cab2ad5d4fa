"""Prints what a file of advisories says of a bill of materials, as the host engine judges it.

    python audit.py ENGINE FILE BILL

ENGINE is the folder that holds the package `host`. The output is JSON: the lines to show, the age
of the file, and the exit code that the engine would give.
"""

import json
import sys
from pathlib import Path


def told(engine: str, file: str, bill: str) -> dict[str, object]:
    """Return the verdict; a file that cannot be used gives one line and the code 2."""
    sys.path.insert(0, engine)
    from host import advisories

    try:
        known = advisories.read(Path(file))
    except advisories.Unusable as error:
        return {"lines": [str(error)], "age": "", "code": error.exit_code}
    verdict = known.judge(Path(bill))
    code = advisories.exit_code([verdict])
    return {"lines": verdict.lines(), "age": known.age(), "code": code}


if __name__ == "__main__":
    print(json.dumps(told(*sys.argv[1:])))
