"""Puts the pages of documentation where a generator makes a site of them.

The pages link to each other as they lie in the project, so that they can be read there and on the
server of the repository. The generator gets a copy in which they lie in the same way.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from ..lib.project import Project

_BESIDE = ("*.md", "LICENSE")
"""What pages link to besides `docs/`."""


def prepare(project: Project, work: Path, site: Path) -> Path:
    """Copy the pages into an empty folder, and return the generator's configuration there.

    The site goes to the folder `site`. What that configuration may hold:
    https://properdocs.org/user-guide/configuration/
    """
    shutil.rmtree(work, ignore_errors=True)
    pages = work / "pages"
    shutil.copytree(project.root / "docs", pages / "docs")
    for pattern in _BESIDE:
        for path in project.root.glob(pattern):
            shutil.copy(path, pages)
    configuration = work / "properdocs.yml"
    text = json.dumps(_settings(project, pages, site), indent=2)  # JSON is YAML too
    configuration.write_text(text, encoding="utf-8")
    return configuration


def _settings(project: Project, pages: Path, site: Path) -> dict[str, Any]:
    links = ("absolute_links", "anchors", "not_found", "unrecognized_links")
    return {
        "site_name": project.name,
        "site_description": project.description,
        "docs_dir": str(pages),
        "site_dir": str(site),
        "theme": {"name": "mkdocs"},
        "plugins": ["search"],
        "strict": True,
        "use_directory_urls": False,  # so that it can be read without a web server
        "validation": {"links": dict.fromkeys(links, "warn")},
    }
