"""Fills the `@token@` places of the files under deploy/."""

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"@([a-z_]+)@")


def render(text: str, values: Mapping[str, str]) -> str:
    """Replace each `@token@` by its value; tokens inside a value are not replaced.

    Raises `ValueError` for a token without a value: it would reach a machine as it stands.
    """

    def value(token: re.Match[str]) -> str:
        if token[1] not in values:
            raise ValueError(f"{token[0]} has no value")
        return values[token[1]]

    return _TOKEN.sub(value, text)
