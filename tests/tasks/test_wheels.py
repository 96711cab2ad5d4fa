"""tasks.deploy.offline_source.wheels: what pip is asked for, and what its failures mean."""

import hashlib
import json
from pathlib import Path

import pytest
from tasks.deploy.offline_source import wheels
from tasks.lib.console import TaskError
from tasks.lib.environment import Environment

from tests.tasks.conftest import Processes

PINNED = "numpy[x]==2.1 ; python_version < '4' --hash=sha256:ab\nclick==8.1 --hash=sha256:cd\n"


def test_wheels_for_this_machine(
    environment: Environment, processes: Processes, tmp_path: Path
) -> None:
    listed: list[str] = []
    processes.answer("-m pip wheel", does=lambda argv: listed.append(Path(argv[-1]).read_text()))
    wheels.native(environment, PINNED, tmp_path / "PyPI", "linux-x86_64")
    assert listed == [PINNED]
    command = processes.ran("-m pip wheel")
    assert command[command.index("--wheel-dir") + 1] == str(tmp_path / "PyPI")
    assert "--require-hashes" in command


def test_wheels_for_another_machine(
    environment: Environment, processes: Processes, tmp_path: Path
) -> None:
    listed: list[str] = []
    processes.answer("markers.py", "click==8.1 --hash=sha256:cd\n")
    processes.answer("-m pip download", does=lambda a: listed.append(Path(a[-1]).read_text()))
    wheels.foreign(environment, PINNED, tmp_path / "PyPI", "linux-aarch64", version="3.13.5")
    assert listed == ["click==8.1 --hash=sha256:cd\n"], "markers are judged for the target"
    values = json.loads(processes.ran("markers.py")[-1])
    assert (values["platform_machine"], values["python_version"]) == ("aarch64", "3.13")
    command = processes.ran("-m pip download")
    assert {"--only-binary=:all:", "--abi=cp313", "--platform=manylinux_2_17_aarch64"} <= {*command}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "ERROR: No matching distribution found for numpy[x]==2.1",
            "numpy 2.1 cannot be bundled: there is no file of it for linux-x86_64",
        ),
        (
            "ERROR: Failed to build 'click' when getting",
            "click 8.1 cannot be bundled: it comes as source alone, which cannot be built here",
        ),
        (
            "THESE PACKAGES\n    other from https://x:\n        Expected sha256 aa",
            "other cannot be bundled: what came is not what the lock says",
        ),
        (
            "ERROR: first\nERROR: no network",
            "pip cannot get the dependencies: ERROR: no network",
        ),
    ],
)
def test_why_a_dependency_cannot_be_had(
    environment: Environment, processes: Processes, tmp_path: Path, said: str, expected: str
) -> None:
    processes.answer("-m pip wheel", err=said, code=1)
    with pytest.raises(TaskError) as refused:
        wheels.native(environment, PINNED, tmp_path / "PyPI", "linux-x86_64")
    assert str(refused.value) == expected


def test_what_was_built_here_is_told(tmp_path: Path) -> None:
    (tmp_path / "Zope_Event-5.0-py3-none-any.whl").write_bytes(b"fetched")
    (tmp_path / "made-1.0-cp313-cp313-linux_x86_64.whl").write_bytes(b"made")
    fetched, made = (hashlib.sha256(text).hexdigest() for text in (b"fetched", b"made"))
    told = wheels.write_requirements(tmp_path, f"zope-event==5.0 --hash=sha256:{fetched}\n")
    assert told == {"made-1.0-cp313-cp313-linux_x86_64.whl": made}
    assert (tmp_path / "requirements.txt").read_text() == (
        f"zope-event==5.0 --hash=sha256:{fetched}\nmade==1.0 --hash=sha256:{made}\n"
    )
