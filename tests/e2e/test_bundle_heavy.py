"""A second project on the machine, with dependencies that bring libraries of their own.

heavy/Pipfile.lock lists them.
"""

import json
import tarfile
import textwrap
from pathlib import Path

import pytest
from tasks.deploy.build import publish

from tests.conftest import Bake
from tests.support import commit, offered_here, run

from . import bundles
from .conftest import NewMachine
from .machine import Machine
from .releases import Releases, invoke
from .service import active, answer, put, whole

NAME = "data-service"
PORT = 8010
BASE = f"/opt/{NAME}"
LOCK = Path(__file__).parent / "heavy" / "Pipfile.lock"
# Each line makes a dependency use its libraries.
USE = """
import docopt, io, json, duckdb, lxml.etree, numpy, orjson, pandas, psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from PIL import Image
from sklearn.linear_model import LinearRegression
cipher, nonce = AESGCM(AESGCM.generate_key(128)), bytes(12)
picture, frame = io.BytesIO(), pandas.DataFrame({"x": [1.0, 2.0, 3.0], "y": [3.0, 5.0, 7.0]})
Image.new("RGB", (8, 4), "red").save(picture, "JPEG")
print(json.dumps({
    "numpy": float(numpy.linalg.inv(numpy.array([[2.0, 0.0], [0.0, 4.0]])).sum()),
    "cryptography": cipher.decrypt(nonce, cipher.encrypt(nonce, b"x", b""), b"").decode(),
    "lxml": lxml.etree.XML("<a><b>1</b></a>").xpath("string(//b)"),
    "psycopg": psycopg.pq.__impl__,
    "docopt": docopt.docopt("usage: x [--y]", ["--y"])["--y"],
    "orjson": orjson.loads(orjson.dumps({"a": numpy.arange(2)}, option=orjson.OPT_SERIALIZE_NUMPY)),
    "pillow": Image.open(picture).resize((2, 2)).size,
    "duckdb": duckdb.sql("SELECT sum(y) FROM frame").fetchall()[0][0],
    "pandas": frame.groupby(frame.x > 1)["y"].sum().tolist(),
    "scikit-learn": round(float(LinearRegression().fit(frame[["x"]], frame.y).coef_[0]), 6),
}))
"""
# There are no such packages, so nothing can be built where a marker is not judged for the target.
NOT_HERE = {
    name: {"version": "==1.0", "hashes": [f"sha256:{'0' * 64}"], "markers": marker}
    for name, marker in {
        "elsewhere": "sys_platform == 'win32'",
        "never": "python_version < '3.0'",
    }.items()
}
USED = {
    "numpy": 0.75,
    "cryptography": "x",
    "lxml": "1",
    "psycopg": "binary",
    "docopt": True,
    "orjson": {"a": [0, 1]},
    "pillow": [2, 2],
    "duckdb": 15.0,
    "pandas": [3.0, 12.0],
    "scikit-learn": 2.0,
}


@pytest.fixture(scope="module")
def project(bake: Bake) -> Path:
    """Return the project."""
    project = bake(project=NAME, python_version=offered_here())
    lock = project / "Pipfile.lock"
    content = json.loads(lock.read_text())
    content["default"] = json.loads(LOCK.read_text())["default"] | content["default"] | NOT_HERE
    lock.write_text(json.dumps(content, indent=4))
    socket = project / "deploy/units/socket.in"
    socket.write_text(socket.read_text().replace("127.0.0.1:8000\n", f"127.0.0.1:{PORT}\n"))
    commit(project)
    return project


@pytest.fixture(scope="module")
def published(project: Path) -> Path:
    """Return the folder of its published bundle."""
    invoke(project, "deploy.offline-source")
    return project / "dist/offline-source"


@pytest.fixture(scope="module")
def single(published: Path) -> Path:
    (found,) = published.glob("*.run")
    return found


def use(machine: Machine) -> dict[str, object]:
    """Let every dependency do something, in a process of the installed interpreter."""
    machine.path("/root/use.py").write_text(USE)
    said = machine.run(f"{BASE}/current/python/bin/python3", "/root/use.py").stdout
    return dict(json.loads(said))


def test_what_came_as_source_became_a_wheel(published: Path) -> None:
    made = publish.read_manifest(published)["built_from_source"]
    assert [name.partition("-")[0] for name in made] == ["docopt"]


def test_the_packaged_program_has_them_as_they_came(project: Path, tmp_path: Path) -> None:
    """`strip` breaks numpy's libraries, which shows only when they are used."""
    code, settings = project / "src/data_service/runtime/cli.py", project / "invoke.yaml"
    before = {path: path.read_text() for path in (code, settings)}
    command = "\n\n@main.command()\ndef use() -> None:\n"
    code.write_text(before[code] + command + textwrap.indent(USE, "    "))
    settings.write_text(before[settings].replace("packages: [deb, rpm]", "packages: []"))
    try:
        invoke(project, "deploy.offline-binary")
    finally:
        for path, text in before.items():
            path.write_text(text)
    with tarfile.open(next((project / "dist/offline-binary").glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (program,) = tmp_path.glob(f"*/bin/{NAME}")
    assert json.loads(run([program, "use"], cwd=tmp_path).stdout) == USED
    # The build machine's own library is small, since its symbols are stripped.
    (library,) = program.parent.glob("_internal/libpython3.*.so.1.0")
    assert ".symtab" not in run(["readelf", "--sections", library], cwd=tmp_path).stdout


def test_markers_are_judged_for_the_target(single: Path, tmp_path: Path) -> None:
    run(["sh", single, "--extract", tmp_path], cwd=tmp_path)
    wheels = tmp_path / NAME / "PyPI"
    lines = (wheels / "requirements.txt").read_text().splitlines()
    named = {line.partition("==")[0] for line in lines}
    assert named >= {"numpy", "docopt"}
    assert not named & NOT_HERE.keys()


@pytest.mark.parametrize("kind", ["plain", "old", "busybox"])
def test_it_installs_and_works_on(kind: str, new_machine: NewMachine, single: Path) -> None:
    machine = new_machine(kind)
    machine.run("sh", put(machine, single))
    assert machine.run(NAME, "version").stdout.startswith(f"{NAME} 0.1.0+")
    assert use(machine) == USED
    program = f"{BASE}/current/bin/{NAME}"
    with bundles.serving(machine, program, "0.1.0", PORT):
        pass


def test_two_projects_live_on_one_machine(
    new_machine: NewMachine, releases: Releases, single: Path
) -> None:
    machine = new_machine("systemd")
    bundles.install(machine, releases["old"])
    said = machine.run("sh", put(machine, single)).stdout
    assert f"{NAME}: 0.1.0 is active and healthy at http://127.0.0.1:{PORT}\n" in said
    assert use(machine) == USED
    bundles.install(machine, releases["new"])
    assert (answer(machine), answer(machine, PORT)) == ("0.2.0", "0.1.0")
    assert (active(machine), active(machine, BASE)) == ("0.2.0", "0.1.0")
    machine.run(f"{BASE}/current/bin/{NAME}-admin", "uninstall", "--purge")
    assert machine.run("find", "/", "-xdev", "-name", f"*{NAME}*", "-not", "-path", "/proc/*",
                       "-not", "-path", "/root/*").stdout == ""  # fmt: skip
    bundles.assert_untouched(machine, "0.2.0")
    assert whole(machine, "0.1.0")
