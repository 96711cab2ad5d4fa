"""One installation on this machine, with the parts of the engine that work on it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import release
from .clock import Clock
from .disk import Disk
from .history import History
from .place import Place, user_name
from .programs import Programs
from .release import FACTS, KINDS, SUMS, Kind, Release
from .settings import Settings
from .state import States
from .systemd import Systemd
from .units import Units


@dataclass(frozen=True)
class Installation:
    """The project on this machine. Tests replace some of the parts."""

    place: Place
    disk: Disk
    systemd: Systemd
    programs: Programs
    clock: Clock
    units: Units
    settings: Settings
    states: States
    history: History
    say: Callable[[str], None]
    kind: Kind = KINDS["service"]
    """What kind of program it is."""

    @property
    def active(self) -> str:
        """The release that `current` points to; empty if nothing is installed."""
        return Path(self.disk.target(self.place.current)).name

    @property
    def address(self) -> str:
        """The URL at which callers on this machine reach the service; empty if there is none."""
        if not self.units.socket:
            return ""
        listen = self.systemd.property(self.units.socket, "Listen")
        address = listen.partition(" (Stream)")[0].rpartition(" ")[2]
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            return ""
        everywhere = {"0.0.0.0", "[::]"}  # noqa: S104  # nosec B104 (it is compared with)
        return f"http://{'127.0.0.1' if host in everywhere else host}:{port}"

    @property
    def own_socket(self) -> str:
        """The URL of the service's health socket."""
        return f"unix:{self.place.health_socket(self.units.service)}"

    @property
    def restarts(self) -> int:
        """How often systemd has restarted the service by itself since anyone last started it."""
        unit = self.units.service
        counted = self.systemd.property(unit, "NRestarts") if self.systemd.runs() else ""
        return int(counted) if counted.isdigit() else 0

    def has(self, name: str) -> bool:
        """Return whether a release of that name, with its checksums, is installed."""
        plain = name and not name.startswith(".") and "/" not in name
        return bool(plain) and self.disk.exists(self.place.releases / name / SUMS)

    def releases(self) -> list[str]:
        """Return the names of the installed releases."""
        return [name for name in self.disk.names(self.place.releases) if self.has(name)]

    def facts(self, name: str) -> Release:
        """Return the facts of an installed release. Raises HostError."""
        tree = self.place.releases / name
        return release.parse(self.disk.read(tree / FACTS), tree)

    def asked_at(self, name: str) -> str:
        """Return where to ask a release if it is ready: as its callers do, if it tells them.

        Raises HostError.
        """
        address = self.address
        return address if address and self.facts(name).answers_callers else self.own_socket

    def no_service(self) -> str:
        """Return why no service runs on this machine."""
        if not self.kind.has_service:
            return "it is a command"
        if self.place.of_user:
            return f"there is no systemd of the user {user_name(self.place.uid)} here"
        return "there is no systemd here"


def of(place: Place, kind: Kind, say: Callable[[str], None]) -> Installation:
    """Return the real installation of a program of a kind at a place."""
    disk, systemd = Disk(), Systemd(place, needed=kind.has_service)
    return Installation(
        place=place,
        disk=disk,
        systemd=systemd,
        programs=Programs(place),
        clock=Clock(),
        units=Units(place, disk, systemd, kind),
        settings=Settings(place, disk),
        states=States(place.engine, disk),
        history=History(place.engine, disk),
        say=say,
        kind=kind,
    )
