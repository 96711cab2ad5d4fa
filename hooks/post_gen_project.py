"""Give the project the files of its kind, and take away those of other kinds.

What stands in the project is a service. A folder in kinds/ has the files that another kind adds or
replaces, and REMOVED names those that it does not have.
"""

import shutil
from pathlib import Path

KIND = "{{ cookiecutter.kind }}"
PACKAGE = "{{ cookiecutter.__package }}"
SERVING = """asgi check cli connection conversation ending exchange facts flood health heart limits
    link listener logs metrics middleware notify preparation readiness server service settings
    shared_metrics sockets websocket worker workers""".split()
TESTS = """apps load program start test_before_switch test_check test_connection test_facts
    test_flood test_hold test_limits test_notify test_observe test_readiness test_serve test_service
    test_settings test_stop test_stream test_websocket test_worker test_workers workers""".split()
REMOVED = {  # folders and files, by the kind that does not have them
    "service": [],
    "cli": [
        "deploy/units",
        *(f"deploy/ansible/roles/{role}" for role in ("account", "firewall", "journal", "units")),
        "docs/switch.svg",
        f"src/{PACKAGE}/app.py",
        *(f"src/{PACKAGE}/runtime/{module}.py" for module in SERVING),
        "tests/test_app.py",
        *(f"tests/runtime/{module}.py" for module in TESTS),
    ],
}


def choose(project: Path, removed: list[str], own: Path) -> None:
    """Remove what a project does not have, and lay the files of its kind over the others."""
    for name in removed:
        path = project / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if own.is_dir():
        shutil.copytree(own, project, dirs_exist_ok=True)
    shutil.rmtree(project / "kinds")


if __name__ == "__main__":
    choose(Path(), REMOVED[KIND], Path("kinds", KIND))
