"""Settings: a wrong value or an unknown name is refused with a message that names it."""

from typing import Any

import pytest
from tasks.deploy import settings
from tasks.lib.console import TaskError


def test_defaults_hold_where_nothing_is_said() -> None:
    assert settings.read({}, {}) == settings.Settings()
    assert settings.read({"keep_releases": "5", "overlap": "no"}, {}) == settings.Settings(
        keep_releases=5, overlap=False
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"keep_relases": 9}, "deploy has 'keep_relases': did you mean 'keep_releases'?"),
        (
            {"keep_releases": 1},
            "deploy.keep_releases is '1': expected a whole number of at least 2",
        ),
        ({"end_of_life": "no"}, "deploy.end_of_life is 'no': expected warn or refuse"),
        ({"signing_key": "key"}, "deploy.signing_key is 'key': expected a path from / or ~"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError) as refused:
        settings.read(given, {})
    assert str(refused.value) == said


def test_a_variable_that_overrides_nothing_is_named() -> None:
    with pytest.raises(TaskError, match=r"^INVOKE_DEPLOY_OVERLAPP .* 'INVOKE_DEPLOY_OVERLAP'\?$"):
        settings.read({"overlap": True}, {"INVOKE_DEPLOY_OVERLAPP": "0"})
