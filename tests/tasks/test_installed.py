"""tasks.dependencies.installed: licences and the tree of what is installed."""

from pathlib import Path

import pytest
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks import deps
from tasks.dependencies import installed
from tasks.lib import project
from tasks.lib.console import TaskError
from tasks.lib.environment import Environment
from tasks.lib.project import Project

GRAPH = {"a": ["b", "c"], "b": ["c"], "c": ["a"], "d": []}


def put(site: Path, name: str, *lines: str) -> None:
    """Write the metadata of an installed package."""
    folder = site / f"{name}-8.1.dist-info"
    folder.mkdir(parents=True)
    head = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 8.1", *lines]
    (folder / "METADATA").write_text("\n".join(head) + "\n")


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        (("License-Expression: MIT OR Apache-2.0", "License: other"), "MIT OR Apache-2.0"),
        (("Classifier: License :: OSI Approved :: MIT License",), "MIT License"),
        (("Classifier: Topic :: X", "License: BSD"), "BSD"),
        ((f"License: {'x' * 100}",), "x" * 60),
        ((), "unknown"),
    ],
)
def test_a_licence(environment: Environment, lines: tuple[str, ...], licence: str) -> None:
    put(environment.site, "Click", *lines)
    assert installed.licences(environment) == {"click": ("8.1", licence if lines else "unknown")}


def test_who_needs_whom(small: Project, environment: Environment) -> None:
    needs = ("Requires-Dist: h11>=1", "Requires-Dist: colorama; os_name == 'nt'",
             "Requires-Dist: none")  # fmt: skip
    put(environment.site, "click", *needs)
    put(environment.site, "h11")
    put(environment.site, "colorama")
    found = installed.graph(small, environment, "packages")
    assert found == {"click": ["h11"], "colorama": [], "h11": []}
    assert installed.roots(small, "packages", found) == ["click"]


def test_a_tree_ends_where_it_was_before() -> None:
    versions = dict.fromkeys("abcd", "1")
    assert list(installed.tree(GRAPH, ["a", "d"], versions)) == [
        "a 1", "  b 1", "    c 1", "      a 1 (above)", "  c 1 (above)", "d 1",
    ]  # fmt: skip


def test_the_other_way_round() -> None:
    turned = installed.reversed_graph(GRAPH, "c")
    assert turned == {"a": ["c"], "b": ["a"], "c": ["a", "b"], "d": []}
    with pytest.raises(TaskError, match=r"^--to is 'x': expected one of a, b, c, d$"):
        installed.reversed_graph(GRAPH, "x")


def test_the_tasks_print_them(
    small: Project,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(environment.site, "click", "License-Expression: MIT", "Requires-Dist: h11")
    put(environment.site, "h11", "License-Expression: MIT")
    monkeypatch.setattr(project, "load", lambda: small)
    monkeypatch.setattr(deps, "interpreter", lambda _: environment.interpreter)
    monkeypatch.setattr(deps, "ensure", lambda *_: environment)
    deps.list_licences(MockContext())
    assert capsys.readouterr().out.split("\n\n")[1] == "2 packages of 'packages'\n  MIT  2\n"
    deps.tree(MockContext())
    assert capsys.readouterr().out == "  click 8.1\n    h11 8.1\n"
    deps.tree(MockContext(), to="H11")
    assert capsys.readouterr().out == "  h11 8.1\n    click 8.1\n"
    with pytest.raises(Exit, match=r"^error: --to is 'x': expected one of click, h11$"):
        deps.tree(MockContext(), to="x")
