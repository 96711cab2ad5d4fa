"""Make the release tree of a bundle: the interpreter, the wheels, the project's own code.

    python3 make_release.py [--link] BUNDLE TREE
    python3 make_release.py --only wheels|bytecode|project BUNDLE TREE

This runs on the target with the bundle's own interpreter and needs nothing else. The result is the
same on every machine, byte for byte: the caller compares it with the checksums in the bundle. With
--link, files are hard-linked if possible, for a bundle that is deleted next. A build makes its tree
in the same way, part by part.
"""

import argparse
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

_BYTECODE = "PyPI/bytecode.zip.xz"
_WORKERS = 4
"""More workers would wait for each other's files."""
_COMMAND = """\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/python3" -I -B -c 'import sys; del sys.argv[0]
from {module} import {name}; sys.exit({call}())' "$0" "$@"
"""


_RUN_FROM = {"bin"}
"""The folders whose files are executable; in others, only the loaders of a glibc are."""


def make(bundle: Path, tree: Path, *, link: bool = False) -> None:
    """Make the whole tree; exit with code 1 and print one line if that fails."""
    try:
        _copy_parts(bundle, tree, _link if link else shutil.copyfile)
    except (OSError, shutil.Error, ValueError) as error:
        raise SystemExit(f"error: could not write {tree}: {_text(error)}") from error
    try:
        jobs = _wheel_jobs(bundle, tree)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    jobs.insert(1, partial(unpack, bundle / _BYTECODE, _site(tree)))
    jobs.append(partial(install_project, bundle, _site(tree)))
    if not _share(jobs):
        raise SystemExit(1)


def make_part(part: str, bundle: Path, tree: Path) -> None:
    """Add one part to a tree that has an interpreter."""
    if part == "wheels":
        if not _share(_wheel_jobs(bundle, tree)):
            raise SystemExit(1)
    elif part == "bytecode":
        unpack(bundle / _BYTECODE, _site(tree))
    else:
        install_project(bundle, _site(tree))


def _copy_parts(bundle: Path, tree: Path, copy: Callable[[str, str], object]) -> None:
    found = [path for path in bundle.glob("Python*") if path.is_dir()]
    if len(found) != 1:
        raise ValueError(f"expected exactly one Python in {bundle}")
    for source, target in ((bundle / "Script/release", tree), (found[0], tree / "python")):
        shutil.copytree(source, target, copy_function=copy)
    # The medium may have lost the modes, or hold read-only files.
    for folder, _, files in os.walk(tree):
        os.chmod(folder, 0o755)  # noqa: PTH101, S103  # nosec B103
        for name in files:
            runs = os.path.basename(folder) in _RUN_FROM or name.startswith("ld-")  # noqa: PTH119
            os.chmod(os.path.join(folder, name), 0o755 if runs else 0o644)  # noqa: PTH101, PTH118


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _text(error: Exception) -> str:
    """Return one line of an error; of many files that could not be copied, that of the last."""
    if isinstance(error, shutil.Error):
        said = str(error.args[0][-1][-1])  # such as "[Errno 28] No space left on device: 'NAME'"
        return said.partition("] ")[2] or said
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(map(str, filter(None, (error.filename, error.strerror.lower()))))
    return str(error) or type(error).__name__


def _site(tree: Path) -> Path:
    (site,) = tree.glob("python/lib/python3*/site-packages")
    return site


def _wheel_jobs(bundle: Path, tree: Path) -> list[Callable[[], None]]:
    wheels = sorted(_wheels(bundle / "PyPI"), key=lambda found: -found[1].stat().st_size)
    install = installer(bundle / "Script/installer.zip", tree / "python", _site(tree))
    return [partial(install, *found) for found in wheels]


def installer(library: Path, python: Path, site: Path) -> Callable[[str, Path], None]:
    """Return a function that installs a requirement's wheel.

    It raises `ValueError` for a wheel that is damaged, or would write outside of the tree.
    """
    sys.path.insert(0, str(library))
    from installer import install  # type: ignore[import-not-found]
    from installer.destinations import SchemeDictionaryDestination  # type: ignore[import-not-found]
    from installer.records import Hash, RecordEntry  # type: ignore[import-not-found]
    from installer.sources import WheelFile  # type: ignore[import-not-found]

    made: set[str] = set()

    class Destination(SchemeDictionaryDestination):  # type: ignore[misc]
        """Write commands that find their interpreter wherever the tree lies."""

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
            # The library's own method is slower, and fails if another worker makes the same folder.
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
            raise ValueError(f"{requirement} cannot be installed: {_text(error)}") from error

    return install_wheel


def install_project(bundle: Path, site: Path) -> None:
    """Put the project's own code beside the dependencies, with its bytecode and release id."""
    # The bytecode comes from the archive. The build has chosen all other files.
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(
        bundle / "ProjectSrc/src", site, ignore=unwanted, copy_function=shutil.copyfile,
        dirs_exist_ok=True,
    )  # fmt: skip
    unpack(bundle / "Script/program.zip.xz", site)


def unpack(archive: Path, target: Path) -> None:
    """Unpack an xz-compressed zip archive, never outside of `target` and never over a file.

    Raises `ValueError` for a name that leads out of it.
    """
    made: set[str] = set()
    with lzma.open(archive) as packed, zipfile.ZipFile(io.BytesIO(packed.read())) as files:
        for name in files.namelist():
            try:
                _write(str(target), name, files.read(name), made)
            except ValueError as error:
                raise ValueError(f"{archive.name} {error}") from None


def _write(root: str, name: str, content: bytes, made: set[str]) -> str:
    """Write a file below a folder, never outside of it and never over a file; return its path.

    `made` holds the folders that are known to exist. Raises `ValueError` for a name that leads out.
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
    """Return the SHA-256 in the format of RECORD files."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _share(jobs: Sequence[Callable[[], None]]) -> bool:
    """Run the jobs in several processes, and return whether all succeeded."""
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
    """Run jobs until none is left; exit with code 1 and print one line if a job fails."""
    code = 1
    try:
        while number := os.read(waiting, 4):
            jobs[int.from_bytes(number, "big")]()
        code = 0
    except Exception as error:
        print(f"error: {_text(error)}", file=sys.stderr, flush=True)
        while os.read(waiting, 4096):  # leave no jobs to the other workers
            pass
    finally:
        os._exit(code)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--link", action="store_true")
    parser.add_argument("--only", choices=("wheels", "bytecode", "project"))
    parser.add_argument("bundle", type=Path)
    parser.add_argument("tree", type=Path)
    given = parser.parse_args()
    if given.only:
        make_part(given.only, given.bundle.resolve(), given.tree.resolve())
    else:
        make(given.bundle.resolve(), given.tree.resolve(), link=given.link)
