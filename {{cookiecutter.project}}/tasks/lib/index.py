"""Names a package index in the Pipfile: pip's on this machine, or one that is given.

Where a Pipfile names none, Pipenv takes the machine's into the hash by which it knows the Pipfile:
a lock then fits on machines with the same pip settings alone.
"""

import ast
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from . import files, lock
from .console import TaskError
from .environment import interpreter
from .pipenv import text
from .process import run
from .project import Project

_SETTING = re.compile(r"(?m)^(global|install|:env:)\.(index-url|trusted-host)=(.*)$")
_RANKS = ["global", "install", ":env:"]  # what comes later overrides
_SECRETS = ("INDEX_USER", "INDEX_PASSWORD")


def name(project: Project, url: str = "") -> tuple[dict[str, Any], list[str]]:
    """Write an index into the Pipfile, and its hash into the lock, whose packages stay as they are.

    Return what was written, and the environment variables that replace a user and a password.
    Raises `TaskError` for a URL that is none, `LockError` for a lock that does not fit.
    """
    path = project.lock.with_name("Pipfile")
    pipfile = lock.read_pipfile(path)
    if found := pipfile.get("source"):
        raise TaskError(f"the Pipfile names an index already: {found[0].get('url')}")
    lock.require_fitting(project.lock)
    settings = _settings(project)
    url, taken_out = _without_secrets(url or settings.get("index-url") or lock.USUAL[0]["url"])
    host = urlsplit(url).hostname
    trusted = bool(host) and host in settings.get("trusted-host", "").split()
    source = {"name": "index", "url": url, "verify_ssl": url.startswith("https:") and not trusted}
    named = _added(path.read_text(encoding="utf-8"), source)
    content = lock.read(project.lock)
    content["_meta"]["sources"] = []
    content["_meta"]["hash"] = {"sha256": lock.fingerprint(pipfile, [source])}
    for section in content.keys() - {"_meta"}:
        for entry in content[section].values():
            entry.pop("index", None)
    files.replace(path, named)
    files.replace(project.lock, text(content))
    return source, taken_out


def _settings(project: Project) -> dict[str, str]:
    """Return pip's settings that concern its index, as the project's Python reads them."""
    said = run([interpreter(project).path, "-m", "pip", "config", "list"])
    found = _SETTING.findall(said)
    found.sort(key=lambda row: _RANKS.index(row[0]))
    return {setting: str(ast.literal_eval(value)) for _, setting, value in found}


def _without_secrets(url: str) -> tuple[str, list[str]]:
    """Return a URL with variables in place of user and password, and the variables' names."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https", "file"} or not (parts.netloc or parts.path):
        raise TaskError(f"the index is '{url}': expected a URL such as https://HOST/simple")
    secrets, _, host = parts.netloc.rpartition("@")
    names = [_SECRETS[place] for place, _ in enumerate(secrets.split(":", 1))] if secrets else []
    variables = ":".join(f"${{{variable}}}" for variable in names)
    netloc = f"{variables}@{host}" if names else host
    return urlunsplit(parts._replace(netloc=netloc)), names


def _added(pipfile: str, source: dict[str, Any]) -> str:
    """Return a Pipfile's text with an index before its first table."""
    secure = str(source["verify_ssl"]).lower()
    rows = f'name = "{source["name"]}"\nurl = "{source["url"]}"\nverify_ssl = {secure}\n'
    return re.sub(r"(?m)^(?=\[)", lambda _: f"[[source]]\n{rows}\n", pipfile, count=1)
