"""A browser: what a program on a machine answers, with the cookies of earlier answers."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from .machine import Machine
from .service import PORT

_SCRIPT = """
import http.cookiejar, json, sys, urllib.error, urllib.parse, urllib.request as r
url, jar, fields = sys.argv[1], http.cookiejar.LWPCookieJar(sys.argv[2]), json.load(sys.stdin)
jar.load(ignore_discard=True)
opener = r.build_opener(r.ProxyHandler({}), r.HTTPCookieProcessor(jar))
data = urllib.parse.urlencode(fields).encode() if fields else None
try:
    answer = opener.open(url, data, timeout=20)
except urllib.error.HTTPError as error:
    answer = error
jar.save(ignore_discard=True)
with answer:
    text = answer.read().decode()
    json.dump([answer.status, answer.headers["Content-Type"], answer.url, text], sys.stdout)
"""


@dataclass(frozen=True)
class Page:
    """The answer to a request, after all redirects."""

    status: int
    type: str
    path: str
    text: str


class Browser:
    """Asks a machine's program from within the machine's network."""

    def __init__(self, machine: Machine, jar: Path) -> None:
        self._machine = machine
        self._jar = jar
        jar.write_text("#LWP-Cookies-2.0\n", encoding="utf-8")

    def get(self, path: str) -> Page:
        """Ask for a page."""
        return self._ask(path, {})

    def submit(self, path: str, **fields: str) -> Page:
        """Fill in the form on a page, which has hidden fields of its own, and send it there."""
        form = self.get(path)
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.text)
        return self._ask(path, {**dict(hidden), **fields})

    def _ask(self, path: str, fields: dict[str, str]) -> Page:
        url = f"http://127.0.0.1:{PORT}{path}"
        asked = self._machine.beside(sys.executable, "-c", _SCRIPT, url, self._jar)
        said, wrong = asked.communicate(json.dumps(fields), timeout=30)
        assert not wrong, wrong
        status, kind, at, text = json.loads(said)
        return Page(status, kind, str(at).partition(f":{PORT}")[2], text)
