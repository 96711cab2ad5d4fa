"""Prints which of some modules this environment cannot import either, as JSON.

    python lacking.py '{"MODULE": ["OTHER", …], …}'

Runs in an environment with all packages of the lock. What is given names, for each module that a
built program could not import, the other modules of its distribution. A module for which another
module is missing here too gets a verdict: "optional", if one of the others can be imported, as then
the distribution has it for those who also install what it needs; else "absent".
"""

import contextlib
import importlib
import io
import json
import sys
from collections.abc import Mapping, Sequence


def verdicts(given: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the verdict on each module that lacks something in this environment."""
    lacking = [module for module in given if not present(module)]
    return {
        module: "optional" if any(present(o) for o in given[module]) else "absent"
        for module in lacking
    }


def present(module: str) -> bool:
    """Return whether nothing else is missing for a module; it may fail for other reasons."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            importlib.import_module(module)
    except BaseException as error:  # SystemExit too
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        missing = cause.name if isinstance(cause, ModuleNotFoundError) else ""
        return not missing or f"{module}.".startswith(f"{missing}.")
    return True


if __name__ == "__main__":
    print(json.dumps(verdicts(json.loads(sys.argv[1]))))
