"""tasks.hosts.compare: how inventories are read, and when the page is written."""

import json
from pathlib import Path

import pytest
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks.hosts import compare
from tasks.lib import project
from tasks.lib.environment import Environment
from tasks.lib.project import Project

from tests.tasks.conftest import Processes


def listed(**hosts: object) -> str:
    return json.dumps({"all": {"hosts": list(hosts)}, "_meta": {"hostvars": hosts}})


@pytest.fixture
def page(
    small: Project,
    environment: Environment,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    monkeypatch.setattr(project, "load", lambda: small)
    monkeypatch.setattr(compare, "interpreter", lambda _: environment.interpreter)
    monkeypatch.setattr(compare, "ensure", lambda *_: environment)
    (small.root / "deploy").unlink()
    folder = small.root / compare.INVENTORIES
    (folder / "group_vars").mkdir(parents=True)
    for name in ("few.yml", "many.ini", ".hidden"):
        (folder / name).touch()
    processes.answer("few.yml", listed(a={"zone": 1}))
    processes.answer("many.ini", listed(a={"zone": 2}, b={"zone": 2}))
    path = small.root / compare.PAGE
    path.parent.mkdir()
    path.write_text(f"# Mine\n{compare.MARK}old\n")
    return path


TABLE = """\
|  | few | many |
| --- | --- | --- |
| hosts | 1 | 2 |
| `zone` | `1` | `2` |
"""


def test_the_table_is_written_below_the_line(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare.compare(MockContext())
    assert page.read_text() == f"# Mine\n{compare.MARK}\n{TABLE}"
    assert "docs/environments.md is written\n  inventories  few, many\n" in capsys.readouterr().out
    compare.compare(MockContext(), check=True)
    assert "docs/environments.md is current" in capsys.readouterr().out


def test_a_check_changes_nothing(page: Path) -> None:
    before = page.read_text()
    with pytest.raises(Exit, match=r"is not current: run `invoke hosts.compare`"):
        compare.compare(MockContext(), check=True)
    assert page.read_text() == before


def test_a_page_without_its_line_is_left_alone(page: Path) -> None:
    page.write_text("# Mine\n")
    with pytest.raises(Exit, match="has no line '<!-- "):
        compare.compare(MockContext())


def test_an_inventory_that_cannot_be_read_is_one_line(page: Path, processes: Processes) -> None:
    processes.answer("few.yml", err="warning\n[ERROR]: no YAML\n", code=1)
    with pytest.raises(Exit, match=r"^error: deploy/inventory/few.yml cannot be read: no YAML$"):
        compare.compare(MockContext())


def test_an_inventory_without_hosts_is_named(page: Path, processes: Processes) -> None:
    processes.answer("few.yml", listed())
    with pytest.raises(Exit, match=r"^error: deploy/inventory/few.yml names no hosts$"):
        compare.compare(MockContext())
