"""tasks.branches.table: the table of branches, and every mistake in it."""

from typing import Any

import pytest
from tasks.branches import table
from tasks.lib.console import TaskError

from tests.branches import ALLOWED, GIVEN, KINDS


def changed(kind: str, **values: Any) -> dict[str, Any]:
    """Return the table with other values in one row; None takes a key away."""
    row = {**GIVEN.get(kind, {}), **{key.rstrip("_"): value for key, value in values.items()}}
    row = {key: value for key, value in row.items() if value is not None}
    return {**GIVEN, kind: row}


def test_the_six_kinds() -> None:
    assert list(KINDS) == ["main", "develop", "dependency", "feature", "release", "docs"]
    assert [kind.key for kind in KINDS.values() if kind.fixed] == ["main", "develop"]


@pytest.mark.parametrize(
    ("branch", "kind"),
    [
        ("main", "main"),
        ("develop", "develop"),
        ("feature/ABC-123_new.thing", "feature"),
        ("release/1.2.0", "release"),
        ("dependency/2026-11-26", "dependency"),
        ("docs/a", "docs"),
        ("master", None),
        ("mainly", None),
        ("feature", None),
        ("feature/", None),
        ("feature/a/b", None),
        ("feature/a..b", None),
        ("feature/-a", None),
        ("feature/a\n", None),
        ("Feature/a", None),
    ],
)
def test_names(branch: str, kind: str | None) -> None:
    found = table.kind_of(KINDS, branch)
    assert (found and found.key) == kind


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_every_pair(source: str, target: str) -> None:
    expected = (source, target) in ALLOWED
    assert table.may_merge(KINDS[source], KINDS[target]) is expected


def test_the_usual_target_comes_first() -> None:
    usual = {key: [kind.key for kind in table.targets(KINDS, KINDS[key])] for key in KINDS}
    assert usual == {
        "main": ["develop"],
        "develop": ["main", "release"],
        "dependency": ["develop"],
        "feature": ["develop"],
        "release": ["main", "develop"],
        "docs": ["release", "develop"],
    }


@pytest.mark.parametrize(
    ("kind", "file", "allowed"),
    [
        ("feature", "src/a.py", True),
        ("dependency", "Pipfile.lock", True),
        ("dependency", "src/Pipfile.lock", False),
        ("dependency", "Pipfile.lock.orig", False),
        ("docs", "docs/deploy/a.svg", True),
        ("docs", "README.md", True),
        ("docs", "docsy/a.svg", False),
        ("docs", "src/a.py", False),
    ],
)
def test_files(kind: str, file: str, allowed: bool) -> None:
    assert table.touches(KINDS[kind], file) is allowed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (changed("feature", nam="x"), "tool.branches.feature has 'nam': did you mean 'name'?"),
        (changed("feature", name=None), "tool.branches.feature has no 'name': expected a name su"),
        (changed("feature", name="f*"), "tool.branches.feature.name is 'f*': expected a name suc"),
        (changed("feature", name="a b"), "tool.branches.feature.name is 'a b': expected a name"),
        (changed("feature", name="docs/*"), "tool.branches.docs.name is 'docs/*': feature begins "),
        (changed("feature", name="Docs"), "tool.branches.docs.name is 'docs/*': feature begins a"),
        (changed("feature", purpose="a|b"), "tool.branches.feature.purpose is 'a|b': expected one"),
        (changed("feature", from_="x"), "tool.branches.feature.from has 'x': expected main, dev"),
        (changed("feature", from_=""), "tool.branches has main and feature with an empty 'from':"),
        (changed("main", from_="develop"), "tool.branches has no kind with an empty 'from': expe"),
        (changed("main", name="m/*"), "tool.branches.main.name is 'm/*': expected one name, with"),
        (
            changed("develop", from_="feature"),
            "tool.branches.develop.from leads in a circle: develop from feature from develop",
        ),
        (changed("feature", into=["x"]), "tool.branches.feature.into has 'x': expected main, dev"),
        (changed("feature", into="develop"), "tool.branches.feature.into is 'develop': expected a"),
        (changed("main", push="all"), "tool.branches.main.push is 'all': expected nobody or main"),
        (changed("main", merge="nobody"), "tool.branches.main.merge is 'nobody': expected maint"),
        (changed("main", checks=[1]), "tool.branches.main.checks is '[1]': expected a list of no"),
        (changed("main", deploys=""), "tool.branches.main.approval is true: expected 'deploys' to"),
        (changed("main", artefacts="x"), "tool.branches.main.artefacts is 'x': expected true or"),
        (changed("docs", files=["/etc"]), "tool.branches.docs.files is '['/etc']': expected a li"),
        ({**GIVEN, "Bad key": {}}, "tool.branches has 'Bad key': expected a word of lower-case"),
        ({**GIVEN, "more": 1}, "tool.branches.more is '1': expected a row of the table"),
    ],
)
def test_a_mistake_is_one_line(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError) as refused:
        table.parse(given)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
