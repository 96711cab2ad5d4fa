"""Services on loopback that tests serve: a package index, and advisories about packages."""

import hashlib
import json
import re
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from packaging.version import Version


def wheel(folder: Path, name: str, version: str, *, licence: str = "MIT") -> Path:
    """Make a wheel with one module; return its path."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    lines = (f"Name: {name}", f"Version: {version}", f"License-Expression: {licence}")
    texts = {
        f"{module}.py": f"VERSION = '{version}'\n",
        f"{info}/METADATA": "\n".join(("Metadata-Version: 2.4", *lines, "")),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    texts[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in (*texts, f"{info}/RECORD"))
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in texts.items():
            member = zipfile.ZipInfo(file)  # dated 1980: the same hash each time
            member.external_attr = 0o644 << 16
            archive.writestr(member, text)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    def answer(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base's name)
        pass


class _Index(_Handler):
    """Serves the wheels of a folder in the form of PEP 503."""

    def __init__(self, folder: Path, *args: Any) -> None:
        self.folder = folder
        super().__init__(*args)

    def do_GET(self) -> None:
        kind, name = (*self.path.strip("/").split("/"), "")[:2]
        if kind == "files" and (self.folder / Path(name).name).is_file():
            body = (self.folder / Path(name).name).read_bytes()
            self.answer(200, body, "application/octet-stream")
            return
        found = sorted(self.folder.glob(f"{name.replace('-', '_')}-*.whl")) if name else []
        links = (f'<a href="/files/{f.name}#sha256={sha256(f)}">{f.name}</a><br>' for f in found)
        page = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"
        self.answer(200 if kind == "simple" and found else 404, page.encode(), "text/html")


class Advisories(ThreadingHTTPServer):
    """A service that answers as OSV does, from the records that it is given."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Osv)
        self.records: list[Mapping[str, Any]] = []
        self.broken = False
        self.always: object = None
        """What is answered instead, if it is anything."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/query"


class _Osv(_Handler):
    server: Advisories

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = [record for record in self.server.records if _is_about(record, query)]
        page = int(query.get("page_token", "0"))  # a record on each page
        answer: dict[str, Any] = {"vulns": found[page : page + 1]}
        if page + 1 < len(found):
            answer["next_page_token"] = str(page + 1)
        body = json.dumps(answer if self.server.always is None else self.server.always).encode()
        self.answer(503 if self.server.broken else 200, body, "application/json")


def _is_about(record: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    """Return whether a record is about the package, and the version if one is asked about."""
    for part in record["affected"]:
        if part["package"]["name"] == query["package"]["name"]:
            wanted = query.get("version")
            fixed = part["ranges"][0]["events"][1]["fixed"]
            if wanted is None or Version(wanted) < Version(fixed):
                return True
    return False


def advisory(number: str, package: str, fixed: str, *versions: str) -> dict[str, Any]:
    """Return a record of OSV about all versions of a package before `fixed`."""
    events = [{"introduced": "0"}, {"fixed": fixed}]
    return {
        "id": number,
        "modified": "2026-01-01T00:00:00Z",
        "aliases": [re.sub(r"^\w+", "CVE", number)],
        "summary": "It does what it should not",
        "details": "A long text. " * 200,
        "affected": [{
            "package": {"ecosystem": "PyPI", "name": package, "purl": f"pkg:pypi/{package}"},
            "ranges": [{"type": "ECOSYSTEM", "events": events}],
            "versions": list(versions),
        }],
    }  # fmt: skip


def carried(path: Path, asked: Iterable[str], *records: Mapping[str, Any]) -> Path:
    """Write a file of advisories as `invoke deps.advisories` does, for a machine; return it."""
    known = {"format": 1, "made": "2026-01-01T00:00:00Z", "service": "a test"}
    content = {**known, "asked": {name: [] for name in asked}, "vulns": records}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@contextmanager
def index(folder: Path) -> Iterator[str]:
    """Serve the wheels of a folder on loopback; yield the URL of the index."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Index, folder)) as server, _running(server):
        yield f"http://127.0.0.1:{server.server_port}/simple"


@contextmanager
def advisories(*records: Mapping[str, Any]) -> Iterator[Advisories]:
    """Serve advisories on loopback."""
    with Advisories() as server, _running(server):
        server.records = list(records)
        yield server


@contextmanager
def _running(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
