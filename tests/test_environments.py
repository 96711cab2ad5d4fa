"""tasks.hosts.compare: the table of what differs between the inventories."""

import shutil
import sys
from pathlib import Path

import pytest
from tasks.hosts.compare import PAGE, table

from tests.conftest import Bake
from tests.support import offered_here, run

COMPARE = (sys.executable, "-m", "invoke", "hosts.compare")


@pytest.fixture(scope="module")
def equipped(bake: Bake) -> Path:
    """Return a project as baked, in which only the environment of Ansible is made."""
    folder = bake(python_version=offered_here())
    run([*COMPARE, "--check"], cwd=folder)  # the page of every project is current
    return folder


@pytest.fixture
def folder(equipped: Path, tmp_path: Path) -> Path:
    """Return a copy of that project."""
    return shutil.copytree(equipped, tmp_path / "project", symlinks=True)


def test_a_changed_inventory_is_noticed_and_written(folder: Path) -> None:
    page, inventory = folder / PAGE, folder / "deploy/inventory/staging.yml"
    inventory.write_text(inventory.read_text().replace("LOG_LEVEL: debug", "LOG_LEVEL: error"))
    before = page.read_text()
    done = run([*COMPARE, "--check"], cwd=folder, code=1)
    assert done.stderr == f"error: {PAGE} is not current: run `invoke hosts.compare`\n"
    assert page.read_text() == before
    run(COMPARE, cwd=folder)
    written = before.replace("| `debug` | `debug` |", "| `debug` | `error` |")
    assert page.read_text() == written != before
    run([*COMPARE, "--check"], cwd=folder)


def test_what_is_encrypted_is_named_and_not_shown_and_no_password_is_asked(folder: Path) -> None:
    with (folder / "deploy/inventory/production.yml").open("a") as file:
        file.write("    deploy_plain: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      31323334\n")
    run(COMPARE, cwd=folder)
    page = (folder / PAGE).read_text()
    assert "| `deploy_plain` |  |  |  | secret |\n" in page
    assert "31323334" not in page


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("all:\n  hosts:\n", "names no hosts"),
        ("all: [\n", "cannot be read: "),
    ],
)
def test_an_inventory_that_is_none_is_one_line(folder: Path, text: str, words: str) -> None:
    (folder / "deploy/inventory/wrong.yml").write_text(text)
    done = run(COMPARE, cwd=folder, code=1)
    assert done.stderr.startswith(f"error: deploy/inventory/wrong.yml {words}")
    assert len(done.stderr.splitlines()) == 1


def test_a_page_without_its_line_is_left_alone(folder: Path) -> None:
    (folder / PAGE).write_text("# Mine\n")
    done = run(COMPARE, cwd=folder, code=1)
    assert done.stderr.startswith(f"error: {PAGE} has no line '<!-- ")
    assert (folder / PAGE).read_text() == "# Mine\n"


def test_only_what_differs_the_smallest_inventory_first() -> None:
    many = {name: {"same": 1, "other": 2, "own": name} for name in "xy"}
    few = {"z": {"same": 1, "other": [3], "own": "z", "group": {"a|b": "x"}}}
    assert table({"many": many, "few": few}) == (
        "|  | few | many |\n"
        "| --- | --- | --- |\n"
        "| hosts | 1 | 2 |\n"
        "| `group.a\\|b` | `x` |  |\n"
        "| `other` | `[3]` | `2` |\n"
        "| `own` | `z` | by host |\n"
    )


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("deploy_settings", {"API_TOKEN": "12"}, "secret"),
        ("deploy_secrets", {"DSN": "12"}, "secret"),
        ("ansible_become_password", "12", "secret"),
        ("deploy_users", [{"name": "x", "password": "12"}], "secret"),
        ("deploy_proxy", "http://me:12@proxy.example.com", "secret"),
        ("deploy_proxy", "http://proxy.example.com", "`http://proxy.example.com`"),
        ("deploy_zone", "{{ lookup('env', 'TZ') }}", "computed"),
        ("deploy_text", "a|b\nc", "`a\\|b c`"),
    ],
)
def test_how_a_value_is_shown(name: str, value: object, shown: str) -> None:
    [*_, line] = table({"a": {"h": {}}, "b": {"h": {name: value}}}).splitlines()
    assert line.endswith(f" |  | {shown} |")
