"""The parts, from the file that comes with the package."""

import json
from functools import cache
from importlib.resources import files
from typing import TypedDict


class Part(TypedDict):
    """A part that can be ordered."""

    number: int
    name: str


@cache
def parts() -> tuple[Part, ...]:
    """Return all parts."""
    text = files(__package__).joinpath("parts.json").read_text(encoding="utf-8")
    return tuple(json.loads(text))
