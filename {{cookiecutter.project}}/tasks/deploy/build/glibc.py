"""Measures which glibc a program needs."""

import re
from pathlib import Path

# Whole version names as they stand in an ELF file's string table, each between two zero bytes.
# Reading the table too widely can only raise the floor, never lower it.
_GLIBC = re.compile(rb"\0GLIBC_(2\.\d+)(?:\.\d+)?(?=\0)")


def floor(folder: Path) -> str:
    """Return the newest glibc version that any ELF file in `folder` asks for, such as `2.35`."""
    needed = {(2, 0)}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    found = _GLIBC.findall(file.read())
                    needed.update((2, int(version[2:])) for version in found)
    return "{}.{}".format(*max(needed))
