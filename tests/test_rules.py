"""tasks.lib.rules, and the table for `deploy` in invoke.yaml."""

from typing import Any

import pytest
from tasks.deploy import settings
from tasks.deploy.settings import Settings
from tasks.lib import rules
from tasks.lib.console import TaskError

REFUSED = [
    ({"keep_relases": 9}, "deploy has 'keep_relases': did you mean 'keep_releases'?"),
    ({"x": 1}, "deploy has 'x': expected before_switch_seconds, end_of_life, health_seconds, "),
    (
        {"before_switch_seconds": 0},
        "deploy.before_switch_seconds is '0': expected a whole number of at least 1",
    ),
    ({"keep_releases": "1"}, "deploy.keep_releases is '1': expected a whole number of at least 2"),
    (
        {"keep_releases": True},
        "deploy.keep_releases is 'True': expected a whole number of at least 2",
    ),
    ({"overlap": "maybe"}, "deploy.overlap is 'maybe': expected true or false"),
    ({"end_of_life": "never"}, "deploy.end_of_life is 'never': expected warn or refuse"),
    ({"end_of_life": 3}, "deploy.end_of_life is '3': expected warn or refuse"),
    ({"signing_key": "key"}, "deploy.signing_key is 'key': expected a path from / or ~"),
    ({"offline_source": "auto"}, "deploy.offline_source is 'auto': expected a group of settings"),
    (
        {"offline_source": {"standalone_mirrors": ""}},
        "deploy.offline_source has 'standalone_mirrors': did you mean 'standalone_mirror'?",
    ),
    (
        {"offline_source": {"standalone_version": "3"}},
        "deploy.offline_source.standalone_version is '3': expected a version such as 3.13.5, or n",
    ),
    (
        {"offline_binary": {"hidden_imports": "a.b"}},
        "deploy.offline_binary.hidden_imports is 'a.b': expected a list of module names",
    ),
]


@pytest.mark.parametrize(("given", "expected"), REFUSED)
def test_what_is_wrong_is_named(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(TaskError) as refused:
        settings.read(given, {})
    assert str(refused.value).startswith(expected)


def test_what_is_given_counts_and_what_is_empty_does_not() -> None:
    given = {
        "keep_releases": 5,
        "before_switch_seconds": "600",
        "overlap": "no",
        "health_seconds": None,
        "signing_key": "",
        "targets": {"local": {}},
        "offline_source": {"interpreter": "local", "standalone_version": ""},
        "offline_binary": {"hidden_imports": ["a.b"], "collect_data": None},
    }
    assert settings.read(given, {}) == Settings(
        keep_releases=5,
        before_switch_seconds=600,
        overlap=False,
        interpreter="local",
        hidden_imports=("a.b",),
    )


def test_every_setting_has_a_rule() -> None:
    names = {name for name, rule in settings.RULES.items() if isinstance(rule, rules.Rule)}
    for group in (rule for rule in settings.RULES.values() if not isinstance(rule, rules.Rule)):
        names |= set(group)
    assert names - {"targets"} == set(Settings.__dataclass_fields__)


def test_a_variable_that_overrides_nothing_is_named() -> None:
    deploy = {"keep_releases": 3, "offline_source": {"interpreter": "auto"}}
    right = {
        "INVOKE_DEPLOY_KEEP_RELEASES": "5",
        "INVOKE_DEPLOY_OFFLINE_SOURCE_INTERPRETER": "local",
        "INVOKE_RUN_ECHO": "1",
    }
    settings.read(deploy, right)
    with pytest.raises(TaskError) as refused:
        settings.read(deploy, {**right, "INVOKE_DEPLOY_KEEP_RELASES": "5"})
    assert str(refused.value) == (
        "INVOKE_DEPLOY_KEEP_RELASES overrides nothing in invoke.yaml: "
        "did you mean 'INVOKE_DEPLOY_KEEP_RELEASES'?"
    )
