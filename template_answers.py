"""What cookiecutter.json asks of Python: to accept the answers, and to spell one in TOML.

Cookiecutter runs the hooks after it has made the project's folder and, for a name such as
`a/../../b`, others that it forgets. The same rules are therefore asked here first, as soon as the
answers are known; the hook is left with answers that come another way, such as an edited replay.
"""

import json
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension

HOOK = Path(__file__).with_name("hooks") / "pre_gen_project.py"


def accepted(answers: Mapping[str, object]) -> bool:
    """Return True if the answers are accepted.

    Otherwise prints a line on stderr for each refused answer, and raises FailedHookException, on
    which cookiecutter ends quietly.
    """
    refused = runpy.run_path(str(HOOK))["refusals"](answers)
    if refused:
        print(*refused, sep="\n", file=sys.stderr)
        raise FailedHookException("Nothing was made.")
    return True


def toml(text: str) -> str:
    """Return `text` as it stands between the quotes of a TOML basic string.

    JSON's escapes are TOML's too, except for the surrogate pairs that ensure_ascii would write.
    """
    return json.dumps(text, ensure_ascii=False)[1:-1]


class Answers(Extension):
    """Makes the functions above filters for cookiecutter.json."""

    def __init__(self, environment: Environment) -> None:
        """Add the filters to `environment`."""
        super().__init__(environment)
        environment.filters |= {"accepted": accepted, "toml": toml}
