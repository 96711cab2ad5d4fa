"""Compiles every module of a folder, and packs the bytecode if told to.

    python bytecode.py FOLDER [--archive ARCHIVE [--add FILE] …]

Run it with a Python of the version that the bytecode is for. With --archive the bytecode and each
FILE of the folder go into ARCHIVE, a zip inside xz; without it the bytecode stays beside the
modules. The same sources give the same bytes, and no path of this machine is in them.
"""

import argparse
import io
import lzma
import py_compile
import zipfile
from pathlib import Path


def compile_all(folder: Path) -> list[Path]:
    """Compile in a fixed order: the bytes depend on what the process has compiled before."""
    modules = ((p, p.relative_to(folder).as_posix()) for p in sorted(folder.rglob("*.py")))
    return [made for module, name in modules if (made := _compile(module, name))]


def pack(folder: Path, archive: Path, compiled: list[Path], added: list[str]) -> None:
    """Move the compiled files, and copy the added ones, into an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as files:
        for path in [*(folder / name for name in added), *compiled]:
            name = path.relative_to(folder).as_posix()
            files.writestr(zipfile.ZipInfo(name), path.read_bytes())
    for path in compiled:
        path.unlink()
    archive.write_bytes(lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def _compile(module: Path, name: str) -> Path | None:
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    try:
        made = py_compile.compile(str(module), dfile=name, doraise=True, invalidation_mode=mode)
    except py_compile.PyCompileError:  # a template, or code for another Python
        return None
    return Path(made) if made else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--add", action="append", default=[])
    given = parser.parse_args()
    done = compile_all(given.folder)
    if given.archive:
        pack(given.folder, given.archive, done, given.add)
