"""Give the project the files of its kind and its pipelines, and take away those of others.

What stands in the project is a service. A folder in kinds/ has the files that another kind adds or
replaces, and REMOVED names those that it does not have.
"""

import shutil
from pathlib import Path

KIND = "{{ cookiecutter.kind }}"
CI = "{{ cookiecutter.ci }}"
PACKAGE = "{{ cookiecutter.__package }}"
SERVING = """access_log asgi connection conversation exchange link limits listener middleware
    readiness server service shared_metrics sockets websocket workers""".split()
RUNNING = """check cli commands common declared ending environment facts flood health_socket hook
    log_line logs metrics notify preparation registry rules serve settings""".split()
TESTS_OF_SERVING = """apps load program test_access_log test_connection test_hold test_life
    test_limits test_observe test_readiness test_serve test_service test_stop test_stream
    test_websocket test_workers""".split()
TESTS_OF_RUNNING = """fixtures process start test_before_switch test_check test_commands test_facts
    test_flood test_log_line test_notify test_reference test_settings""".split()
OF_A_SERVICE = [
    "deploy/ansible/roles/firewall",
    "docs/frameworks",
    f"src/{PACKAGE}/app.py",
    *(f"src/{PACKAGE}/runtime/{module}.py" for module in SERVING),
    "tests/test_app.py",
    *(f"tests/runtime/{module}.py" for module in TESTS_OF_SERVING),
]
REMOVED = {  # folders and files, by the kind that does not have them
    "service": [],
    "worker": [
        *OF_A_SERVICE,
        "deploy/ansible/roles/units/templates/listen.conf.j2",
        "deploy/ansible/roles/units/vars",
        "deploy/units/socket.in",
        "docs/switch.svg",
    ],
    "cli": [
        *OF_A_SERVICE,
        *(f"deploy/ansible/roles/{role}" for role in ("account", "journal", "units")),
        "deploy/units",
        "docs/switch.svg",
        *(f"src/{PACKAGE}/runtime/{module}.py" for module in RUNNING),
        *(f"tests/runtime/{module}.py" for module in TESTS_OF_RUNNING),
    ],
}
PIPELINES = {  # folders and files, by the provider of pipelines that has them
    "github": [".github"],
    "gitlab": [".gitlab", ".gitlab-ci.yml"],
    "jenkins": ["Jenkinsfile"],
}


def unchosen(ci: str) -> list[str]:
    """Return the folders and files of the providers that do not run the project's pipelines."""
    return [name for key in PIPELINES for name in PIPELINES[key] if ci not in {key, "all"}]


def choose(project: Path, removed: list[str], own: Path) -> None:
    """Remove what a project does not have, and lay the files of its kind over the others."""
    for name in removed:
        path = project / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if own.is_dir():
        shutil.copytree(own, project, dirs_exist_ok=True)
    shutil.rmtree(project / "kinds")


if __name__ == "__main__":
    choose(Path(), [*REMOVED[KIND], *unchosen(CI)], Path("kinds", KIND))
