"""tasks.release.settings, tasks.release.versions and tasks.lib.steps: what is allowed, in order."""

from pathlib import Path

import pytest
from tasks.lib import project, steps
from tasks.lib.console import TaskError
from tasks.release import settings, starting, versions

from tests.support import commit, run


def test_settings() -> None:
    assert settings.read({}, {}).quadrants == settings.PUBLISHING
    assert settings.read({"quadrants": []}, {}).quadrants == settings.PUBLISHING
    builder = "https://ci.example.com/runner"
    read = settings.read({"quadrants": ["offline-source"], "builder": builder}, {})
    assert read == settings.ReleaseSettings(("offline-source",), builder)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"quadrants": ["online-source"]}, "expected a list of offline-binary and offline-source"),
        ({"quadrants": "offline-source"}, "release.quadrants is 'offline-source': expected a list"),
        ({"builder": "me"}, "release.builder is 'me': expected a URI, or nothing"),
        ({"bilder": ""}, "release has 'bilder': did you mean 'builder'?"),
    ],
)
def test_wrong_settings_are_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(TaskError) as raised:
        settings.read(given, {})
    assert said in str(raised.value)


def test_a_quadrant_that_a_project_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    there = "offline_binary"
    monkeypatch.setattr(settings, "find_spec", lambda name: name.endswith(there) or None)
    assert settings.read({}, {}).quadrants == ("offline-binary",)
    with pytest.raises(TaskError, match="has 'offline-source': this project has deleted it"):
        settings.read({"quadrants": ["offline-source"]}, {})


def test_versions_sort() -> None:
    in_order = ["0.9.0", "0.10.0", "1.0.0a1", "1.0.0b2", "1.0.0rc1", "1.0.0rc10", "1.0.0", "1.0.1"]
    assert sorted(in_order[3:] + in_order[:3], key=versions.rank) == in_order
    assert [
        text for text in ("1.0", "1.0.0.dev1", "v1.0.0", "1.0.0\n", "") if versions.is_version(text)
    ] == []
    with pytest.raises(TaskError, match=r"'1.0' in pyproject.toml: expected a version such as"):
        versions.rank("1.0")


def test_tags(small: project.Project) -> None:
    root = small.root
    commit(root)
    known = versions.tags(small)
    assert (known.name("1.0.0"), known.last(), known.commit("1.0.0")) == ("v1.0.0", "", "")
    for tag in ("v1.0.0rc1", "v0.9.0", "1.5.0", "vone", "v0.10.0"):
        run(["git", "tag", tag], cwd=root)
    assert known.last() == "1.0.0rc1"
    assert known.commit("0.9.0") == run(["git", "rev-parse", "HEAD"], cwd=root).stdout.strip()
    with (root / "pyproject.toml").open("a") as file:
        file.write('[tool.commitizen]\ntag_format = "web-$version"\n')
    assert versions.tags(small).name("1.0.0") == "web-1.0.0"
    text = (root / "pyproject.toml").read_text().replace("web-$version", "web")
    (root / "pyproject.toml").write_text(text)
    with pytest.raises(TaskError, match=r"is 'web': expected one \$version in it"):
        versions.tags(small)


@pytest.mark.parametrize(
    "text",
    [
        '[project]\nname = "x"\nversion = "1.0.0"\n[tool.x]\nversion = "1.0.0"\n',
        "[tool.x]\nversion = '1.0.0'\n[project] # it\nversion   =   '1.0.0'   # so\n",
    ],
)
def test_a_version_is_changed_and_nothing_else(text: str) -> None:
    changed = starting.with_version(text, "1.1.0")
    assert len([pair for pair in zip(text, changed, strict=True) if pair[0] != pair[1]]) == 1
    assert starting.with_version(changed, "1.1.0") == changed


def test_a_version_that_is_not_there() -> None:
    with pytest.raises(TaskError, match="has no line 'version"):
        starting.with_version('[project]\nname = "x"\ndynamic = ["version"]\n', "1.1.0")


def test_steps(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abc"]
    work = [steps.Step(file.name, file.exists, file.touch) for file in files]
    files[0].touch()
    assert steps.plan(work) == {"1. a": "done", "2. b": "to do", "3. c": "to do"}
    assert steps.carry_out(work)
    assert capsys.readouterr().out == "1/3 a: done already\n2/3 b\n3/3 c\n"
    assert not steps.carry_out(work)
