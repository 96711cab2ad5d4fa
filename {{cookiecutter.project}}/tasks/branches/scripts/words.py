"""Asks commit-check about branch names and commit messages.

Reads `{"branches": […], "messages": […], "config": {…}}` as JSON from standard input, and prints a
JSON list with a line for each thing that is wrong.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from commit_check.api import validate_branch, validate_message


def main() -> None:
    """Print what is wrong."""
    asked = json.load(sys.stdin)
    config = asked["config"]
    found = [validate_branch(name, config=config) for name in asked["branches"]]
    found += [validate_message(message, config=config) for message in asked["messages"]]
    json.dump([line for result in found for line in _lines(result)], sys.stdout)


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    for check in result["checks"]:
        if check["status"] == "fail":
            what = str(check["value"]).partition("\n")[0]
            yield f"'{what}': {check['error']}. {check['suggest']}"


if __name__ == "__main__":
    main()
