"""Compiles every module of a folder and packs the bytecode.

    python bytecode.py FOLDER ARCHIVE [--loose MODULE] … [--add FILE] …

Run by a Python of the version that the bytecode is for. The bytecode goes into ARCHIVE, a zip in
xz, but for that of the `--loose` modules, which is left in the folder; each file to `--add` goes
there too. The same sources give the same bytes, and no path of this machine is in them.
"""

import argparse
import io
import lzma
import py_compile
import zipfile
from pathlib import Path

_EARLIEST = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, archive: Path, loose: set[str], added: list[str]) -> None:
    """Compile in a fixed order, since what a process compiled before shows in the bytes."""
    packed = {name: (folder / name).read_bytes() for name in added}
    for source in sorted(folder.rglob("*.py")):
        name = source.relative_to(folder).as_posix()
        compiled = _compile(source, name)
        if compiled and name not in loose:
            packed[compiled.relative_to(folder).as_posix()] = compiled.read_bytes()
            compiled.unlink()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as files:
        for name, content in packed.items():
            files.writestr(zipfile.ZipInfo(name, _EARLIEST), content)
    archive.write_bytes(lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def _compile(source: Path, name: str) -> Path | None:
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    try:
        made = py_compile.compile(str(source), dfile=name, doraise=True, invalidation_mode=mode)
    except py_compile.PyCompileError:  # a template, or code for another Python
        return None
    return Path(made) if made else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--loose", action="append", default=[])
    parser.add_argument("--add", action="append", default=[])
    given = parser.parse_args()
    pack(given.folder, given.archive, set(given.loose), given.add)
