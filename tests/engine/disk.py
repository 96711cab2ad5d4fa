"""A disk in memory: what programs see, and what a power cut would leave of it."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from host.disk import Disk

from tests.engine.fault import broken, os_error

if TYPE_CHECKING:
    from tests.engine.world import World

Node = tuple[str, bytes]
"""`dir`, `file` or `link`, and the content or target."""
Tree = dict[str, Node]
_RUN = "/run/"


class MemoryDisk(Disk):
    """What `host.disk.Disk` promises, made of elementary steps.

    Each step is durable before the next one begins, so a power cut comes before or after a step.
    Only what other programs write, such as `systemctl enable`, is volatile until `sync`.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self.tree: Tree = {}
        self.durable: Tree = {}

    def lose_what_is_volatile(self) -> None:
        self.tree = {path: node for path, node in self.durable.items() if path[:5] != _RUN}
        self.durable = dict(self.tree)

    def put(self, path: Path, content: bytes) -> None:
        """Write a file as another program does: it is volatile until `sync`."""
        self.tree[str(path)] = ("file", content)

    def read(self, path: Path) -> bytes | None:
        if self._world.blind():
            raise broken()
        kind, content = self.tree.get(str(path), ("", b""))
        return content if kind == "file" else None

    def exists(self, path: Path) -> bool:
        return str(path) in self.tree

    def names(self, folder: Path) -> list[str]:
        above = f"{folder}/"
        rest = (path[len(above) :] for path in self.tree if path.startswith(above))
        return sorted({each.partition("/")[0] for each in rest})

    def target(self, link: Path) -> str:
        kind, content = self.tree.get(str(link), ("", b""))
        return content.decode() if kind == "link" else ""

    def folder(self, path: Path, mode: int) -> None:
        if str(path) not in self.tree:
            self._change("folder", path, lambda tree: tree.setdefault(str(path), ("dir", b"")), 1)

    def reserve(self, path: Path, size: int) -> None:
        spare = Path(f"{path}.spare")
        if not self.exists(spare):
            self._set("reserve", spare, ("file", b" " * size))

    def write(self, path: Path, content: bytes, mode: int) -> None:
        new, spare = Path(f"{path}.new"), Path(f"{path}.spare")
        if self.exists(spare):
            self._move("write: take the spare", spare, new)
        elif not self.exists(new):
            self._set("write: begin", new, ("file", b""))
        has_room = len(self.tree[str(new)][1]) >= len(content)
        self._set("write: content", new, ("file", content), has_room=has_room)
        self._move("write: rename", new, path)

    def append(self, path: Path, line: bytes) -> None:
        before = self.tree.get(str(path), ("file", b""))[1]
        self._set("append", path, ("file", before + line))

    def point(self, link: Path, target: str) -> None:
        new = Path(f"{link}.new")
        self._set("point: new", new, ("link", target.encode()))
        self._move("point: rename", new, link)

    def duplicate(self, path: Path, copy: Path) -> None:
        if self.exists(copy):
            raise os_error(errno.EEXIST, copy)
        self._set("duplicate", copy, self.tree[str(path)])

    def rename(self, old: Path, new: Path) -> None:
        self._move("rename", old, new)

    def remove(self, path: Path) -> None:
        if not self.exists(path):
            return
        for inner in [each for each in self.tree if each.startswith(f"{path}/")]:
            self._change("remove inner", inner, lambda tree, gone=inner: tree.pop(gone, None))  # type: ignore[misc]
        self._change("remove", path, lambda tree: tree.pop(str(path), None))

    def sync(self) -> None:
        self._world.step("sync", lambda: None, broken())
        self.durable = dict(self.tree)

    def _set(self, what: str, path: Path, node: Node, *, has_room: bool = False) -> None:
        if str(path.parent) not in self.tree:
            raise os_error(errno.ENOENT, path)
        self._change(
            what, path, lambda tree: tree.__setitem__(str(path), node), room=0 if has_room else 1
        )

    def _move(self, what: str, old: Path, new: Path) -> None:
        if not self.exists(old) or str(new.parent) not in self.tree:
            raise os_error(errno.ENOENT, old)

        def move(tree: Tree) -> None:
            for path in [each for each in tree if each == str(old) or each.startswith(f"{old}/")]:
                tree[str(new) + path[len(str(old)) :]] = tree.pop(path)

        self._change(what, new, move)

    def _change(
        self, what: str, path: Path | str, change: Callable[[Tree], object], room: int = 0
    ) -> None:
        def both() -> None:
            change(self.tree)
            change(self.durable)

        room = -1 if str(path).startswith(_RUN) else room
        self._world.step(f"{what} {path}", both, broken(), room)
