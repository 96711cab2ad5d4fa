"""Completes a release tree from a bundle: installs the wheels and the project's own code.

    python3 environment.py BUNDLE TREE

Runs on the target, by the interpreter that the tree got from the bundle, and with nothing besides.
The result is the same on every machine, byte for byte: the tree's checksums came with the bundle,
and are compared afterwards.
"""

import base64
import hashlib
import io
import lzma
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

_WORKERS = 4
"""More would wait for each other's files."""
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
    try:
        wheels = sorted(_wheels(bundle / "PyPI"), key=lambda found: -found[1].stat().st_size)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    install = installer(bundle / "Script/installer.zip", python, site)
    jobs = [partial(install, *found) for found in wheels]
    jobs.insert(1, partial(unpack, bundle / "PyPI/bytecode.zip.xz", site))
    jobs.append(partial(install_project, bundle, site))
    if not _share(jobs):
        raise SystemExit(1)


def installer(library: Path, python: Path, site: Path) -> Callable[[str, Path], None]:
    """Give what installs a requirement's wheel.

    That raises `ValueError` for a wheel that is damaged, or would write outside of the tree.
    """
    sys.path.insert(0, str(library))
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
            # The library's own takes longer, and fails where a folder is made meanwhile.
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

    def install_wheel(requirement: str, wheel: Path) -> None:
        try:
            with WheelFile.open(wheel) as source:
                install(source, destination, {"INSTALLER": b"bundle\n"})
        except Exception as error:
            raise ValueError(f"{requirement} cannot be installed: {error}") from error

    return install_wheel


def install_project(bundle: Path, site: Path) -> None:
    """Put the project's own code beside the dependencies, with its bytecode and release id."""
    # Bytecode comes with the archive. All else was chosen when the bundle was built.
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(
        bundle / "ProjectSrc/src", site, ignore=unwanted, copy_function=shutil.copyfile,
        dirs_exist_ok=True,
    )  # fmt: skip
    unpack(bundle / "Script/program.zip.xz", site)


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip archive in xz, never outside of `target` and never over a file.

    Raises `ValueError` for a name that leads out of it.
    """
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
    found = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in folder.glob("*.whl")}
    for line in (folder / "requirements.txt").read_text(encoding="utf-8").splitlines():
        requirement, _, digest = line.partition(" --hash=sha256:")
        if digest not in found:
            raise ValueError(f"PyPI/ has no wheel of {requirement} with the hash that it must have")
        yield requirement, found[digest]


def _record_digest(content: bytes) -> str:
    """Give the SHA-256 as RECORD files spell it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _share(jobs: Sequence[Callable[[], None]]) -> bool:
    """Do the jobs in several processes, each of which takes the next when it is free."""
    waiting, numbers = os.pipe()
    os.write(numbers, b"".join(number.to_bytes(4, "big") for number in range(len(jobs))))
    os.close(numbers)
    workers = []
    for _ in range(min(_WORKERS, os.cpu_count() or 1)):
        if worker := os.fork():
            workers.append(worker)
        else:
            _work(jobs, waiting)
    failures = [os.waitpid(worker, 0)[1] for worker in workers]
    return not any(failures)


def _work(jobs: Sequence[Callable[[], None]], waiting: int) -> NoReturn:
    """Do jobs until none waits, and end with code 1 and a line where one cannot be done."""
    code = 1
    try:
        while number := os.read(waiting, 4):
            jobs[int.from_bytes(number, "big")]()
        code = 0
    except Exception as error:
        print(f"error: {error or type(error).__name__}", file=sys.stderr, flush=True)
        while os.read(waiting, 4096):  # the others need not go on
            pass
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(*(Path(argument).resolve() for argument in sys.argv[1:]))
