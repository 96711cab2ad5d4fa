"""The rules for answers, asked directly; test_bake.py has what a user sees of them."""

import json
import runpy
import sys
from pathlib import Path

import pytest
from cookiecutter.environment import StrictEnvironment

from tests.support import HOOK, LICENSES, PROJECT, PROVIDERS, PYTHONS, ROOT, run

QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
GOOD = {name: default for name, default in QUESTIONS.items() if not name.startswith("_")}

FOLDERS = [path for path in PROJECT.iterdir() if path.is_dir()]

LENGTH = "2 to 40 characters"
SPELLING = "letters, digits, . _ -; first a letter, last no sign"
MODULE = "a name that is no module of Python's own"
TEXT = "text, tabs and line ends its only controls"
LINE = "a line of text, no control characters"
ADDRESS = "an address such as you@example.com"

REFUSED = [
    ("project", "", LENGTH),
    ("project", ".", LENGTH),
    ("project", "x", LENGTH),
    ("project", "x" * 41, LENGTH),
    ("project", "x" * 300, LENGTH),
    ("project", "..", SPELLING),
    ("project", "a/../../b", SPELLING),
    ("project", "/tmp/a", SPELLING),
    ("project", "a\\b", SPELLING),
    ("project", "3d-tool", SPELLING),
    ("project", "-service", SPELLING),
    ("project", "service-", SPELLING),
    ("project", "service.", SPELLING),
    ("project", "my service", SPELLING),
    ("project", "service\n", SPELLING),
    ("project", "service\0", SPELLING),
    ("project", "dienst-größe", SPELLING),
    ("project", "service²", SPELLING),
    ("project", "$(id)", SPELLING),
    ("project", "{{ project }}", SPELLING),
    ("project", "class", "a name that is no Python keyword"),
    ("project", "Lambda", "a name that is no Python keyword"),
    ("project", "json", MODULE),
    ("project", "HTTP", MODULE),
    ("project", "test", MODULE),
    ("project", "concurrent", MODULE),
    ("project", "compression", MODULE),
    ("project", "tests", "a name that is no file or folder of every project"),
    ("project", "Tasks", "a name that is no file or folder of every project"),
    ("project", "noxfile", "a name that is no file or folder of every project"),
    ("project", "uvicorn", "a name that is no module the project needs"),
    ("project", "ECS.logging", "a name that is no module the project needs"),
    ("project", "ecs-logging", "a name that is no module the project needs"),
    ("project", "root", "a name that is no common system user"),
    ("project", "www-data", "a name that is no common system user"),
    ("project", "nul", "a name Windows allows"),
    ("project", "Con.service", "a name Windows allows"),
    ("project", "com1", "a name Windows allows"),
    ("kind", "", "service, worker or cli"),
    ("kind", "Worker", "service, worker or cli"),
    ("kind", "CLI", "service, worker or cli"),
    ("kind", "service\n", "service, worker or cli"),
    ("description", "", TEXT),
    ("description", " \n\t", TEXT),
    ("description", "bell\a", TEXT),
    ("description", "a carriage\rreturn", TEXT),
    ("description", "half of a character \ud83d", TEXT),
    ("description", "\x1b[31mred", TEXT),
    ("description", "\x85", TEXT),
    ("author", "", LINE),
    ("author", "Two\nLines", LINE),
    ("author", "A\tTab", LINE),
    ("author", "Delete\x7f", LINE),
    ("email", "", ADDRESS),
    ("email", "nobody", ADDRESS),
    ("email", "@", ADDRESS),
    ("email", "a@b@c", ADDRESS),
    ("email", "a b@c", ADDRESS),
    ("email", "a@b\n", ADDRESS),
    ("email", "a\0@b", ADDRESS),
    ("python_version", "3.10", "3.11, 3.12, 3.13 or 3.14"),
    ("python_version", "3x11", "3.11, 3.12, 3.13 or 3.14"),
    ("license", "GPL-3.0", "MIT, Apache-2.0, BSD-3-Clause or proprietary"),
    ("license", "mit", "MIT, Apache-2.0, BSD-3-Clause or proprietary"),
    ("ci", "", "github, gitlab, jenkins, all or none"),
    ("ci", "GitHub", "github, gitlab, jenkins, all or none"),
]

ACCEPTED = [
    ("project", "ab"),
    ("project", "x" * 40),
    ("project", "My.Service"),
    ("project", "my--odd__name.2"),
    ("project", "match"),
    ("project", "json-api"),
    ("project", "console"),
    ("description", "Both \"quotes\" and 'apostrophes', a \\ and 100 % of ${HOME}"),
    ("description", "{{ braces }} {# and more #} %}"),
    ("description", "two\nlines\tand a tab"),
    ("description", "Größe, 大きさ, 😀, 👩‍🚀"),
    ("author", 'Zoë "Z" O\'Neil \\ {{ x }} $HOME %s 😀'),
    ("email", 'zoë.o\'neil+"{{x}}"%$\\@exämple.org'),
    *[("python_version", version) for version in PYTHONS],
    *[("license", name) for name in LICENSES],
    *[("ci", name) for name in PROVIDERS],
]


def refusals(**answers: object) -> list[str]:
    lines: list[str] = runpy.run_path(str(HOOK))["refusals"]({**GOOD, **answers})
    return lines


@pytest.mark.parametrize(("name", "value", "expected"), REFUSED)
def test_a_wrong_answer_is_refused_in_one_line(name: str, value: str, expected: str) -> None:
    assert refusals(**{name: value}) == [f"error: {name} is {value!r}: expected {expected}"]
    assert len(f"{value!r}".splitlines()) == 1


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_an_odd_but_right_answer_is_accepted(name: str, value: str) -> None:
    assert refusals(**{name: value}) == []


def test_every_question_has_a_rule_and_every_wrong_answer_a_line() -> None:
    lines = refusals(**dict.fromkeys(GOOD, "\0"))
    assert [line.split()[1] for line in lines] == list(GOOD)


@pytest.mark.parametrize("value", [None, 3, ["a"], {"a": 1}])
def test_an_answer_that_is_no_text_is_refused(value: object) -> None:
    [line] = refusals(author=value)
    assert line == f"error: author is {value!r}: expected {LINE}"


@pytest.mark.parametrize("category", ["default", "test"])
def test_no_locked_package_can_be_hidden_by_a_project_of_its_name(category: str) -> None:
    lock = json.loads((PROJECT / "Pipfile.lock").read_text("utf-8"))
    assert [name for name in lock[category] if not refusals(project=name)] == []


@pytest.mark.parametrize("name", [path.name for path in FOLDERS if path.name != "kinds"])
def test_no_folder_of_the_project_can_be_its_name(name: str) -> None:
    assert refusals(project=name)


def test_the_hook_gives_the_same_verdict(tmp_path: Path) -> None:
    answers = {**GOOD, "author": 'Quote \' " """ \\ é 😀 \u2028', "email": "nobody"}
    text = HOOK.read_text("utf-8")
    hook = tmp_path / "hook.py"
    hook.write_text(StrictEnvironment().from_string(text).render(cookiecutter=answers), "utf-8")
    said = run([sys.executable, hook], cwd=tmp_path, code=1)
    assert said.stderr == f"error: email is 'nobody': expected {ADDRESS}\n"
