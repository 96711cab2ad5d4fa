"""The units that the engine writes."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from host.disk import Disk
from host.place import Place
from host.release import KINDS, Release
from host.systemd import Systemd
from host.units import Units, in_place

UNIT = Path(__file__).parents[2] / "{{cookiecutter.project}}/deploy/units/service.in"
WORKER = UNIT.parents[2] / "kinds/worker/deploy/units"
RELEASE = Release("demo", "2", "2-abc", "2", "demo", 1, "x86_64", "none", health_seconds=7)


@dataclass
class Asked(Systemd):
    """A systemd that has drop-ins, and counts its reloads."""

    drop_ins: list[Path] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def reload(self) -> None:
        self.asked.append("reload")

    def property(self, unit: str, name: str) -> str:
        return " ".join(map(str, self.drop_ins)) if name == "DropInPaths" else ""


class Below(Place):
    """A place whose units lie below its prefix too."""

    @property
    def units(self) -> Path:
        return self.home / "units"

    @property
    def transient_units(self) -> Path:
        return self.home / "transient"

    @property
    def of_user(self) -> bool:
        return False


def text(name: str = "demo", unit: Path = UNIT) -> str:
    template = unit.read_text(encoding="utf-8")
    for token, value in (("name", name), ("user", name), ("prefix", "DEMO_")):
        template = template.replace(f"@{token}@", value)
    return template


@pytest.fixture
def units(tmp_path: Path) -> Units:
    place = Below("demo", tmp_path / "a b%c", os.geteuid(), tmp_path)
    host = place.releases / "2/host"
    host.mkdir(parents=True)
    (host / "demo.service").write_text(text(), encoding="utf-8")
    (host / "demo.socket").write_text("[Socket]\nListenStream=127.0.0.1:8000\n", encoding="utf-8")
    return Units(place, Disk(), Asked())


def service_lines(unit: str) -> list[str]:
    lines = unit.partition("[Service]")[2].splitlines()
    return [line for line in lines if line and line[0] not in "#["]


def test_paths_are_those_below_the_prefix(tmp_path: Path) -> None:
    place = Place("demo", Path("/srv/a b%c"), 0, tmp_path)
    lines = in_place(text(), place).splitlines()
    assert 'ExecStart="/srv/a b%%c/opt/demo/current/bin/demo" serve' in lines
    assert "EnvironmentFile=-/srv/a b%%c/etc/demo/demo.env" in lines
    assert 'Environment="STATE_DIRECTORY=/srv/a b%%c/var/lib/demo"' in lines
    assert 'ReadWritePaths="/srv/a b%%c/var/lib/demo"' in lines
    assert "ProtectHome=yes" in lines


@pytest.mark.parametrize(
    ("prefix", "shown"),
    [("/home/ann/x", "ProtectHome=no"), ("/root/x", "ProtectHome=no"), ("/tmp/x", "PrivateTmp=no")],
)
def test_what_would_hide_the_service_is_off(prefix: str, shown: str, tmp_path: Path) -> None:
    lines = in_place(text(), Place("demo", Path(prefix), 0, tmp_path)).splitlines()
    assert shown in lines


def test_units_are_written_once(units: Units, tmp_path: Path) -> None:
    systemd = units._systemd
    assert isinstance(systemd, Asked)
    units.install("2")
    units.install("2")
    assert systemd.asked == ["reload"]
    assert sorted(path.name for path in (tmp_path / "units").iterdir()) == [
        "demo-guard.service", "demo-trial.service", "demo.service", "demo.socket",
    ]  # fmt: skip
    units.remove()
    assert not list((tmp_path / "units").iterdir())


def test_a_worker_has_no_socket(units: Units, tmp_path: Path) -> None:
    host = units._place.releases / "2/host"
    (host / "demo.socket").unlink()
    (host / "demo.service").write_text(text(unit=WORKER / "service.in"), encoding="utf-8")
    worker = Units(units._place, Disk(), Asked(), KINDS["worker"])
    worker.install("2")
    worker.write_next(RELEASE, "2", None)
    assert worker.same_socket("2", "2")
    made = [*(tmp_path / "units").iterdir(), *(tmp_path / "transient").iterdir()]
    assert sorted(path.name for path in made) == [
        "demo-guard.service", "demo-next.service", "demo-trial.service", "demo.service",
    ]  # fmt: skip
    for path in made:
        assert ".socket" not in path.read_text(encoding="utf-8")
    assert worker.enabled == ("demo.service",)


@pytest.mark.parametrize("name", ["service.in", "user.service.in"])
def test_a_worker_is_confined_as_a_service_is(name: str) -> None:
    about_callers = {"NonBlocking=yes", "LimitNOFILE=65536"}
    service, worker = (
        set(service_lines(text(unit=folder / name))) for folder in (UNIT.parent, WORKER)
    )
    assert service - worker == about_callers
    assert worker <= service


def test_next_runs_the_new_release_held(units: Units, tmp_path: Path) -> None:
    units.write_next(RELEASE, "2", None)
    lines = service_lines((tmp_path / "transient/demo-next.service").read_text(encoding="utf-8"))
    starts = [line for line in lines if line.startswith("Exec")]
    assert starts == [
        f'ExecStart="{tmp_path}/a b%%c/opt/demo/releases/2/bin/demo" serve --hold',
    ]  # fmt: skip
    for line in ("Type=notify", "Sockets=demo.socket", "Restart=no", "TimeoutStartSec=7",
                 "RuntimeDirectory=demo-next", "User=demo", "NoNewPrivileges=yes"):  # fmt: skip
        assert line in lines
    assert not [line for line in lines if line.startswith(("WatchdogSec", "RestartSec"))]
    assert len([line for line in lines if line.startswith("RuntimeDirectory=")]) == 1


def test_the_hook_runs_with_what_the_service_has(units: Units, tmp_path: Path) -> None:
    facts = replace(RELEASE, before_switch_seconds=90)
    units.write_before(facts, "2", tmp_path / "a b%c/etc/demo/.switch/next")
    lines = service_lines((tmp_path / "transient/demo-before.service").read_text(encoding="utf-8"))
    assert [line for line in lines if line.startswith("Exec")] == [
        f'ExecStart="{tmp_path}/a b%%c/opt/demo/releases/2/bin/demo" before-switch',
    ]  # fmt: skip
    read = f"EnvironmentFile=-{tmp_path}/a b%%c/etc/demo/.switch/next/secrets.env"
    for line in ("Type=oneshot", "TimeoutStartSec=90", "User=demo", "NoNewPrivileges=yes", read):
        assert line in lines
    assert not [line for line in lines if line.startswith(("WatchdogSec", "Restart", "Sockets"))]
    units.remove()
    assert not list((tmp_path / "transient").iterdir())


def test_next_has_what_operators_have_added(units: Units, tmp_path: Path) -> None:
    systemd = units._systemd
    assert isinstance(systemd, Asked)
    systemd.drop_ins = [tmp_path / "limits.conf", tmp_path / "missing.conf"]
    (tmp_path / "limits.conf").write_text(
        "[Unit]\nDescription=no\n[Service]\nMemoryMax=1G\nExecStart=\n"
        f"ExecStart={tmp_path}/opt/demo/current/bin/demo serve --workers 2\n",
        encoding="utf-8",
    )
    units.write_next(RELEASE, "2", None)
    unit = (tmp_path / "transient/demo-next.service").read_text(encoding="utf-8")
    assert "MemoryMax=1G" in service_lines(unit)
    assert f"ExecStart={tmp_path}/opt/demo/releases/2/bin/demo serve --workers 2 --hold" in unit
    assert "Description=no" not in unit


def test_next_reads_the_settings_that_are_to_come(units: Units, tmp_path: Path) -> None:
    units.write_next(RELEASE, "2", tmp_path / "a b%c/etc/demo/.switch/next")
    lines = service_lines((tmp_path / "transient/demo-next.service").read_text(encoding="utf-8"))
    read = [line for line in lines if line.startswith("EnvironmentFile=")]
    assert read == [
        f"EnvironmentFile=-{tmp_path}/a b%%c/etc/demo/.switch/next/{name}"
        for name in ("demo.env", "secrets.env")
    ]


def test_another_installation_of_that_name_is_found(units: Units, tmp_path: Path) -> None:
    assert units.other_prefix() is None
    units.install("2")
    assert units.other_prefix() is None
    other = Below("demo", tmp_path / "other", os.geteuid(), tmp_path)
    assert Units(other, Disk(), Asked()).other_prefix() is None, "it is gone"
    (tmp_path / "a b%c/opt/demo/current").symlink_to("releases/2")
    assert Units(other, Disk(), Asked()).other_prefix() == tmp_path / "a b%c"


@pytest.mark.parametrize(
    ("socket", "same"),
    [
        ("# A comment\n[Socket]\n\nListenStream=127.0.0.1:8000\n", True),
        ("[Socket]\nListenStream=127.0.0.1:8001\n", False),
        ("", False),
    ],
)
def test_a_comment_does_not_open_the_socket_anew(
    units: Units, tmp_path: Path, socket: str, same: bool
) -> None:
    other = tmp_path / "a b%c/opt/demo/releases/3/host"
    other.mkdir(parents=True)
    (other / "demo.socket").write_text(socket, encoding="utf-8")
    assert units.same_socket("2", "3") is same
    assert not units.same_socket("", "3")
