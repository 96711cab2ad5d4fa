"""What an interpreter that was built with optimisations gains, in a bundle, over a plain one.

Both are of one version and by one compiler. They are taken from the folders `plain` and
`optimised` in ~/.cache/cookiecutter-quadrant/pythons (BENCH_PYTHONS names another place), and are
built there by pyenv's python-build where they are missing, which takes about 15 minutes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from _application import Application, bake
from _bundle_peers import This
from _service import serving
from _timing import compare, run

VERSION = "3.13.5"
ROUNDS = 15
OPTIONS = {
    "plain": "--enable-shared",
    "optimised": "--enable-shared --enable-optimizations --with-lto",
}
KEPT = Path.home() / ".cache/cookiecutter-quadrant/pythons"
LOOP = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

words = [str(fib(16) + n) for n in range(2000)]
counts = {word: sum(map(ord, word)) for word in words * 50}
text = ",".join(f"{word}={count}" for word, count in counts.items())
assert len(text.split(",")) == len(counts)
"""


def main() -> None:
    """Print three tables that compare the optimised interpreter with the plain one."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)  # a user without rights installs there
        programs = {name: installed(place, name, python(name)) for name in OPTIONS}

        def start(*command: str | Path) -> None:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

        version = {name: lambda _, p=p: start(p, "version") for name, p in programs.items()}
        ready = {name: serving([p], {"HOME": folder}) for name, p in programs.items()}
        homes = {name: p.parents[1] / "opt/my-service/current" for name, p in programs.items()}
        loop = {name: lambda _, h=home: start(h / "python/bin/python3", "-I", "-c", LOOP)
                for name, home in homes.items()}  # fmt: skip
        compare("to `version`", version, rounds=ROUNDS)
        compare("to the first /healthz", ready, rounds=ROUNDS)
        compare("a loop", loop, rounds=ROUNDS)


def python(name: str) -> Path:
    """Return the folder of an interpreter, built now if it is not there."""
    folder = Path(os.environ.get("BENCH_PYTHONS", KEPT)) / name
    if not (folder / "bin/python").exists():
        root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        builder = shutil.which("python-build") or root / "plugins/python-build/bin/python-build"
        print(f"building Python {VERSION} ({OPTIONS[name]}): some minutes", flush=True)
        run([builder, VERSION, folder], Path.home(), PYTHON_CONFIGURE_OPTS=OPTIONS[name])
    return folder


def installed(place: Path, name: str, interpreter: Path) -> Path:
    """Build a bundle that carries this interpreter, install it, and return its program."""
    own = place / name
    pyenv = own / "pyenv/versions"
    pyenv.mkdir(parents=True)
    (pyenv / VERSION).symlink_to(interpreter)
    app = Application(bake(own, VERSION.rpartition(".")[0]), own / "unused", Path(sys.executable))
    bundle = This(app, own)
    bundle.build(PYENV_ROOT=str(own / "pyenv"), INVOKE_DEPLOY_OFFLINE_SOURCE_INTERPRETER="local")
    size = next(bundle.output.iterdir()).stat().st_size
    print(f"{name}: a bundle of {size / 1_000_000:.1f} MB", flush=True)
    (program,) = bundle.install(bundle.folder())
    return Path(program)


if __name__ == "__main__":
    main()
