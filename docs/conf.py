"""Sphinx settings of the documentation site, built by `make docs` into `site/`.

The source folder is the repository's root, so that pages link to model cards, settings and the changelog with the same
relative paths as on a forge. The navigation is kept here, so that pages are plain Markdown.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

project = "Wildpost 野哨"
author = "the Wildpost authors"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/*.md", "docs/*/*.md", "models/weights/*.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
# Folders without pages, which Sphinx would otherwise walk through.
exclude_patterns = [
    ".*",
    "site",
    "bench",
    "captures",
    "casebook",
    "contract",
    "edge",
    "i18n",
    "ingest",
    "pipelines",
    "review",
    "tests",
    "wildpost",
]
nitpicky = True

myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "Wildpost 野哨"
html_static_path: list[str] = []
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

DOCS = Path(__file__).parent

# Caption of each part of the navigation, and its pages below docs/ in order.
NAVIGATION = {
    "Start": ["quick-start"],
    "Tutorials": [
        f"tutorials/{who}" for who in ("field-technician", "ranger", "analyst", "reserve-manager", "operator")
    ],
    "中文": ["zh/quick-start", "zh/ranger", "zh/memory-cards"],
    "How-to guides": [
        "how-to/station",
        "how-to/films",
        "how-to/usb-stick",
        "how-to/memory-cards",
        "how-to/listen-to-recordings",
        "how-to/correct-a-clock",
        "how-to/remote-care",
        "how-to/evaluate",
        "how-to/train",
        "how-to/serve",
        "how-to/secure-the-broker",
        "how-to/verify-a-release",
        "how-to/reverse-proxy",
        "how-to/deploy",
        "how-to/containers",
        "how-to/backup",
        "how-to/operate",
        "how-to/accounts",
        "how-to/alerts",
        "how-to/hand-over",
        "how-to/simulate-a-fleet",
        "how-to/influxdb",
        "how-to/postgresql",
        "how-to/object-store",
    ],
    "Reference": [
        "reference/commands",
        "reference/station",
        "reference/films",
        "reference/review",
        "reference/cases",
        "reference/rules",
        "reference/messages",
        "reference/connections",
        "reference/models",
        "reference/birdnet",
        "reference/threat",
        "/models/weights/wildpost-nano",
        "/models/weights/threat-sounds",
    ],
    "Explanation": [
        "explanation/delivery",
        "explanation/recordings",
        "explanation/threat-model",
        "explanation/statistics",
        "explanation/benchmarks",
        "explanation/influxdb-layout",
        "decisions/README",
    ],
    "Project": ["/CONTRIBUTING", "/SECURITY", "/CHANGELOG"],
}


class SearchEnglishAndChinese(SearchEnglish):
    """Sphinx search language that indexes English words and pairs of Chinese characters.

    Most Chinese words have two characters, and no spaces separate the words.
    """

    def split(self, input: str) -> list[str]:  # noqa: A002, the name that Sphinx gives it
        """Return the words of a text, and each pair of neighbouring Chinese characters."""
        runs = re.findall(r"[\u4e00-\u9fff]{3,}", input)
        return super().split(input) + [run[start : start + 2] for run in runs for start in range(len(run) - 1)]


def toctree(caption: str, pages: list[str]) -> str:
    """Return the MyST source of a hidden table of contents ("toctree") with a caption and pages."""
    entries = "\n".join(pages)
    return f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def add_navigation(app: Sphinx, name: str, source: list[str]) -> None:
    """Append the navigation to the source of an index page; Sphinx calls this for every page that it reads."""
    if name == root_doc:
        source[0] += "".join(toctree(caption, pages) for caption, pages in NAVIGATION.items())
    elif name == "docs/decisions/README":
        source[0] += toctree("Decisions", sorted(page.stem for page in (DOCS / "decisions").glob("[0-9]*.md")))


def write_start_page(app: Sphinx, error: Exception | None) -> None:
    """Write the site's index.html, which redirects to the index of the documentation."""
    if error is None:
        target = f"{root_doc}.html"
        page = f'<!doctype html><meta charset="utf-8"><title>{html_title}</title>'
        page += f'<meta http-equiv="refresh" content="0; url={target}"><a href="{target}">{html_title}</a>\n'
        (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Register the search language and the event handlers of this file with Sphinx."""
    app.add_search_language(SearchEnglishAndChinese)
    app.connect("source-read", add_navigation)
    app.connect("build-finished", write_start_page)
