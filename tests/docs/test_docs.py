"""The documents are true: links have targets, every command and setting is described, decisions follow the template."""

import argparse
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository import REPOSITORY
from wildpost.cli.main import parser

PACKAGES = ["contract", "captures", "i18n", "models", "casebook", "edge", "ingest", "pipelines", "review", "wildpost"]


def tracked(*patterns: str) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [REPOSITORY / line for line in listing.splitlines() if (REPOSITORY / line).is_file()]


def anchors(page: Path) -> set[str]:
    """Name a page's headings the way the usual forges do."""
    headings = re.findall(r"^#+ +(.+?) *$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(level: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield level
    for action in level._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from commands(below)


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page}: {target} does not exist"
        assert not anchor or anchor in anchors(file), f"{page}: {target} names no heading of {file.name}"


def test_every_command_and_option_is_described() -> None:
    page = (REPOSITORY / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    for command in commands(parser()):
        assert f"`{command.prog}`" in page, f"docs/reference/commands.md does not describe `{command.prog}`"
        for action in command._actions:
            for option in action.option_strings:
                if option.startswith("--") and option != "--help":
                    assert f"`{option}" in page, f"docs/reference/commands.md does not describe {command.prog} {option}"


def test_every_command_says_what_it_is_for() -> None:
    for command in commands(parser()):
        assert command.description, f"{command.prog} has no description"


def test_every_page_is_linked_from_the_index() -> None:
    index = (REPOSITORY / "docs" / "index.md").read_text(encoding="utf-8")
    for page in tracked("docs/*.md"):
        name = page.relative_to(REPOSITORY / "docs").as_posix()
        if name != "index.md" and not name.startswith("decisions/0"):
            assert f"({name})" in index, f"docs/index.md does not link to {name}"


def decisions() -> list[Path]:
    return [page for page in tracked("docs/decisions/*.md") if page.name != "README.md"]


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    index = (REPOSITORY / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    for number, page in enumerate(sorted(decisions()), start=1):
        title = page.read_text(encoding="utf-8").splitlines()[0]
        assert page.name.startswith(f"{number:04d}-"), f"expected decision {number:04d}, found {page.name}"
        assert title.startswith(f"# {number}. "), f"{page.name}: expected a title with its number, found {title!r}"
        line = f"| {number} | [{title.removeprefix(f'# {number}. ')}]({page.name}) |"
        assert line in index, f"docs/decisions/README.md does not list: {line}"


@pytest.mark.parametrize("page", decisions(), ids=lambda page: page.stem)
def test_a_decision_follows_the_template(page: Path) -> None:
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences"]


def test_no_file_of_code_holds_more_than_one_idea() -> None:
    long = {
        str(file.relative_to(REPOSITORY)): lines
        for file in tracked("*.py")
        if not file.is_relative_to(REPOSITORY / "tests")
        and (lines := len(file.read_text(encoding="utf-8").splitlines())) > 320
    }
    assert not long, f"more than 320 lines: {long}"


def test_no_other_distribution_owns_our_package_names() -> None:
    from importlib.metadata import packages_distributions

    owners = packages_distributions()
    for package in PACKAGES:
        assert set(owners.get(package, [])) <= {"wildpost"}, f"{package} also belongs to {owners[package]}"


def test_the_changelog_speaks_of_this_version() -> None:
    import tomllib

    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"## {version}" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
