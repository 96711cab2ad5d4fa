"""A release's units, as they are to be on this machine."""

import re
from collections.abc import Iterable
from pathlib import Path

from .disk import Disk
from .place import Place
from .release import Release
from .systemd import Systemd

_REPLACED = re.compile(r"(Exec\w+|Restart\w*|Type|TimeoutStartSec|RuntimeDirectory|WatchdogSec)=")
"""What the unit of a release that is being proved has values of its own for."""
_HIDDEN = {
    ("/home", "/root", "/run/user"): ("ProtectHome", "no"),
    ("/tmp", "/var/tmp"): ("PrivateTmp", "no"),  # noqa: S108  # nosec B108
}
"""Folders that a setting of the unit hides, which would hide the service itself."""


class Units:
    """The units of one installation."""

    def __init__(self, place: Place, disk: Disk, systemd: Systemd) -> None:
        self._place = place
        self._disk = disk
        self._systemd = systemd
        name = place.name
        self.service, self.socket = f"{name}.service", f"{name}.socket"
        self.next = f"{name}-next.service"
        """Runs a new release beside the active one during a switch."""
        self.guard = f"{name}-guard.service"
        """Runs before every start of the service, and undoes what was interrupted."""
        self.trial = f"{name}-trial.service"
        """Watches a new release during its trial."""

    def install(self, release: str) -> None:
        """Write a release's units where they differ, and let systemd know.

        Raises OSError, and SystemdError.
        """
        changed = False
        self._disk.folder(self._place.units, 0o755)
        for unit, text in self._texts(release).items():
            path = self._place.units / unit
            if self._disk.read(path) != text.encode():
                self._disk.write(path, text.encode(), 0o644)
                changed = True
        # A run killed right here has replaced the files and not told systemd.
        if changed or self._systemd.needs_reload(self.service, self.socket):
            self._systemd.reload()

    def are_installed(self) -> bool:
        """Return whether systemd has been given these units before."""
        return self._disk.exists(self._place.units / self.service)

    def same_socket(self, one: str, other: str) -> bool:
        """Return whether two releases want the same socket."""
        return bool(one and other) and self._part(one, "socket") == self._part(other, "socket")

    def write_next(self, release: Release, folder: str, settings: Path | None) -> None:
        """Write the unit that runs the release in `folder` beside the active one.

        It is the release's own service, with what operators have added to the active one; it reads
        its settings from the folder `settings` where one is given. Raises OSError, SystemdError.
        """
        text = self._next_text(release, folder)
        if settings:
            text = text.replace(f"{_percent(self._place.etc)}/", f"{_percent(settings)}/")
        self._disk.folder(self._place.transient_units, 0o755)
        self._disk.write(self._place.transient_units / self.next, text.encode(), 0o644)
        self._systemd.reload()

    def remove(self) -> None:
        """Remove the units. Raises OSError, and SystemdError."""
        for unit in (self.service, self.socket, self.guard, self.trial):
            self._disk.remove(self._place.units / unit)
        self._disk.remove(self._place.transient_units / self.next)
        self._systemd.reload()

    def other_prefix(self) -> Path | None:
        """Return the prefix of another installation that has units of these names."""
        text = (self._disk.read(self._place.units / self.service) or b"").decode(errors="replace")
        found = re.search(rf'^ExecStart="?(.*?)/opt/{self._place.name}/current/bin/', text, re.M)
        if not found:
            return None
        prefix = Path(found[1].replace("%%", "%") or "/")
        same = prefix == (self._place.prefix or Path("/"))
        there = self._disk.exists(prefix / "opt" / self._place.name / "current")
        return None if same or not there else prefix

    def _texts(self, release: str) -> dict[str, str]:
        return {
            self.socket: self._part(release, "socket"),
            self.service: self._service_text(release),
            self.guard: self._engine_text("undo an interrupted switch", "oneshot", "guard"),
            self.trial: self._engine_text("watch a release on trial", "exec", "watch")
            + "Restart=on-failure\nRestartSec=5\n",
        }

    def _part(self, release: str, kind: str) -> str:
        name = self._place.name
        file = self._place.releases / release / "host" / f"{name}.{kind}"
        return (self._disk.read(file) or b"").decode(errors="replace")

    def _service_text(self, release: str) -> str:
        text = self._part(release, "user.service" if self._place.of_user else "service")
        return in_place(text, self._place) if self._place.prefix else text

    def _engine_text(self, what: str, kind: str, command: str) -> str:
        name = self._place.name
        program = f'"{_percent(self._place.current)}/bin/{name}-admin"'
        return (
            f"# Written by {name}-admin, replaced at every upgrade.\n"
            f"[Unit]\nDescription={name}: {what}\nStartLimitIntervalSec=0\n"
            f"ConditionPathExists={_percent(self._place.engine)}/undoable\n\n"
            f"[Service]\nType={kind}\nExecStart={program} {command}\n"
        )

    def _next_text(self, release: Release, folder: str) -> str:
        lines = [*_of_service(self._service_text(folder)), *self._added()]
        commands = [line for line in lines if line.startswith("ExecStart=/") or
                    line.startswith('ExecStart="')]  # fmt: skip
        command = commands[-1].replace("/current/bin/", f"/releases/{folder}/bin/")
        kept = [line for line in lines if not _REPLACED.match(line)]
        name = self._place.name
        own = [
            "Type=notify",
            f"Sockets={self.socket}",
            f"{command} --hold",
            "Restart=no",
            f"TimeoutStartSec={release.health_seconds}",
            f"RuntimeDirectory={self.next.removesuffix('.service')}",
            # Nobody may be there to stop it, should whoever started it be killed.
            "RuntimeMaxSec=3600",
        ]
        unit = [f"# Written by {name}-admin for the time of a switch.", "[Unit]",
                f"Description={name}: the release that is to be the next one",
                f"After={self.socket}", "", "[Service]"]  # fmt: skip
        return "\n".join([*unit, *kept, *own]) + "\n"

    def _added(self) -> Iterable[str]:
        """Yield the lines of the drop-ins with which operators have changed the service."""
        for path in self._systemd.property(self.service, "DropInPaths").split():
            content = self._disk.read(Path(path)) or b""
            yield from _of_service(content.decode(errors="replace"))


def in_place(text: str, place: Place) -> str:
    """Return a service's unit with its paths below the prefix of `place`."""
    below, name = _percent(place.prefix or Path("/")), place.name
    changes = {
        r"^(Exec\w+=)(/opt/\S*)": rf'\1"{_escaped(below)}\2"',
        r"^(EnvironmentFile=-)": rf"\1{_escaped(below)}",
        r"^StateDirectory=(.*)": rf'Environment="STATE_DIRECTORY={_escaped(below)}/var/lib/\1"',
        r"^StateDirectoryMode=.*": f'ReadWritePaths="{_escaped(below)}/var/lib/{name}"',
    }
    for folders, (key, value) in _HIDDEN.items():
        if any(place.base.is_relative_to(folder) for folder in folders):
            changes[rf"^{key}=.*"] = f"{key}={value}"
    for pattern, replacement in changes.items():
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


def _of_service(text: str) -> list[str]:
    """Return the lines of a unit's [Service] section without comments."""
    section, lines = "", []
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[Service]" and line.strip() and line[0] not in "#;":
            lines.append(line)
    return lines


def _percent(path: Path) -> str:
    """Return a path as it stands in a unit, where `%` begins a specifier."""
    return str(path).replace("%", "%%")


def _escaped(text: str) -> str:
    """Return a text as it stands in the replacement of re.sub()."""
    return text.replace("\\", r"\\")
