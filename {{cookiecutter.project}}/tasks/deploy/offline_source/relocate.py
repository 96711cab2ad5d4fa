"""Makes an interpreter that runs from any folder, with the libraries that it needs beside it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...console import TaskError
from ...environment import Environment
from ...process import run
from ..render import render

FOLDER = Path("deploy/offline-source")
STANDALONE = "standalone"
"""The kind of interpreter that needs nothing but a glibc from the machine, where it comes from."""

# What no service needs: tests, Tk, what builds extensions, and second implementations in Python of
# modules that are there in C.
PRUNED = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.a", "config-*", "site-packages", "dist-packages", "ensurepip",
    "test", "idlelib", "lib2to3", "tkinter", "turtle.py", "turtledemo", "pydoc_data", "_pyio.py",
    "_pydecimal.py", "_pydatetime.py", "_tkinter*", "_test*.so", "_ctypes_test*", "xx*.so",
    "_xx*.so",
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
# glibc's own, which must all be of one version, and the machine's unless it is too old.
_GLIBC = re.compile(
    r"(ld-linux[\w-]*|libc|libm|libdl|libpthread|librt|libutil|libresolv|libnss_\w+|libanl)\.so[.\d]*"
)
_CARRIED_GLIBC = ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1",
                  "libutil.so.1", "libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2")  # fmt: skip
_OLDEST_CARRIED = 33  # ld.so has --argv0 since glibc 2.33 (its NEWS)
_TERMINALS = ("ansi", "dumb", "linux", "screen", "screen-256color", "tmux", "tmux-256color",
              "vt100", "vt220", "xterm", "xterm-256color")  # fmt: skip
_TERMINFO = (Path("/usr/share/terminfo"), Path("/lib/terminfo"), Path("/etc/terminfo"))


@dataclass(frozen=True)
class Home:
    """The folder of a relocatable interpreter: bin/, lib/, share/."""

    folder: Path
    version: str
    """Such as `3.13`."""

    @property
    def python(self) -> Path:
        """The script that starts it on any machine."""
        return self.folder / "bin" / "python3"

    @property
    def stdlib(self) -> Path:
        """The standard library."""
        return self.folder / "lib" / f"python{self.version}"

    @property
    def glibc(self) -> Path:
        """The glibc that is carried along, if there is one."""
        return self.folder / "lib" / "glibc"


def from_installed(interpreter: Path, home: Home, tools: Environment) -> None:
    """Copy an installed interpreter and the libraries that it loads, and loosen it from its place.

    Raises `TaskError` where a tool or a library is missing.
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
    carry((p for p in originals if p.name in wanted), home, tools)
    _loosen(program, "$ORIGIN/../lib", tools)
    for extension in extensions.glob("*.so"):
        _loosen(extension, "$ORIGIN/../..", tools)


def from_standalone(folder: Path, home: Home) -> None:
    """Copy a python-build-standalone interpreter without what no service needs."""
    shutil.copytree(folder / "lib" / home.stdlib.name, home.stdlib, ignore=PRUNED)
    for library in sorted((folder / "lib").glob("libpython*.so*")):
        if not library.is_symlink():
            shutil.copy(library, home.folder / "lib")
    program = home.folder / "bin" / f"python{home.version}"
    program.parent.mkdir()
    shutil.copy(folder / "bin" / program.name, program)


def carry(
    files: Iterable[Path], home: Home, tools: Environment, *, inside: Path | None = None
) -> None:
    """Copy the libraries besides glibc that ELF files load into the interpreter's lib/.

    Those that are found `inside` a folder are there already.
    """
    libraries = home.folder / "lib"
    for name, path in sorted(loaded(files, inside).items()):
        if not _GLIBC.fullmatch(name) and not (libraries / name).exists():
            shutil.copy(path, libraries / name)
            _loosen(libraries / name, "$ORIGIN", tools)


def loaded(files: Iterable[Path], inside: Path | None = None) -> dict[str, Path]:
    """Give the libraries that ELF files load on this machine, outside of `inside`, by name.

    One that is not here is left out: what would load it does not run here either.
    """
    found: dict[str, Path] = {}
    for file in files:
        for name, place in re.findall(r"^\s*(\S+) => (/.*) \(0x", _ldd(file), re.MULTILINE):
            if not (inside and Path(place).resolve().is_relative_to(inside.resolve())):
                found[name] = Path(place)
    return found


def _ldd(file: Path) -> str:
    # Its exit code tells static files from dynamic ones, which is no failure.
    done = subprocess.run(["ldd", file], capture_output=True, text=True, check=False)
    return done.stdout


def equip(home: Home, tools: Environment) -> None:
    """Add what a bare machine lacks: certificates, time zones and descriptions of terminals."""
    share = home.folder / "share"
    share.mkdir(exist_ok=True)
    packages = Path(run([tools.python, "-c", "import certifi; print(certifi.where())"]).strip())
    shutil.copyfile(packages, share / "certificates.pem")
    zones = packages.parents[1] / "tzdata"
    shutil.make_archive(str(share / "tzdata"), "zip", zones.parent, zones.name)
    site = home.stdlib / "site-packages"
    site.mkdir()
    (site / "tzdata.pth").write_text("../../../share/tzdata.zip\n", encoding="utf-8")
    for name in _TERMINALS:
        for place in _TERMINFO:
            if (place / name[0] / name).is_file():
                (share / "terminfo" / name[0]).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(place / name[0] / name, share / "terminfo" / name[0] / name)
                break


def write_launcher(
    path: Path, project: Path, home: Home, floor: str, *, program: str = "python3", module: str = ""
) -> None:
    """Write the script that starts a program: the interpreter's own one, or one of a release."""
    loaders = [p.name for p in home.glibc.glob("ld-linux*")]
    module_name, _, function = module.partition(":")
    first = function.partition(".")[0]
    code = f'import sys; sys.argv[0] = "{program}"; from {module_name} import {first}; '
    text = render(
        (project / FOLDER / "launcher.sh").read_text(encoding="utf-8"),
        {
            "program": program,
            "home": "../python" if module else "..",
            "python": f"python{home.version}",
            "loader": loaders[0] if loaders else "none",
            "glibc": floor.partition(".")[2],
            "arguments": f"-I -B -c '{code}sys.exit({function}())' " if module else "",
        },
    )
    path.write_text(text, encoding="utf-8", newline="\n")
    path.chmod(0o755)


def carry_glibc(home: Home) -> None:
    """Add this machine's glibc, for machines that have an older one or none."""
    here = loaded([home.folder / "bin" / f"python{home.version}"])
    libc = here.get("libc.so.6")
    version = run(["getconf", "GNU_LIBC_VERSION"]).split()[-1] if shutil.which("getconf") else "0.0"
    if not libc or int(version.split(".")[1]) < _OLDEST_CARRIED:
        return
    said = _ldd(home.folder / "bin" / f"python{home.version}")
    loader = Path(next(part for part in said.split() if "/ld-linux" in part))
    home.glibc.mkdir()
    for path in (loader, *(libc.with_name(name) for name in _CARRIED_GLIBC)):
        if path.exists():
            shutil.copy(path, home.glibc / path.name)
            run(["strip", home.glibc / path.name])


def _loosen(file: Path, run_path: str, tools: Environment) -> None:
    """Strip an ELF file and let it look for libraries relative to itself."""
    file.chmod(0o755)
    run(["strip", file])
    run([tools.command("patchelf"), "--force-rpath", "--set-rpath", run_path, file])


def _forget_places(file: Path, folders: Iterable[str]) -> None:
    """Where it was built says nothing about where it runs; it differs between two machines."""
    text = file.read_text(encoding="utf-8")
    for folder in sorted(filter(None, folders), key=len, reverse=True):
        if folder not in {"/", "/usr"}:
            text = text.replace(folder, "/python")
    file.write_text(text, encoding="utf-8")
