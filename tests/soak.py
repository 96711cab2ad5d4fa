"""How much the tests try: a sample that a seed chooses, or everything (`nox -s soak`)."""

import os
import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

SOAK = os.environ.get("QUADRANT_SOAK") == "1"
"""Whether everything is tried, which takes hours."""
SEED = os.environ.setdefault("QUADRANT_SEED", str(random.SystemRandom().randrange(10**6)))
"""The seed of the samples. Test processes that run side by side share it by the environment."""


def dice(about: str) -> random.Random:
    """Return random numbers that are the same for the same seed and the same words."""
    return random.Random(f"{SEED} {about}")  # noqa: S311 (nothing is kept secret by it)


def some(of: Sequence[Item], most: int, about: str) -> list[Item]:
    """Return a sample of these in their order, or all of them."""
    if SOAK:
        return list(of)
    return [of[at] for at in sorted(dice(about).sample(range(len(of)), min(most, len(of))))]
