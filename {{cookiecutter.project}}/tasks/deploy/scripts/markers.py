"""Prints the requirements that apply to another machine, without their markers.

    python markers.py REQUIREMENTS ENVIRONMENT

Run it with a Python that has `packaging`. ENVIRONMENT is JSON: the target's marker values.
"""

import json
import sys
from pathlib import Path

from packaging.requirements import Requirement


def applying(listing: str, environment: dict[str, str]) -> str:
    """Return the lines whose marker holds in `environment`, in the form of a requirements file."""
    kept = []
    for line in listing.splitlines():
        text, *hashes = line.split(" --hash=")
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            requirement.marker = None
            kept.append(" --hash=".join([str(requirement), *hashes]))
    return "".join(f"{line}\n" for line in kept)


if __name__ == "__main__":
    print(applying(Path(sys.argv[1]).read_text("utf-8"), json.loads(sys.argv[2])), end="")
