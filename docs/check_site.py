"""Check that the pages of a built site load nothing from other hosts and have no broken internal links.

Run by `make docs`: `python docs/check_site.py site`. Sphinx checks the links of the sources; this checks the result,
the theme's part included.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "video": "src",
    "audio": "src",
}
REMOTE_IN_STYLES = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")


class References(HTMLParser):
    """HTML parser that collects the loaded files, the links and the anchors of one page."""

    def __init__(self) -> None:
        """Create a parser without collected references."""
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add the loaded file, link and anchor of an HTML start tag to the lists."""
        named = {name: value or "" for name, value in attrs}
        if "id" in named:
            self.anchors.add(named["id"])
        reference = named.get(LOADED.get(tag, ""), "")
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        elif reference and not (tag == "link" and "canonical" in named.get("rel", "")):
            self.loaded.append(reference)


def read(page: Path) -> References:
    """Parse an HTML file and return its loaded files, links and anchors."""
    references = References()
    references.feed(page.read_text(encoding="utf-8"))
    return references


def problems(site: Path) -> list[str]:
    """Return one message for each external resource or broken link of a site."""
    pages = {page.resolve(): read(page) for page in sorted(site.rglob("*.html"))}
    found = [] if pages else [f"{site}: expected built pages, found none"]
    for page, references in pages.items():
        name = page.relative_to(site.resolve())
        remote = [address for address in references.loaded if urlsplit(address).netloc]
        found += [f"{name}: loads {address} from another host" for address in remote]
        for address in references.loaded + references.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.exists():
                found.append(f"{name}: {address} does not exist")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{name}: {address} names no anchor of that page")
    for style in sorted(site.rglob("*.css")):
        remote = REMOTE_IN_STYLES.findall(style.read_text(encoding="utf-8"))
        found += [f"{style.relative_to(site)}: loads {address} from another host" for address in remote]
    return found


def main() -> int:
    """Print the faults of the site folder given on the command line; return 1 if there are any faults."""
    found = problems(Path(sys.argv[1] if len(sys.argv) > 1 else "site"))
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
