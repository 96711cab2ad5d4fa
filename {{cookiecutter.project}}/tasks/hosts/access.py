"""Gives Ansible a key that a pipeline holds as a secret.

DEPLOY_SSH_KEY is a private key, DEPLOY_KNOWN_HOSTS the hosts' own keys as known_hosts(5) has them;
each is either the text itself or the path of a file that holds it, as servers of pipelines differ.
"""

from collections.abc import Mapping
from pathlib import Path

from ..lib.console import TaskError

KEY, KNOWN = "DEPLOY_SSH_KEY", "DEPLOY_KNOWN_HOSTS"


def environment(environ: Mapping[str, str], work: Path) -> dict[str, str]:
    """Return an environment in which Ansible uses the key; `work` is a folder for it.

    Raises `TaskError` for a variable that names a file which cannot be read. No value is ever part
    of a message.
    """
    made = {name: value for name, value in environ.items() if name not in {KEY, KNOWN}}
    if environ.get(KEY):
        made["ANSIBLE_PRIVATE_KEY_FILE"] = str(_written(environ, KEY, work))
    if environ.get(KNOWN):
        known = f"-o UserKnownHostsFile={_written(environ, KNOWN, work)}"
        before = environ.get("ANSIBLE_SSH_EXTRA_ARGS", "")
        made["ANSIBLE_SSH_EXTRA_ARGS"] = f"{before} {known}".strip()
    return made


def _written(environ: Mapping[str, str], name: str, work: Path) -> Path:
    value = environ[name]
    if "\n" not in value.strip() and value.startswith("/"):
        try:
            value = Path(value).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise TaskError(f"{name} names a file that cannot be read") from None
    file = work / name.lower()
    file.touch(mode=0o600)
    file.write_text(value.rstrip("\r\n").replace("\r\n", "\n") + "\n", encoding="utf-8")
    return file
