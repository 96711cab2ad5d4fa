"""The sections of CHANGELOG.md: what is unreleased becomes the section of a version.

The format is that of Keep a Changelog (https://keepachangelog.com/en/1.1.0/).
"""

import re

UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## +\[?(?P<name>[^\]\s]+)\]?.*$", re.MULTILINE)
_LINKS = re.compile(r"^\[[^\]]+\]: ", re.MULTILINE)
_PART = re.compile(r"^### +(.+?) *$", re.MULTILINE)
_TITLES = {"Feat": "Added", "Fix": "Fixed", "Perf": "Changed", "Refactor": "Changed"}
"""Commitizen's titles, and those of the changelog."""
_BREAKING = "BREAKING CHANGE"
_FIRST = "The first release.\n"
_QUIET = "Nothing that its users would notice.\n"


def section(text: str, name: str) -> str | None:
    """Return the text below a version's heading; None where it has none."""
    found = _find(text, name)
    return text[found[1] : found[2]].strip("\n") + "\n" if found else None


def released(text: str, version: str, day: str, generated: str) -> str:
    """Return a changelog in which what is unreleased is the section of a version.

    `generated` is what commitizen says of the commits; it follows what a person has written. A
    changelog that has the version's section already stays as it is.
    """
    if _find(text, version):
        return text
    found = _find(text, UNRELEASED)
    start, begin, end = found or _before_versions(text)
    body = merged(text[begin:end], generated) or (_QUIET if _has_versions(text) else _FIRST)
    heading = text[start:begin].rstrip("\n") if found else f"## [{UNRELEASED}]"
    middle = f"{heading}\n\n## [{version}] - {day}\n\n{body}"
    after = text[end:].lstrip("\n")
    return text[:start].rstrip("\n") + f"\n\n{middle}" + (f"\n{after}" if after else "")


def merged(written: str, generated: str) -> str:
    """Return what a person has written, with the generated lines under the same titles."""
    parts = _parts(written)
    for title, body in _parts(_HEADING.sub("", generated)).items():
        lines = body.splitlines()
        if title == _BREAKING:
            lines = [re.sub(r"^- ", "- **Breaking**: ", line) for line in lines]
        known = parts.setdefault(_TITLES.get(title, "Changed" if title else ""), "")
        new = [line for line in lines if line not in known.splitlines()]
        parts[_TITLES.get(title, "Changed" if title else "")] = "\n".join([known, *new]).strip("\n")
    texts = [f"### {title}\n\n{body}" if title else body for title, body in parts.items()]
    return "".join(f"{text}\n\n" for text in texts if text).rstrip("\n") + "\n" * any(texts)


def _has_versions(text: str) -> bool:
    return any(heading["name"] != UNRELEASED for heading in _HEADING.finditer(text))


def _parts(text: str) -> dict[str, str]:
    """Return the text below each title; what stands before the first has an empty title."""
    first, *rest = _PART.split(text)
    pairs = [("", first), *zip(rest[::2], rest[1::2], strict=True)]
    return {title: body.strip("\n") for title, body in pairs}


def _find(text: str, name: str) -> tuple[int, int, int] | None:
    """Return where a section's heading begins and ends, and where the section ends."""
    for heading in _HEADING.finditer(text):
        if heading["name"] == name:
            return heading.start(), heading.end(), _end(text, heading.end())
    return None


def _before_versions(text: str) -> tuple[int, int, int]:
    first = _HEADING.search(text)
    place = first.start() if first else _end(text, 0)
    return place, place, place


def _end(text: str, begin: int) -> int:
    """Return where a section ends: at the next one, at the links below all, or with the text."""
    ends = [found.start() for found in (_HEADING.search(text, begin), _LINKS.search(text, begin))
            if found]  # fmt: skip
    return min(ends, default=len(text))
