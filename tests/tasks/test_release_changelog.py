"""tasks.release.changelog: no line is lost, and each version has one section."""

import pytest
from tasks.release import changelog

HEAD = "# Changelog\n\nAbout it.\n\n"
GENERATED = """\
## 1.2.0 (2026-11-26)

### BREAKING CHANGE

- no less

### Feat

- **api**: serve more

### Fix

- mend it

### Refactor

- tidy
"""
OLD = "## [1.1.0] - 2026-01-01\n\n### Added\n\n- Old.\n"
DAY = "2026-11-26"


def test_what_a_person_wrote_comes_first_and_stays() -> None:
    written = (
        "## [Unreleased]\n\nA word.\n\n### Fixed\n\n- By hand.\n- mend it\n\n### Security\n\n- S.\n"
    )
    made = changelog.released(f"{HEAD}{written}\n{OLD}", "1.2.0", DAY, GENERATED)
    assert made == (
        f"{HEAD}## [Unreleased]\n\n## [1.2.0] - {DAY}\n\n"
        "A word.\n\n"
        "### Fixed\n\n- By hand.\n- mend it\n\n"
        "### Security\n\n- S.\n\n"
        "### Changed\n\n- **Breaking**: no less\n- tidy\n\n"
        "### Added\n\n- **api**: serve more\n\n"
        f"{OLD}"
    )
    assert changelog.released(made, "1.2.0", DAY, GENERATED) == made
    assert changelog.section(made, "1.1.0") == "### Added\n\n- Old.\n"
    assert changelog.section(made, "1.3.0") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{HEAD}## [Unreleased]\n", f"{HEAD}## [Unreleased]\n\n## [1.2.0] - {DAY}\n\n{{first}}"),
        (HEAD, f"{HEAD}## [Unreleased]\n\n## [1.2.0] - {DAY}\n\n{{first}}"),
        ("", f"\n\n## [Unreleased]\n\n## [1.2.0] - {DAY}\n\n{{first}}"),
        (f"{HEAD}{OLD}", f"{HEAD}## [Unreleased]\n\n## [1.2.0] - {DAY}\n\n{{quiet}}\n{OLD}"),
        (
            f"{HEAD}## Unreleased\n\n{OLD}\n[1.1.0]: https://example.com\n",
            f"{HEAD}## Unreleased\n\n## [1.2.0] - {DAY}\n\n{{quiet}}\n{OLD}\n"
            "[1.1.0]: https://example.com\n",
        ),
        (
            f"{HEAD}## [Unreleased]\n\n- A.\n\n[Unreleased]: https://example.com\n",
            f"{HEAD}## [Unreleased]\n\n## [1.2.0] - {DAY}\n\n- A.\n\n"
            "[Unreleased]: https://example.com\n",
        ),
    ],
)
def test_every_form_of_changelog(before: str, after: str) -> None:
    texts = {"first": "The first release.\n", "quiet": "Nothing that its users would notice.\n"}
    assert changelog.released(before, "1.2.0", DAY, "") == after.format(**texts)


def test_generated_titles_alone() -> None:
    made = changelog.merged("", GENERATED)
    assert made.startswith("### Changed\n\n- **Breaking**: no less\n- tidy\n\n### Added\n")
    assert made.endswith("### Fixed\n\n- mend it\n")
    assert changelog.merged("\n\n", "") == ""
