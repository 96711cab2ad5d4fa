"""Completes a release tree from a bundle: installs the wheels and the project's own code.

    python3 environment.py BUNDLE TREE

Runs on the target, by the interpreter that the tree got from the bundle, and with nothing besides.
The result is the same on every machine, byte for byte: the tree's checksums came with the bundle,
and are compared afterwards. Imports stand where they are used, since two processes share the work.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

_COMMAND = """\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/python3" -I -B -c 'import sys; del sys.argv[0]
from {module} import {name}; sys.exit({call}())' "$0" "$@"
"""


def main(bundle: Path, tree: Path) -> None:
    """Fill `tree`/python; ends with code 1 and one line where something is not as it should be."""
    python = tree / "python"
    (site,) = python.glob("lib/python3*/site-packages")
    child = os.fork()  # bytecode and wheels at the same time: two cores are the rule
    if not child:
        _guarded(unpack, bundle / "PyPI/bytecode.zip.xz", site)
        os._exit(0)
    _guarded(install_wheels, bundle, python, site)
    _guarded(install_project, bundle, site)
    if os.waitpid(child, 0)[1]:
        raise SystemExit(1)


def install_wheels(bundle: Path, python: Path, site: Path) -> None:
    """Install each wheel that the requirements name, if it has the hash that stands there.

    Raises `ValueError` for a wheel that is missing, damaged, or would write outside of the tree.
    """
    sys.path.insert(0, str(bundle / "Script/installer.zip"))
    from typing import Any

    from installer import install  # type: ignore[import-not-found]
    from installer.destinations import SchemeDictionaryDestination  # type: ignore[import-not-found]
    from installer.records import Hash, RecordEntry  # type: ignore[import-not-found]
    from installer.sources import WheelFile  # type: ignore[import-not-found]

    made: set[str] = set()

    class Destination(SchemeDictionaryDestination):  # type: ignore[misc]
        """Writes commands that find their interpreter wherever the tree lies."""

        def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:
            first = attr.partition(".")[0]
            content = _COMMAND.format(module=module, name=first, call=attr).encode()
            path = self._path_with_destdir("scripts", name)
            path.write_bytes(content)
            path.chmod(0o755)
            return RecordEntry(name, Hash("sha256", _record_digest(content)), len(content))

        def write_to_fs(
            self, scheme: str, path: str, stream: Any, is_executable: bool
        ) -> RecordEntry:
            # The library's own takes longer, and fails where bytecode makes a folder meanwhile.
            content = stream.read()
            written = _write(self.scheme_dict[scheme], path, content, made)
            if is_executable:
                Path(written).chmod(0o755)
            return RecordEntry(path, Hash("sha256", _record_digest(content)), len(content))

    folders = {
        "purelib": site,
        "platlib": site,
        "headers": python / "include",
        "scripts": python / "bin",
        "data": python,
    }
    schemes = {scheme: str(folder) for scheme, folder in folders.items()}
    destination = Destination(schemes, interpreter="/usr/bin/env python3", script_kind="posix")
    for requirement, wheel in _wheels(bundle / "PyPI"):
        try:
            with WheelFile.open(wheel) as source:
                install(source, destination, {"INSTALLER": b"bundle\n"})
        except Exception as error:
            raise ValueError(f"{requirement} cannot be installed: {error}") from error


def install_project(bundle: Path, site: Path) -> None:
    """Put the project's own code beside the dependencies, with its bytecode and release id."""
    import shutil

    unwanted = shutil.ignore_patterns("__pycache__", ".*", "*.pyc", "*.egg-info")
    shutil.copytree(
        bundle / "ProjectSrc/src", site, ignore=unwanted, copy_function=shutil.copyfile,
        dirs_exist_ok=True,
    )  # fmt: skip
    unpack(bundle / "Script/program.zip.xz", site)


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip archive in xz, never outside of `target` and never over a file.

    Raises `ValueError` for a name that leads out of it.
    """
    import io
    import lzma
    import zipfile

    if not archive.exists():  # while the bundle is being built
        return
    made: set[str] = set()
    with lzma.open(archive) as packed, zipfile.ZipFile(io.BytesIO(packed.read())) as files:
        for name in files.namelist():
            try:
                _write(str(target), name, files.read(name), made)
            except ValueError as error:
                raise ValueError(f"{archive.name} {error}") from None


def _write(root: str, name: str, content: bytes, made: set[str]) -> str:
    """Write a file below a folder, never outside of it and never over a file; gives its path.

    `made` are the folders that are there. Raises `ValueError` for a name that leads out.
    """
    # Thousands of files: pathlib would take twice as long.
    path = os.path.normpath(os.path.join(root, name))  # noqa: PTH118
    if not path.startswith(f"{root}{os.sep}"):
        raise ValueError(f"has a file that leads out of the tree: {name}")
    folder = os.path.dirname(path)  # noqa: PTH120
    if folder not in made:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        made.add(folder)
    with open(path, "xb") as file:  # noqa: PTH123
        file.write(content)
    return path


def _wheels(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each requirement and the wheel that has its hash."""
    import hashlib

    found = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in folder.glob("*.whl")}
    for line in (folder / "requirements.txt").read_text(encoding="utf-8").splitlines():
        requirement, _, digest = line.partition(" --hash=sha256:")
        if digest not in found:
            raise ValueError(f"PyPI/ has no wheel of {requirement} with the hash that it must have")
        yield requirement, found[digest]


def _record_digest(content: bytes) -> str:
    """Give the SHA-256 as RECORD files spell it."""
    import base64
    import hashlib

    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _guarded(action: Callable[..., None], *arguments: Path) -> None:
    try:
        action(*arguments)
    except Exception as error:
        print(f"error: {error or type(error).__name__}", file=sys.stderr, flush=True)
        os._exit(1)


if __name__ == "__main__":
    main(*(Path(argument).resolve() for argument in sys.argv[1:]))
