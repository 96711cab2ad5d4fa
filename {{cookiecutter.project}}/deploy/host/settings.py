"""The settings that a switch brings, and those that it would go back to.

While a switch can still be undone, a folder beside the files in force holds two more sets:

    .switch/next/   all settings that the new release is to run with
    .switch/old/    the old version of each file that is replaced
"""

from collections.abc import Mapping
from pathlib import Path

from .disk import Disk
from .errors import Misuse
from .place import Place
from .state import Settings as Replaced

ROOT_ONLY = "secrets.env"
_FOLDER = ".switch"


def modes(name: str) -> dict[str, int]:
    """Return the settings files of a project, and the mode of each.

    Their group may read the settings, only their owner the secrets: systemd reads them as root.
    """
    return {f"{name}.env": 0o640, ROOT_ONLY: 0o600}


def given(folder: str, name: str) -> dict[str, bytes]:
    """Return the settings files in a folder, and their contents.

    Raises Misuse if the folder holds no settings, or anything else.
    """
    path, allowed = Path(folder), modes(name)
    if not path.is_dir():
        raise Misuse(f"there is no folder '{folder}' (--settings)")
    found: dict[str, bytes] = {}
    for file in sorted(path.iterdir()):
        if file.name.startswith("."):
            continue
        if file.name not in allowed:
            raise Misuse(
                f"'{file}' is not a settings file: expected {' and '.join(allowed)} (--settings)"
            )
        # Reading a pipe would block.
        content = _content(file) if file.is_file() else None
        if content is None:
            raise Misuse(f"'{file}' is not a file that can be read (--settings)")
        found[file.name] = content
    if not found:
        raise Misuse(f"'{folder}' holds neither {' nor '.join(allowed)} (--settings)")
    return found


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


class Settings:
    """The settings files of one installation."""

    def __init__(self, place: Place, disk: Disk) -> None:
        self._etc = place.etc
        self._disk = disk
        self._modes = modes(place.name)
        self._folder = place.etc / _FOLDER

    @property
    def next(self) -> Path:
        """The folder with all settings of the new release."""
        return self._folder / "next"

    def other_than_now(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return those files whose content differs from what is in force."""
        return {
            name: content
            for name, content in files.items()
            if self._disk.read(self._etc / name) != content
        }

    def prepare(self, files: Mapping[str, bytes]) -> Replaced:
        """Write all that is needed to switch to `files` and to undo that. Raises OSError."""
        self.forget()
        if not files:
            return {}
        old = self._folder / "old"
        for folder in (self._folder, self.next, old):
            self._disk.folder(folder, 0o700)
        for name, mode in self._modes.items():
            content = files.get(name, self._disk.read(self._etc / name))
            if content is not None:
                self._disk.write(self.next / name, content, mode)
        replaced = {name: self._disk.exists(self._etc / name) for name in files}
        for name, was_there in replaced.items():
            if was_there:
                self._disk.duplicate(self._etc / name, old / name)
        return replaced

    def put(self, replaced: Replaced) -> None:
        """Put the new settings in force. Raises OSError."""
        for name in replaced:
            if self._disk.exists(self.next / name):
                self._disk.rename(self.next / name, self._etc / name)

    def are_put(self, replaced: Replaced) -> bool:
        """Return whether any of the new settings was put in force."""
        return any(not self._disk.exists(self.next / name) for name in replaced)

    def are_back(self, replaced: Replaced) -> bool:
        """Return whether any of the old settings was put back in force."""
        return any(
            not self._disk.exists(self._folder / "old" / name if was_there else self._etc / name)
            for name, was_there in replaced.items()
        )

    def back(self, replaced: Replaced) -> None:
        """Put the old settings back in force; may be repeated safely. Raises OSError."""
        for name, was_there in replaced.items():
            if not was_there:
                self._disk.remove(self._etc / name)
            elif self._disk.exists(self._folder / "old" / name):
                self._disk.rename(self._folder / "old" / name, self._etc / name)

    def forget(self) -> None:
        """Remove both sets, once the switch cannot be undone any more. Raises OSError."""
        self._disk.remove(self._folder)
