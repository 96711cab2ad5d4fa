"""Write and remove a release's systemd units, adapted to this machine."""

import re
from collections.abc import Iterable
from pathlib import Path

from .disk import Disk
from .place import Place
from .release import KINDS, Kind, Release
from .systemd import Systemd

_REPLACED = re.compile(r"(Exec\w+|Restart\w*|Type|TimeoutStartSec|RuntimeDirectory|WatchdogSec)=")
"""The keys for which the units for the time of a switch have their own values."""
_HIDDEN = {
    ("/home", "/root", "/run/user"): ("ProtectHome", "no"),
    ("/tmp", "/var/tmp"): ("PrivateTmp", "no"),  # noqa: S108  # nosec B108
}
"""Folders that a key of the unit hides, and that key's value for an installation below them."""


class Units:
    """The units of one installation."""

    def __init__(
        self, place: Place, disk: Disk, systemd: Systemd, kind: Kind = KINDS["service"]
    ) -> None:
        self._place = place
        self._disk = disk
        self._systemd = systemd
        name = place.name
        self.service = f"{name}.service"
        self.socket = f"{name}.socket" if kind.has_socket else ""
        """Holds the socket of a service; empty for a program without callers."""
        self.enabled = (self.service, self.socket) if self.socket else (self.service,)
        """The units that systemd starts at boot."""
        self.next = f"{name}-next.service"
        """Runs a new release beside the active one during a switch."""
        self.before = f"{name}-before.service"
        """Runs the hook of a new release that prepares the data for it, before the switch."""
        self.guard = f"{name}-guard.service"
        """Runs before every start of the service, and undoes an interrupted switch."""
        self.trial = f"{name}-trial.service"
        """Watches a new release during its trial."""

    def install(self, release: str) -> None:
        """Write those units of a release that differ, and make systemd read them again.

        Raises OSError, and SystemdError.
        """
        changed = False
        self._disk.folder(self._place.units, 0o755)
        for unit, text in self._texts(release).items():
            path = self._place.units / unit
            if self._disk.read(path) != text.encode():
                self._disk.write(path, text.encode(), 0o644)
                changed = True
        # A run that was killed here has replaced the files without a reload.
        if changed or self._systemd.needs_reload(*self.enabled):
            self._systemd.reload()

    def are_installed(self) -> bool:
        """Return whether the service's unit was installed before."""
        return self._disk.exists(self._place.units / self.service)

    def same_socket(self, one: str, other: str) -> bool:
        """Return whether two releases listen in the same way, or both not at all.

        Comments make no difference.
        """
        return bool(one and other) and self._listening(one) == self._listening(other)

    def write_next(self, release: Release, folder: str, settings: Path | None) -> None:
        """Write the unit that runs the release in `folder` beside the active one.

        It combines the release's own service unit with the operators' drop-ins. It reads its
        settings from the folder `settings`, if one is given. Raises OSError, SystemdError.
        """
        lines = self._lines(folder)
        commands = [line for line in lines if line.startswith("ExecStart=/") or
                    line.startswith('ExecStart="')]  # fmt: skip
        command = commands[-1].replace("/current/bin/", f"/releases/{folder}/bin/")
        own = [
            *([f"After={self.socket}"] if self.socket else []),
            "",
            "[Service]",
            *_kept(lines),
            "Type=notify",
            *([f"Sockets={self.socket}"] if self.socket else []),
            f"{command} --hold",
            "Restart=no",
            f"TimeoutStartSec={release.health_seconds}",
            f"RuntimeDirectory={self.next.removesuffix('.service')}",
            # Nothing else may stop it if the run that started it is killed.
            "RuntimeMaxSec=3600",
        ]
        self._write_transient(self.next, "the release that is to be the next one", own, settings)

    def write_before(self, release: Release, folder: str, settings: Path | None) -> None:
        """Write the unit that runs the hook of the release in `folder`.

        The hook may do what the service may; the settings are as in `write_next`. Raises OSError,
        SystemdError.
        """
        program = f"{_percent(self._place.releases / folder)}/bin/{self._place.name}"
        own = [
            "",
            "[Service]",
            *self.kept(folder),
            "Type=oneshot",
            f'ExecStart="{program}" before-switch',
            f"TimeoutStartSec={release.before_switch_seconds}",
        ]
        self._write_transient(self.before, "prepare the data for a release", own, settings)

    def kept(self, folder: str) -> list[str]:
        """Return the lines of a release's service that hold for whatever else runs as it does."""
        return list(_kept(self._lines(folder)))

    def remove(self) -> None:
        """Remove the units. Raises OSError, and SystemdError."""
        for unit in (*self.enabled, self.guard, self.trial):
            self._disk.remove(self._place.units / unit)
        for unit in (self.next, self.before):
            self._disk.remove(self._place.transient_units / unit)
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
        listening = {self.socket: self._part(release, "socket")} if self.socket else {}
        return {
            **listening,
            self.service: self._service_text(release),
            self.guard: self._engine_text("undo an interrupted switch", "oneshot", "guard"),
            self.trial: self._engine_text("watch a release on trial", "exec", "watch")
            + "Restart=on-failure\nRestartSec=5\n",
        }

    def _listening(self, release: str) -> list[str]:
        return _section(self._part(release, "socket"), "[Socket]")

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

    def _lines(self, folder: str) -> list[str]:
        """Return the lines of a release's service, and those of the operators' drop-ins."""
        return [*_section(self._service_text(folder), "[Service]"), *self._added()]

    def _write_transient(
        self, unit: str, what: str, own: Iterable[str], settings: Path | None
    ) -> None:
        name = self._place.name
        head = [f"# Written by {name}-admin for the time of a switch.", "[Unit]",
                f"Description={name}: {what}"]  # fmt: skip
        text = "\n".join([*head, *own]) + "\n"
        if settings:
            text = text.replace(f"{_percent(self._place.etc)}/", f"{_percent(settings)}/")
        self._disk.folder(self._place.transient_units, 0o755)
        self._disk.write(self._place.transient_units / unit, text.encode(), 0o644)
        self._systemd.reload()

    def _added(self) -> Iterable[str]:
        """Yield the lines of the drop-ins with which operators have changed the service."""
        for path in self._systemd.property(self.service, "DropInPaths").split():
            content = self._disk.read(Path(path)) or b""
            yield from _section(content.decode(errors="replace"), "[Service]")


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


def _kept(lines: Iterable[str]) -> Iterable[str]:
    """Return the lines of a service that also hold for a unit for the time of a switch."""
    return (line for line in lines if not _REPLACED.match(line))


def _section(text: str, name: str) -> list[str]:
    """Return the lines of a section of a unit, such as ``[Service]``, without comments."""
    section, lines = "", []
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == name and line.strip() and line[0] not in "#;":
            lines.append(line)
    return lines


def _percent(path: Path) -> str:
    """Return a path escaped for a unit, where `%` begins a specifier."""
    return str(path).replace("%", "%%")


def _escaped(text: str) -> str:
    """Return a text escaped for the replacement of re.sub()."""
    return text.replace("\\", r"\\")
