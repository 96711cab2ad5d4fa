"""Makes an interpreter that runs from any folder, with the libraries that it needs beside it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ...lib.environment import Environment
from ...lib.process import require, run
from .carried_python import CarriedPython

# What no service needs: tests, Tk, files for building extensions, and Python versions of modules
# that exist in C. Also the modules that would put a bundle under the licences of readline and gdbm
# (GPL) and of Berkeley DB (AGPL).
PRUNED = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.a", "config-*", "site-packages", "dist-packages", "ensurepip",
    "test", "idlelib", "lib2to3", "tkinter", "turtle.py", "turtledemo", "pydoc_data", "_pyio.py",
    "_pydecimal.py", "_pydatetime.py", "_tkinter*", "_test*.so", "_ctypes_test*", "xx*.so",
    "_xx*.so", "nis.*", "readline.*", "_dbm.*", "_gdbm.*", "sitecustomize.py", "EXTERNALLY-MANAGED",
)  # fmt: skip
_FACTS = """
import json, os, sys, sysconfig
where = sysconfig.get_config_vars()
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "stdlib": sysconfig.get_path("stdlib"),
    "extensions": where.get("DESTSHARED"),
    "folders": sorted({where.get("prefix"), where.get("exec_prefix"), sys.base_prefix}),
}))
"""
# Debian's Python looks for packages in dist-packages alone.
_SITE = """\
import os
import site

site.addsitedir(os.path.join(os.path.dirname(os.__file__), "site-packages"))
"""
# glibc's own libraries. All must be of one version: the machine's, unless that is too old.
_GLIBC = re.compile(r"(ld-linux[\w-]*|lib(c|m|dl|pthread|rt|util|resolv|nss_\w+|anl))\.so[.\d]*")


def require_tools() -> None:
    """Check that what `from_installed` needs is here; raise `TaskError` otherwise."""
    require(("ldd", "strip"), "making an interpreter relocatable")


def from_installed(interpreter: Path, home: CarriedPython, tools: Environment) -> list[Path]:
    """Copy an installed interpreter and the libraries that it loads, and make it relocatable.

    Returns the libraries that were copied. Raises `TaskError` where a tool fails.
    """
    facts = json.loads(run([interpreter, "-I", "-c", _FACTS]))
    shutil.copytree(facts["stdlib"], home.stdlib, ignore=PRUNED)
    extensions = home.stdlib / "lib-dynload"
    if not extensions.is_dir() and facts["extensions"]:
        shutil.copytree(facts["extensions"], extensions, ignore=PRUNED)
    program = home.folder / "bin" / f"python{home.version}"
    program.parent.mkdir()
    shutil.copy(facts["executable"], program)
    for data in home.stdlib.glob("_sysconfigdata_*.py"):
        _forget_places(data, facts["folders"])
    own = Path(facts["stdlib"]), Path(facts["extensions"] or facts["stdlib"])
    originals = [Path(facts["executable"]), *(p for folder in own for p in folder.rglob("*.so"))]
    wanted = {p.name for p in extensions.iterdir()} | {program.name, Path(originals[0]).name}
    taken = add_libraries((p for p in originals if p.name in wanted), home, tools)
    _loosen(program, "$ORIGIN/../lib", tools)
    for extension in extensions.glob("*.so"):
        _loosen(extension, "$ORIGIN/../..", tools)
    home.site.mkdir()
    if str(home.site) not in run([program, "-I", "-c", "import sys; print(sys.path)"]):
        (home.stdlib / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
    return taken


def from_standalone(folder: Path, home: CarriedPython) -> None:
    """Copy a python-build-standalone interpreter without what no service needs."""
    shutil.copytree(folder / "lib" / home.stdlib.name, home.stdlib, ignore=PRUNED)
    for library in sorted((folder / "lib").glob("libpython*.so*")):
        if not library.is_symlink():
            shutil.copy(library, home.folder / "lib")
    program = home.folder / "bin" / f"python{home.version}"
    program.parent.mkdir()
    shutil.copy(folder / "bin" / program.name, program)
    home.site.mkdir()


def add_libraries(
    files: Iterable[Path], home: CarriedPython, tools: Environment, *, inside: Path | None = None
) -> list[Path]:
    """Copy the libraries besides glibc that ELF files load into the interpreter's lib/.

    Libraries in the folder `inside` are not copied. Returns where the copied ones were.
    """
    libraries = home.folder / "lib"
    taken = []
    for name, path in sorted(loaded(files, inside).items()):
        if not _GLIBC.fullmatch(name) and not (libraries / name).exists():
            shutil.copy(path, libraries / name)
            _loosen(libraries / name, "$ORIGIN", tools)
            taken.append(path)
    return taken


def loaded(files: Iterable[Path], inside: Path | None = None) -> dict[str, Path]:
    """Return the libraries that ELF files load on this machine, outside of `inside`, by name.

    A library that is missing here is left out: whatever loads it does not run here either.
    """
    found: dict[str, Path] = {}
    for file in files:
        for name, place in re.findall(r"^\s*(\S+) => (/.*) \(0x", ldd(file), re.MULTILINE):
            if not (inside and Path(place).resolve().is_relative_to(inside.resolve())):
                found[name] = Path(place)
    return found


def ldd(file: Path) -> str:
    """Return what ldd prints of an ELF file's dynamic libraries."""
    # ldd fails for a static file, which is no error here.
    done = subprocess.run(["ldd", file], capture_output=True, text=True, check=False)
    return done.stdout


def _loosen(file: Path, run_path: str, tools: Environment) -> None:
    """Strip an ELF file and make it look for libraries relative to itself."""
    file.chmod(0o755)
    run(["strip", file])
    run([tools.command("patchelf"), "--force-rpath", "--set-rpath", run_path, file])


def _forget_places(file: Path, folders: Iterable[str]) -> None:
    """Remove the folders of the build machine, which differ between two machines."""
    text = file.read_text(encoding="utf-8")
    for folder in sorted(filter(None, folders), key=len, reverse=True):
        if folder not in {"/", "/usr"}:
            text = text.replace(folder, "/python")
    file.write_text(text, encoding="utf-8")
