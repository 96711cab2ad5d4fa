"""Baking, as a user does it: what is refused, what is made, and what it needs."""

import json
import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.conftest import Answers, Bake, CommandLine
from tests.support import (
    CHOICE,
    LICENSES,
    PROJECT,
    PROVIDERS,
    PYTHONS,
    commit,
    contents,
    literal,
    missing,
    run,
    tree,
)

STATEMENT = "{" + "%"  # never written as one in Python: test_template.py looks for it
HOSTILE: Answers = {
    "description": f'It\'s "quoted" \\ {{{{ x }}}} {STATEMENT} if %}} 1 % of $HOME\n\tgrößer 😀',
    "author": 'Zoë "Z" O\'Neil \\ {{ x }} {# y #} %s $HOME 😀',
    "email": 'zoë.o\'neil+"{{x}}"%$\\@exämple.org',
}
LENGTH = "2 to 40 characters"
UNCHOSEN: Callable[[str], list[str]] = runpy.run_path(str(CHOICE))["unchosen"]
SPELLING = "letters, digits, . _ -; first a letter, last no sign"


def facts(project: Path) -> dict[str, str]:
    """Return the answers as a project's metadata has them."""
    metadata = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    [author] = metadata["authors"]
    return {
        "project": metadata["name"],
        "description": metadata["description"],
        "author": author["name"],
        "email": author["email"],
    }


# What is refused


@pytest.mark.parametrize("options", [[], ["--overwrite-if-exists"]])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/../../b", SPELLING),
        ("deep/down/service", SPELLING),
        ("../outside", SPELLING),
        ("{outside}/absolute/service", LENGTH),
        (".", LENGTH),
        ("..", SPELLING),
        ("", LENGTH),
        ("x" * 300, LENGTH),
        ("two\nlines", SPELLING),
        ("class", "a name that is no Python keyword"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_no_folder(
    command_line: CommandLine, tmp_path: Path, name: str, expected: str, options: list[str]
) -> None:
    output = tmp_path / "users" / "output"
    (output / "deep").mkdir(parents=True)  # the user's own, and empty
    before = tree(tmp_path)
    name = name.replace("{outside}", str(tmp_path))
    said = command_line("--no-input", *options, f"project={name}", cwd=output, code=1)
    assert said.stderr == f"error: project is {name!r}: expected {expected}\n"
    assert tree(tmp_path) == before


def test_a_refusal_does_not_make_the_output_folder(
    command_line: CommandLine, tmp_path: Path
) -> None:
    options = ["--no-input", "--output-dir", "new/output"]
    command_line(*options, "email=nobody", cwd=tmp_path, code=1)
    assert tree(tmp_path) == set()


def test_every_wrong_answer_is_told(command_line: CommandLine, tmp_path: Path) -> None:
    wrong = ["project=tests", "author=\x1b", "email=nobody"]
    said = command_line("--no-input", *wrong, cwd=tmp_path, code=1)
    assert [line.split(": ")[1] for line in said.stderr.splitlines()] == [
        "project is 'tests'",
        r"author is '\x1b'",
        "email is 'nobody'",
    ]


@pytest.mark.parametrize("options", [[], ["--overwrite-if-exists"]])
def test_a_refusal_keeps_a_project_that_is_there(
    command_line: CommandLine, tmp_path: Path, options: list[str]
) -> None:
    existing = tmp_path / "my-service"
    (existing / "empty").mkdir(parents=True)
    (existing / "README.md").write_text("mine")
    before = tree(tmp_path)
    command_line("--no-input", *options, "email=nobody", cwd=tmp_path, code=1)
    assert tree(tmp_path) == before
    assert (existing / "README.md").read_text() == "mine"


def test_a_folder_that_is_there_is_not_baked_into(
    command_line: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "my-service").mkdir()
    said = command_line("--no-input", cwd=tmp_path, code=1)
    assert '"my-service" directory already exists' in said.stdout
    assert tree(tmp_path) == {"my-service"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            "license=GPL-3.0",
            f"license is 'GPL-3.0': expected {', '.join(LICENSES[:3])} or {LICENSES[3]}",
        ),
        ("kind=daemon", "kind is 'daemon': expected service, worker or cli"),
        ("python_version=3.9", "python_version is '3.9': expected 3.11, 3.12, 3.13 or 3.14"),
    ],
)
def test_a_choice_that_is_not_offered_is_refused(
    command_line: CommandLine, tmp_path: Path, given: str, told: str
) -> None:
    said = command_line("--no-input", given, cwd=tmp_path, code=1)
    assert said.stderr == f"error: {told}\n"
    assert tree(tmp_path) == set()


# What is carried


def test_hostile_answers_are_carried_exactly(bake: Bake) -> None:
    project = bake(**HOSTILE)
    assert facts(project) == {"project": "my-service", **HOSTILE}
    assert HOSTILE["description"] in (project / "README.md").read_text("utf-8")
    assert HOSTILE["author"] in (project / "LICENSE").read_text("utf-8")


def test_typed_answers_are_carried_exactly(command_line: CommandLine, tmp_path: Path) -> None:
    typed = HOSTILE.copy()
    typed["description"] = HOSTILE["description"].replace("\n\t", " ")
    lines = [
        "My.Service",
        "",
        typed["description"],
        typed["author"],
        typed["email"],
        "3.11",
        "proprietary",
        "none",
        "",
    ]
    command_line(cwd=tmp_path, stdin="\n".join(lines))
    assert facts(tmp_path / "My.Service") == {"project": "My.Service", **typed}
    assert (tmp_path / "My.Service" / ".python-version").read_text() == "3.11\n"


def test_replayed_answers_are_carried_exactly(
    command_line: CommandLine, cookiecutter_config: Path, tmp_path: Path
) -> None:
    answers = [f"{name}={literal(str(text))}" for name, text in HOSTILE.items()]
    command_line("--no-input", *answers, cwd=tmp_path)
    remembered = cookiecutter_config.parent / "replay" / "template.json"
    command_line("--replay-file", remembered, "--output-dir", "again", cwd=tmp_path)
    assert contents(tmp_path / "again" / "my-service") == contents(tmp_path / "my-service")
    assert facts(tmp_path / "again" / "my-service") == {"project": "my-service", **HOSTILE}


def test_an_edited_replay_is_judged_by_the_hook(
    command_line: CommandLine, cookiecutter_config: Path, tmp_path: Path
) -> None:
    command_line("--no-input", cwd=tmp_path)
    edited = json.loads((cookiecutter_config.parent / "replay" / "template.json").read_text())
    edited["cookiecutter"]["email"] = "nobody"
    (tmp_path / "edited.json").write_text(json.dumps(edited))
    options = ["--replay-file", "edited.json", "--output-dir", "again"]
    said = command_line(*options, cwd=tmp_path, code=1)
    line = "error: email is 'nobody': expected an address such as you@example.com"
    assert said.stderr.splitlines()[0] == line
    assert tree(tmp_path / "again") == set()


@pytest.mark.parametrize(
    ("project", "program", "package"),
    [
        ("my-service", "my-service", "my_service"),
        ("My.Service", "my-service", "my_service"),
        ("My--odd__na.me2", "my-odd-na-me2", "my__odd__na_me2"),
        ("ab", "ab", "ab"),
        ("x" * 40, "x" * 40, "x" * 40),
    ],
)
def test_names_are_derived_from_the_project(
    bake: Bake, project: str, program: str, package: str
) -> None:
    made = bake(project=project)
    assert made.name == project
    metadata = tomllib.loads((made / "pyproject.toml").read_text("utf-8"))["project"]
    assert metadata["name"] == project
    assert metadata["scripts"] == {program: f"{package}.runtime.cli:main"}
    assert [path.name for path in (made / "src").iterdir()] == [package]


# What is made

TERMS = {
    "MIT": ("MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"),
    "Apache-2.0": ("Apache-2.0", "Version 2.0, January 2004"),
    "BSD-3-Clause": ("BSD-3-Clause", "3. Neither the name of the copyright holder nor the names"),
    "proprietary": ("LicenseRef-Proprietary", "All rights reserved."),
}


@pytest.mark.parametrize("python_version", PYTHONS)
@pytest.mark.parametrize("terms", LICENSES)
def test_every_pair_of_choices_makes_what_was_chosen(
    bake: Bake, python_version: str, terms: str
) -> None:
    project = bake(python_version=python_version, license=terms)
    spdx, sentence = TERMS[terms]
    metadata = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    assert metadata["license"] == spdx
    assert sentence in (project / "LICENSE").read_text("utf-8")
    assert (project / ".python-version").read_text("utf-8") == f"{python_version}\n"
    assert scars(project) == []


PIPELINES = {
    "github": {".github/workflows/pipeline.yml", ".github/workflows/weekly.yml"},
    "gitlab": {".gitlab-ci.yml"},
    "jenkins": {"Jenkinsfile"},
}


@pytest.mark.parametrize("ci", PROVIDERS)
def test_a_project_has_the_pipelines_that_were_chosen(bake: Bake, ci: str) -> None:
    files = set(contents(bake(ci=ci)))
    for provider, names in PIPELINES.items():
        assert files >= names if ci in {provider, "all"} else not files & names
    templates = {name for name in files if name.startswith((".github/", ".gitlab/"))}
    assert bool(templates) == (ci not in {"jenkins", "none"})


def test_hostile_answers_scar_nothing(bake: Bake) -> None:
    answers = HOSTILE.copy()
    answers["description"] = HOSTILE["description"].replace(STATEMENT, "")
    assert scars(bake(**answers)) == []


_PYTHON = re.compile(r"\.py(\.in)?$|/pre-receive$")


def scars(project: Path) -> list[str]:
    """Return a line for each trace that rendering or a careless edit left in a project's files."""
    return [
        f"{path}: {what}: {match[0]!r}"
        for path, data in contents(project).items()
        for what, pattern in {
            # Ansible's own templates have statements.
            "template language": r"{{ *cookiecutter"
            + ("" if path.startswith("deploy/ansible/") else f"|{STATEMENT}"),
            "a blank at a line's end": r".*[ \t]+$",
            "blank lines": r"\A\n|\n\n\n\n" if _PYTHON.search(path) else r"\A\n|\n\n\n",
            "no newline at the end, or several": r"[^\n]\Z|\n\n\Z",
            "a carriage return": r".*\r",
        }.items()
        if (match := re.search(pattern, data.decode("utf-8"), re.MULTILINE))
    ]


def test_the_template_and_the_project_have_the_same_files(template: Path, baked: Path) -> None:
    assert set(contents(baked)) == {rendered(name) for name in shared(template)}


def test_python_is_baked_byte_for_byte(template: Path, baked: Path) -> None:
    made = contents(baked)
    for name, data in shared(template).items():
        assert not name.endswith(".py") or made[rendered(name)] == data


def shared(template: Path) -> dict[str, bytes]:
    """Return the template's files that are not those of another kind or another provider."""
    others = tuple(UNCHOSEN("github"))
    found = contents(template / PROJECT.name)
    return {name: data for name, data in found.items() if not name.startswith(("kinds/", *others))}


def rendered(name: str) -> str:
    """Return the path that a file of the template has in the default project."""
    return name.replace("{{cookiecutter.__package}}", "my_service")


def test_files_keep_their_modes(template: Path, baked: Path) -> None:
    for name in shared(template):
        assert mode(baked / rendered(name)) == mode(template / PROJECT.name / name), name


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)


PARSERS: dict[str, Callable[[str], object]] = {
    ".json": json.loads,
    ".lock": json.loads,
    ".toml": tomllib.loads,
    ".yaml": yaml.safe_load,
    ".yml": yaml.safe_load,
    "": tomllib.loads,  # Pipfile
}


def test_data_files_parse(bake: Bake) -> None:
    parsed = set()
    for path, data in contents(bake(**HOSTILE)).items():
        suffix = Path(path).suffix
        if suffix in PARSERS and (suffix or path == "Pipfile"):
            PARSERS[suffix](data.decode("utf-8"))
            parsed.add(path)
    assert {"pyproject.toml", "Pipfile", "Pipfile.lock", "invoke.yaml"} <= parsed


# What a bake needs


def test_a_bake_needs_no_network_and_no_programs(
    command_line: CommandLine, tmp_path: Path, baked: Path
) -> None:
    unshare = shutil.which("unshare") or missing("unshare")
    cut_off = [unshare, "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*cut_off, "true"], capture_output=True, check=False).returncode:
        missing("permission to unshare the network")
    bare = {"PATH": "", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    alone = "import os, socket; print(socket.if_nameindex(), os.environ)"
    proof = run([*cut_off, sys.executable, "-c", alone], cwd=tmp_path, env=bare).stdout
    assert proof.startswith("[(1, 'lo')]")
    assert "'PATH': ''" in proof
    run([*cut_off, *command_line.argv("--no-input")], cwd=tmp_path, env=bare)
    assert contents(tmp_path / "my-service") == contents(baked)


@pytest.mark.parametrize("form", ["folder", "clone", "zip"])
def test_a_bake_is_the_same_from_a_folder_a_clone_and_a_zip(
    command_line: CommandLine, template: Path, tmp_path: Path, baked: Path, form: str
) -> None:
    source = replace(command_line, template=FORMS[form](template, tmp_path))
    inside = {**os.environ, "TMPDIR": str(tmp_path)}
    run(source.argv("--no-input"), cwd=tmp_path, env=inside)
    assert contents(tmp_path / "my-service") == contents(baked)


def as_folder(template: Path, target: Path) -> Path:
    """Return a copy of the template."""
    return shutil.copytree(template, target / "copy")


def as_clone(template: Path, target: Path) -> Path:
    """Return a Git clone of the template."""
    origin = as_folder(template, target)
    commit(origin)
    run(["git", "clone", "--quiet", origin, target / "clone"], cwd=target)
    return target / "clone"


def as_zip(template: Path, target: Path) -> Path:
    """Return the template as the .zip file that Git makes of it."""
    clone = as_clone(template, target)
    archive = target / "template.zip"
    run(["git", "archive", "--prefix=template/", f"--output={archive}", "HEAD"], cwd=clone)
    return archive


FORMS = {"folder": as_folder, "clone": as_clone, "zip": as_zip}
