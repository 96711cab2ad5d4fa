"""tasks.deploy.build.loading: what was built imports all distributions, or the error names them."""

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path, PurePosixPath

import pytest
from tasks.deploy.build import SCRIPTS, loading
from tasks.deploy.scripts import imports, modules, named
from tasks.lib.console import TaskError

from tests.support import run

HERE = Path(sys.executable)
SETTING = "deploy.offline_binary"
BROUGHT = {
    "numpy/__init__.py numpy/core/__init__.py numpy/core/x.py numpy.libs/libopenblas.so": ["numpy"],
    "six.py __pycache__/six.cpython-313.pyc": ["six"],
    f"_cffi_backend{EXTENSION_SUFFIXES[0]} cffi/__init__.py": ["_cffi_backend", "cffi"],
    "google/protobuf/__init__.py google/_upb/_message.abi3.so": [
        "google._upb._message",
        "google.protobuf",
    ],
    "zope/interface/__init__.py zope/interface/common/__init__.py zope/one.py": [
        "zope.interface",
        "zope.one",
    ],
    "a/__init__.py a-1.0.dist-info/METADATA ../../../bin/a ../../../share/x.py": ["a"],
    "a/__init__.py tests/__init__.py tests/test_a.py": ["a"],
    "native/__init__.abi3.so native/other.py": ["native"],
    "types-stubs/__init__.pyi types_only/py.typed data.json hook.pth": [],
    "plain/__main__.py": [],
}


@pytest.mark.parametrize("files", BROUGHT)
def test_a_distribution_is_imported_by_its_outermost_modules(files: str) -> None:
    assert modules.outermost(map(PurePosixPath, files.split())) == BROUGHT[files]


def test_an_environment_is_asked(tmp_path: Path) -> None:
    listed = loading.modules(HERE, "click", "PyYAML", "colorama-not-here")
    assert listed == ["_yaml", "click", "yaml"]
    assert {"_yaml", "click", "pytest", "yaml"} <= set(loading.modules(HERE))


@pytest.fixture
def ask(tmp_path: Path) -> list[str | Path]:
    """Return the command that imports modules from a folder."""
    start = (
        "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_path(sys.argv.pop(1))"
    )
    return [sys.executable, "-c", start, tmp_path, SCRIPTS / "probe.py"]


FAILING = {
    "import no_such_module": (
        "No module named 'no_such_module'",
        "add no_such_module to deploy.offline_binary.hidden_imports",
    ),
    "from email import no_such_module": (
        "cannot import name 'no_such_module' from 'email'",
        "add email.no_such_module to deploy.offline_binary.hidden_imports",
    ),
    "open('/no/such/data.json')": (
        "[Errno 2] No such file or directory: '/no/such/data.json'",
        "add failing to deploy.offline_binary.collect_data",
    ),
    # numpy raises a page of text like this from the error that matters.
    "try:\n    raise ImportError('x.so: ELF load command')\n"
    "except ImportError as error:\n    raise ImportError('PLEASE\\nREAD\\nTHIS') from error": (
        "x.so: ELF load command",
        "",
    ),
    "raise SystemExit(0)": ("0", ""),
    "raise ValueError": ("ValueError", ""),
    "import os; os._exit(0)": ("it ended with exit code 0", ""),
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": ("it ended with exit code -11", ""),
}


@pytest.mark.parametrize("code", FAILING)
def test_what_cannot_be_imported_is_told(code: str, ask: list[str | Path], tmp_path: Path) -> None:
    reason, hint = FAILING[code]
    (tmp_path / "good.py").write_text("print('good', end='')\nprint('imported all')\n")
    (tmp_path / "failing.py").write_text(code)
    with pytest.raises(TaskError) as refused:
        loading.check(ask, ["good", "failing"], tmp_path, HERE, settings=SETTING)
    told = f"failing cannot be imported in what was built: {reason}"
    assert str(refused.value) == f"{told} ({hint} in invoke.yaml)" if hint else told
    with pytest.raises(TaskError) as refused:
        loading.check(ask, ["failing", "good"], tmp_path, HERE)
    assert str(refused.value) == told


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Return the Python of an environment with two distributions; each lacks what it may need."""
    run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], cwd=tmp_path)
    [site] = (tmp_path / "venv").glob("lib/python*/site-packages")
    lacks = "try:\n    import driver\nexcept ImportError as why:\n    raise ImportError from why\n"
    files = {"base.py": "", "base_driver.py": lacks, "alone.py": "import driver\n"}
    for name, text in files.items():
        (site / name).write_text(text)
    for name in ("base", "alone"):
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "RECORD").write_text("".join(f"{f},,\n" for f in files if f.startswith(name)))
    return tmp_path / "venv/bin/python"


def test_what_is_for_those_who_install_more_is_not_tried(
    python: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As duckdb's wheel, which has a module for those who have adbc_driver_manager too."""
    ask: list[str | Path] = [python, "-I", SCRIPTS / "probe.py"]
    loading.check(ask, loading.modules(python, "base"), tmp_path, python, settings=SETTING)
    said = capsys.readouterr().out
    assert said == "  base_driver is not tried: it needs driver, which is not in the lock\n"
    with pytest.raises(TaskError) as refused:
        loading.check(ask, loading.modules(python), tmp_path, python, settings=SETTING)
    assert str(refused.value) == (
        "alone cannot be imported in what was built: No module named 'driver' "
        "(it is not in the lock: add it to the Pipfile)"
    )
    # What is in the lock is never left out.
    (python.parents[1] / "driver.py").write_text("")
    built: list[str | Path] = [sys.executable, "-I", SCRIPTS / "probe.py"]
    with pytest.raises(TaskError, match=r"^base cannot .*\(add base to .*\n  base_driver cannot "):
        loading.check(built, ["base", "base_driver"], tmp_path, python, settings=SETTING)


def test_all_that_fails_is_told(ask: list[str | Path], tmp_path: Path) -> None:
    with pytest.raises(TaskError) as refused:
        loading.check(ask, ["no_a", "json", "no_b"], tmp_path, HERE)
    assert [line.split()[0] for line in str(refused.value).splitlines()] == ["no_a", "no_b"]


def test_what_an_import_leaves_is_gone(ask: list[str | Path], tmp_path: Path) -> None:
    code = "import os\nos.makedirs('{0}/a/b')\nopen('{0}/a/b/c', 'w').close()\n"
    (tmp_path / "good.py").write_text(code.format(tmp_path))
    loading.check(ask, ["good"], tmp_path, HERE)
    assert [path.name for path in tmp_path.iterdir()] == ["good.py"]


def test_what_does_not_even_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"^what was built does not start: .* exit code 3$"):
        loading.check([sys.executable, "-c", "raise SystemExit(3)"], ["json"], tmp_path, HERE)


GUNICORN = b'''
class Logger(Setting):
    default = "gunicorn.glogging.Logger"
    other = 'gunicorn.workers.sync:SyncWorker'
    desc = """Such as "gunicorn.statsd", gunicorn.arbiter, "gunicorn.nothing.Here", "os.path"."""
    config, half = "gunicorn.config', "gunicorn"
'''


def test_a_module_in_a_string_is_seen() -> None:
    known = {"gunicorn", "gunicorn.glogging", "gunicorn.workers", "gunicorn.workers.sync",
             "gunicorn.statsd", "gunicorn.arbiter", "gunicorn.config"}  # fmt: skip
    found = ["gunicorn.glogging", "gunicorn.workers.sync", "gunicorn.statsd"]
    assert list(named.named(GUNICORN, known)) == found


def test_the_modules_of_distributions_are_looked_through(tmp_path: Path) -> None:
    said = run([sys.executable, "-I", named.__file__, "cookiecutter", "not-here"], cwd=tmp_path)
    assert '"cookiecutter.extensions"' in said.stdout  # environment.py names it in a string


def test_the_projects_own_strings_are_seen(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/main.py").write_text(
        'A = "logging.handlers.SysLogHandler"\nB = "wsgiref.x:y"\n'
    )
    assert imports.external(tmp_path / "own") == ["logging.handlers"]
