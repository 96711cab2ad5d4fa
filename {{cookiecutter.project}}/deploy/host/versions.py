"""Order versions of Python packages, as PEP 440 says and with the standard library alone.

https://packaging.python.org/en/latest/specifications/version-specifiers/
"""

import math
import re
from functools import lru_cache

_FORM = re.compile(
    r"""v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)
    (?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_number>\d*))?
    (?P<post>-(?P<post_alone>\d+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>\d*))?
    (?P<dev>[-_.]?dev[-_.]?(?P<dev_number>\d*))?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_LONGEST = 200
_SPELLED = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}

Key = tuple[object, ...]


@lru_cache(maxsize=1 << 16)  # advisories about one package list the same versions
def key(version: str) -> Key:
    """Return what sorts as the version does. Raises ValueError for one that is not of that form."""
    text = version.strip()
    found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if not found:
        raise ValueError(version)
    numbers = [int(part) for part in found["release"].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()  # 1.0 is 1
    post = int(found["post_alone"] or found["post_number"] or 0) if found["post"] else -1
    dev = int(found["dev_number"] or 0) if found["dev"] else math.inf
    return (int(found["epoch"] or 0), tuple(numbers), _pre(found), post, dev, _local(found))


def public(version: str) -> str:
    """Return a version without what a packager has added to it: `2.1` for `2.1+cpu`."""
    return version.partition("+")[0]


def _pre(found: re.Match[str]) -> tuple[int, str, int]:
    if found["pre"]:
        name = found["pre"].lower()
        return (0, _SPELLED.get(name, name), int(found["pre_number"] or 0))
    # 1.dev1 comes before 1a1; 1 and 1.post1 come after 1rc1.
    return (-1 if found["dev"] and not found["post"] else 1, "", 0)


def _local(found: re.Match[str]) -> tuple[tuple[int, int, str], ...]:
    parts = re.split(r"[-_.]", (found["local"] or "").lower())
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts if part)
