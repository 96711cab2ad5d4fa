"""What the tests of the host engine share."""

from collections.abc import Iterator

import pytest
from host import account, lock, place, preflight, trial
from host import tree as trees

from tests.engine import world


@pytest.fixture(scope="module")
def model() -> Iterator[None]:
    """Keep the engine off the real machine: the model replaces all that a switch relies on."""
    with pytest.MonkeyPatch.context() as patch:
        for module, names in (
            (place, ("require_owner", "require_steady", "require_way_in")),
            (preflight, ("require_fit",)),
            (trees, ("require_whole",)),
            (account, ("prepare", "link_commands", "tell_of_lingering")),
        ):
            for name in names:
                patch.setattr(module, name, lambda *_: None)
        patch.setattr(lock, "held", world.held)
        patch.setattr(trial, "held", world.held)
        yield
