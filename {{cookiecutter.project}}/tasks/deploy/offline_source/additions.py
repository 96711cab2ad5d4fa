"""Adds to an interpreter what a bare machine lacks: certificates, time zones, terminals, glibc."""

import shutil
from pathlib import Path

from ...lib.environment import Environment
from ...lib.process import run
from .carried_python import CarriedPython
from .relocate import ldd, loaded

# glibc loads GCC's library when a thread ends by pthread_exit, as Python's daemon threads do.
_GLIBC = (
    "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1",
    "libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2", "libgcc_s.so.1",
)  # fmt: skip
_OLDEST = 33  # ld.so has --argv0 since glibc 2.33 (its NEWS)
_TERMINALS = ("ansi", "dumb", "linux", "screen", "screen-256color", "tmux", "tmux-256color",
              "vt100", "vt220", "xterm", "xterm-256color")  # fmt: skip
_TERMINFO = (Path("/usr/share/terminfo"), Path("/lib/terminfo"), Path("/etc/terminfo"))


def add_data(home: CarriedPython, tools: Environment) -> None:
    """Add what a bare machine lacks: certificates, time zones and descriptions of terminals."""
    share = home.folder / "share"
    share.mkdir(exist_ok=True)
    packages = Path(run([tools.python, "-c", "import certifi; print(certifi.where())"]).strip())
    shutil.copyfile(packages, share / "certificates.pem")
    code = shutil.ignore_patterns("*.py", "__pycache__")
    shutil.copytree(packages.parents[1] / "tzdata/zoneinfo", share / "zoneinfo", ignore=code)
    for name in _TERMINALS:
        for place in _TERMINFO:
            if (place / name[0] / name).is_file():
                (share / "terminfo" / name[0]).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(place / name[0] / name, share / "terminfo" / name[0] / name)
                break


def add_glibc(home: CarriedPython) -> list[Path]:
    """Add this machine's glibc, for machines that have an older one or none; return its files."""
    here = loaded([home.folder / "bin" / f"python{home.version}"])
    libc = here.get("libc.so.6")
    version = run(["getconf", "GNU_LIBC_VERSION"]).split()[-1] if shutil.which("getconf") else "0.0"
    if not libc or int(version.split(".")[1]) < _OLDEST:
        return []
    said = ldd(home.folder / "bin" / f"python{home.version}")
    loader = Path(next(part for part in said.split() if "/ld-linux" in part))
    home.glibc.mkdir()
    files = [p for p in (loader, *(libc.with_name(name) for name in _GLIBC)) if p.exists()]
    for path in files:
        shutil.copy(path, home.glibc / path.name)
        run(["strip", home.glibc / path.name])
    return files
