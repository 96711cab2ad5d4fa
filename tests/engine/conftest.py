"""What the tests of the host engine share."""

from collections.abc import Iterator

import pytest

from host import activate, lock, trial
from tests.engine import world


@pytest.fixture(scope="module")
def model() -> Iterator[None]:
    """Keep the engine off the real machine: the model stands for all that a switch rests on."""
    with pytest.MonkeyPatch.context() as patch:
        for module, names in (
            (activate.place, ("require_owner", "require_steady", "require_way_in")),
            (activate.preflight, ("require_fit",)),
            (activate.trees, ("require_whole",)),
            (activate.account, ("prepare", "link_commands", "tell_of_lingering")),
        ):
            for name in names:
                patch.setattr(module, name, lambda *_: None)
        patch.setattr(lock, "held", world.held)
        patch.setattr(trial, "held", world.held)
        yield
