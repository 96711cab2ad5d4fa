"""Makes the application that the bundle and its peers carry: a baked project and 28 packages."""

import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

from _timing import run

ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = """
fastapi = "*"
httpx = "*"
pydantic-settings = "*"
python-multipart = "*"
structlog = "*"
"""
_CATALOGUE = '''\
"""What a service of this size imports at its start."""

import httpx
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic_settings import BaseSettings


class Item(BaseModel):
    name: str


class Limits(BaseSettings):
    items: int = 10


api = FastAPI()
client = httpx.AsyncClient


@api.get("/items")
async def items() -> list[Item]:
    return [Item(name="one")][: Limits().items]
'''
_MOUNT = """
from starlette.routing import Mount

from . import catalogue

app.router.routes.append(Mount("/catalogue", catalogue.api))
"""
STAMP = """{
  "version": "0.1.0", "commit": null, "release": "0.1.0",
  "program": {"kind": "service", "app": "my_service.app:app"}
}
"""
"""The release.json that the project's builds write into the package; its peers need one too."""


@dataclass(frozen=True)
class Application:
    """A project, its requirements, and the interpreter that it is built and run with."""

    project: Path
    requirements: Path
    """Every package with its version and hashes."""
    python: Path

    @property
    def source(self) -> Path:
        """The folder of its package."""
        return self.project / "src"

    def change(self, number: int) -> None:
        """Add a line to its code, a different one for each number."""
        with (self.source / "my_service/app.py").open("a") as file:
            file.write(f"CHANGE = {number}\n")


def bake(place: Path, version: str) -> Path:
    """Make a project for a Python version, and return its folder."""
    cookiecutter = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
    run([*cookiecutter, ROOT, f"python_version={version}"], place)
    return place / "my-service"


def make(place: Path) -> Application:
    """Bake the project, lock it with more packages, and let it import them."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    project = bake(place, version)
    pipfile = project / "Pipfile"
    text = pipfile.read_text("utf-8").replace("[packages]\n", f"[packages]{_PACKAGES}", 1)
    standard = 'uvicorn = {version = "*", extras = ["standard"]}'
    pipfile.write_text(text.replace('uvicorn = "*"', standard), encoding="utf-8")
    run(["pipenv", "lock", "--categories", "packages"], project, PIP_CONFIG_FILE=os.devnull)
    (project / "src/my_service/catalogue.py").write_text(_CATALOGUE, encoding="utf-8")
    with (project / "src/my_service/app.py").open("a", encoding="utf-8") as file:
        file.write(_MOUNT)
    lock = runpy.run_path(str(project / "tasks/lib/lock.py"))
    listing = place / "requirements.txt"
    listing.write_text(lock["requirements"](project / "Pipfile.lock", ["packages"]), "utf-8")
    base = Path(sys.base_prefix, "bin", f"python{version}")
    return Application(project, listing, base)
