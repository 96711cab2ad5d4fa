"""tasks.deploy.offline_source.relocate and .additions: an interpreter for any machine."""

import json
import shutil
from pathlib import Path

import pytest
from tasks.deploy.offline_source import additions, relocate
from tasks.deploy.offline_source.carried_python import CarriedPython
from tasks.lib.console import TaskError
from tasks.lib.environment import Environment

from tests.support import tree as names
from tests.tasks.conftest import Processes


@pytest.fixture
def home(tmp_path: Path) -> CarriedPython:
    return CarriedPython(tmp_path / "home", "3.13")


def test_where_things_lie(home: CarriedPython) -> None:
    lie = (home.python, home.stdlib, home.site, home.glibc)
    assert [path.relative_to(home.folder).as_posix() for path in lie] == [
        "bin/python3",
        "lib/python3.13",
        "lib/python3.13/site-packages",
        "lib/glibc",
    ]


@pytest.fixture
def installed(tmp_path: Path, processes: Processes) -> Path:
    """Return the folder of an interpreter that is installed on this machine."""
    folder = tmp_path / "usr"
    stdlib = folder / "lib/python3.13"
    for path in ("json.py", "test/big.py", "__pycache__/json.pyc", "lib-dynload/_ssl.so"):
        (stdlib / path).parent.mkdir(parents=True, exist_ok=True)
        (stdlib / path).write_text("x")
    (stdlib / "_sysconfigdata_x.py").write_text(f"prefix = '{folder}'\nother = '/usr'\n")
    (folder / "bin").mkdir()
    (folder / "bin/python3.13").write_text("elf")
    (folder / "lib/libssl.so.3").write_text("library")
    facts = {
        "executable": str(folder / "bin/python3.13"),
        "stdlib": str(stdlib),
        "extensions": str(stdlib / "lib-dynload"),
        "folders": ["/usr", str(folder), None],
    }
    processes.answer("import json, os, sys", json.dumps(facts))
    said = f"\tlibssl.so.3 => {folder}/lib/libssl.so.3 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n"
    processes.answer("_ssl.so", "")
    processes.answer("ldd", said)
    return folder


def test_an_installed_one_is_made_relocatable(
    installed: Path, home: CarriedPython, environment: Environment, processes: Processes
) -> None:
    taken = relocate.from_installed(installed / "bin/python3.13", home, environment)
    assert taken == [installed / "lib/libssl.so.3"], "glibc stays the machine's"
    found = names(home.folder)
    assert {"bin/python3.13", "lib/libssl.so.3", "lib/python3.13/lib-dynload/_ssl.so"} <= found
    assert not {"lib/python3.13/test", "lib/python3.13/__pycache__"} & found
    assert (
        home.stdlib / "_sysconfigdata_x.py"
    ).read_text() == "prefix = '/python'\nother = '/usr'\n"
    assert processes.ran("--set-rpath $ORIGIN/../lib ")[-1].endswith("bin/python3.13")
    assert processes.ran("--set-rpath $ORIGIN/../.. ")[-1].endswith("_ssl.so")


def test_a_python_that_looks_elsewhere_is_told_where_packages_are(
    installed: Path, home: CarriedPython, environment: Environment, processes: Processes
) -> None:
    processes.answer("print(sys.path)", "['dist-packages']")
    relocate.from_installed(installed / "bin/python3.13", home, environment)
    assert "site-packages" in (home.stdlib / "sitecustomize.py").read_text()
    shutil.rmtree(home.folder)
    processes.answer("print(sys.path)", str([str(home.site)]))
    relocate.from_installed(installed / "bin/python3.13", home, environment)
    assert not (home.stdlib / "sitecustomize.py").exists()


def test_extensions_may_lie_elsewhere(
    installed: Path, home: CarriedPython, environment: Environment, processes: Processes
) -> None:
    stdlib = installed / "lib/python3.13"
    shutil.move(stdlib / "lib-dynload", installed / "extensions")
    facts = {
        "executable": str(installed / "bin/python3.13"),
        "stdlib": str(stdlib),
        "extensions": str(installed / "extensions"),
        "folders": [],
    }
    processes.answer("import json, os, sys", json.dumps(facts))
    relocate.from_installed(installed / "bin/python3.13", home, environment)
    assert (home.stdlib / "lib-dynload/_ssl.so").exists()


def test_a_standalone_one_is_copied_without_what_no_service_needs(
    tmp_path: Path, home: CarriedPython
) -> None:
    folder = tmp_path / "standalone"
    for path in ("lib/python3.13/json.py", "lib/python3.13/test/x.py", "bin/python3.13"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    (folder / "lib/libpython3.13.so.1.0").touch()
    (folder / "lib/libpython3.13.so").symlink_to("libpython3.13.so.1.0")
    relocate.from_standalone(folder, home)
    found = names(home.folder)
    assert {"lib/libpython3.13.so.1.0", "lib/python3.13/json.py", "bin/python3.13"} <= found
    assert not {"lib/python3.13/test", "lib/libpython3.13.so"} & found


def test_libraries_that_are_inside_are_there_already(
    installed: Path, home: CarriedPython, environment: Environment
) -> None:
    (home.folder / "lib").mkdir(parents=True)
    files = [Path("x")]
    assert relocate.add_libraries(files, home, environment, inside=installed) == []
    assert relocate.add_libraries(files, home, environment) == [installed / "lib/libssl.so.3"]
    assert relocate.add_libraries(files, home, environment) == [], "it is there now"


def test_tools_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TaskError, match=r"^making an interpreter relocatable needs ldd, strip: in"):
        relocate.require_tools()


def test_a_bare_machine_gets_certificates_zones_and_terminals(
    tmp_path: Path,
    home: CarriedPython,
    environment: Environment,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = tmp_path / "site-packages"
    for path in ("certifi/cacert.pem", "tzdata/zoneinfo/UTC", "tzdata/zoneinfo/__init__.py"):
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text("x")
    (tmp_path / "second/x").mkdir(parents=True)
    (tmp_path / "second/x/xterm").touch()
    monkeypatch.setattr(additions, "_TERMINFO", (tmp_path / "first", tmp_path / "second"))
    processes.answer("certifi.where", f"{site}/certifi/cacert.pem\n")
    home.folder.mkdir()
    additions.add_data(home, environment)
    files = {name for name in names(home.folder) if (home.folder / name).is_file()}
    assert files == {
        "share/certificates.pem",
        "share/zoneinfo/UTC",
        "share/terminfo/x/xterm",
    }


@pytest.fixture
def machine(tmp_path: Path, home: CarriedPython, processes: Processes) -> Path:
    """Return the folder of this machine's glibc."""
    lib = tmp_path / "machine"
    lib.mkdir()
    for name in ("libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"):
        (lib / name).touch()
    (home.folder / "lib").mkdir(parents=True)
    processes.answer(
        "ldd", f"\tlibc.so.6 => {lib}/libc.so.6 (0x1)\n\t{lib}/ld-linux-x86-64.so.2 (0x2)\n"
    )
    return lib


def test_glibc_is_carried_for_older_machines(
    machine: Path, home: CarriedPython, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    processes.answer("getconf", "glibc 2.36\n")
    assert additions.add_glibc(home) == [
        machine / name for name in ("ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6")
    ]
    assert names(home.glibc) == {"ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6"}


def test_a_glibc_that_cannot_be_carried_is_left(
    machine: Path, home: CarriedPython, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    processes.answer("getconf", "glibc 2.31\n")
    assert additions.add_glibc(home) == []
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert additions.add_glibc(home) == []
    assert not home.glibc.exists()
