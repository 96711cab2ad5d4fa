"""Refuse wrong answers: one line on stderr for each, and exit status 1.

Cookiecutter renders ANSWERS, then runs this. Unrendered, the file is plain Python:
template_answers.py calls its `refusals` before cookiecutter makes any folder.
"""

import json
import keyword
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

# Nothing in it can end the string: tojson escapes quotes, line ends and all that is not ASCII.
ANSWERS = r"""{{ cookiecutter | tojson }}"""


def none_of(names: Iterable[str]) -> str:
    """Return a pattern for the projects whose package has none of the `names`."""
    return rf"(?i)(?!({'|'.join(names).replace('_', '[._-]')})\Z).*"


def listed(choices: Sequence[str]) -> str:
    """Return choices in the form that they have in a sentence."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


MODULES = [*sys.stdlib_module_names, "test", "annotationlib", "compression"]  # two are 3.14's
TOP_LEVEL = "build deploy dist docs noxfile ops reports src tasks tests".split()
NEEDED = """a2wsgi anyio certifi click coverage ecs_logging execnet h11 httpcore2 httpx2 idna
    iniconfig invoke nox packaging pip pluggy prometheus_client pygments pytest pytest_cov
    pytest_xdist setuptools starlette truststore typing_extensions uvicorn websockets
    xdist""".split()
USERS = """adm backup bin daemon dbus ftp games gnats halt irc list lp mail man messagebus news
    nobody operator proxy root shutdown sshd sync sys uucp www_data""".split()
# These are no lists in cookiecutter.json: with an answer that is not on a list, cookiecutter ends
# with a traceback before anything of the template can refuse it.
KINDS = "service worker cli".split()
PYTHONS = "3.11 3.12 3.13 3.14".split()
LICENSES = "MIT Apache-2.0 BSD-3-Clause proprietary".split()
PROVIDERS = "github gitlab jenkins all none".split()
C = r"\x00-\x1f\x7f-\x9f\ud800-\udfff"  # control characters and halves of characters
RULES = (  # an answer's name, what is expected of it, and the pattern that it must match
    ("project", "2 to 40 characters", ".{2,40}"),
    ("project", "letters, digits, . _ -; first a letter, last no sign", r"[a-zA-Z][\w.-]*[^\W_]"),
    ("project", "a name Windows allows", r"(?i)(?!(aux|con|nul|prn|(com|lpt)\d)(\.|$)).*"),
    ("project", "a name that is no Python keyword", none_of(keyword.kwlist)),
    ("project", "a name that is no module of Python's own", none_of(MODULES)),
    ("project", "a name that is no file or folder of every project", none_of(TOP_LEVEL)),
    ("project", "a name that is no module the project needs", none_of(NEEDED)),
    ("project", "a name that is no common system user", none_of(USERS)),
    ("kind", listed(KINDS), "|".join(KINDS)),
    ("description", "text, tabs and line ends its only controls", rf"(?=.*\S)([^{C}]|[\t\n])+"),
    ("author", "a line of text, no control characters", rf"(?=.*\S)[^{C}]+"),
    ("email", "an address such as you@example.com", rf"[^@\s{C}]+@[^@\s{C}]+"),
    ("python_version", listed(PYTHONS), "|".join(map(re.escape, PYTHONS))),
    ("license", listed(LICENSES), "|".join(map(re.escape, LICENSES))),
    ("ci", listed(PROVIDERS), "|".join(PROVIDERS)),
)


def refusals(answers: Mapping[str, object]) -> list[str]:
    """Return a line for each wrong answer: its name, its value and what is expected of it."""
    lines: dict[str, str] = {}
    for name, expected, pattern in RULES:
        value = answers.get(name)
        if not (isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII | re.DOTALL)):
            lines.setdefault(name, f"error: {name} is {value!r}: expected {expected}")
    return list(lines.values())


if __name__ == "__main__":
    sys.exit("\n".join(refusals(json.loads(ANSWERS))) or 0)
