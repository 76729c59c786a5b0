"""Pictures per second of an import of a card, beside the rate of the detector alone on the same pictures.

    python -m bench.cards [PICTURES] [--quick] [--count N] [--rounds N]

Both use the shipped network in one process per core. The detector decodes each picture and finds its boxes. The import
also hashes each file, makes its thumbnail, and stores event, thumbnail and flags in a server's databases. Rates are
from the first picture to the last: starting the processes is not counted.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

from bench.ratios import median_of, median_ratio
from bench.report import Report, run_bench
from bench.vision import make_pictures
from ingest.store.duckdb.store import DuckDbStore
from models.registry import load_registry
from pipelines.card_import.card_files import list_card
from pipelines.card_import.card_import import CardImport, CardImportOptions
from pipelines.card_import.deployments import CardDeployment, Placement
from pipelines.card_import.examine import ExaminationOptions
from pipelines.detect.batch import examine_all
from pipelines.detect.examination import ExaminationTask
from pipelines.executor.process_pool import ProcessPool
from wildpost.server.bundle_import import BundleImport
from wildpost.settings.server import ServerSettings
from wildpost.station.card_detectors import DetectorOpener, default_settings

DIFFERENT = 16  # pictures that are made; the others are copies with another comment, so that each has its own content


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 if every picture was imported, however slowly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="?", help="a folder of JPEG files (default: synthetic pictures)")
    parser.add_argument("--quick", action="store_true", help="within 50 seconds: few pictures, one round")
    parser.add_argument("--count", type=int, default=1_000, help="pictures (default: 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of both contestants in turn (default: 3)")
    given = parser.parse_args(arguments)
    count, rounds = (60, 1) if given.quick else (given.count, given.rounds)
    return run_bench("cards", lambda report: _measure(given.pictures, count, rounds, report))


def _measure(source: Path | None, count: int, rounds: int, report: Report) -> bool:
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        card = Path(name) / "card"
        _fill(card, count, source)
        detector: list[float | None] = []
        imports: list[float | None] = []
        for number in range(rounds):
            detector.append(report.attempt("detector", _detector_rate, card, Path(name), cores))
            imports.append(report.attempt("import", _import_rate, card, Path(name) / str(number), count, cores))
    table = [
        [what, *(f"{rate:.1f}" if rate is not None else "-" for rate in (median_of(rates), *rates))]
        for what, rates in (("detector alone", detector), ("import", imports))
    ]
    heading = [f"{count} pictures, {cores} processes: pictures/s", "median", *(str(at + 1) for at in range(rounds))]
    limit = median_ratio(imports, detector)
    report.results(heading, table, {"limit": limit}, {"detector": detector, "import": imports})
    return all(rate is not None for rate in (*detector, *imports))


def _fill(card: Path, count: int, source: Path | None) -> None:
    """Make a card of pictures of 12 megapixels, each with a content of its own."""
    make_pictures(card, min(count, DIFFERENT), source)
    made = [path.read_bytes() for path in sorted(card.iterdir())]
    for number in range(len(made), count):
        data, comment = made[number % len(made)], f"picture {number}".encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment  # COM (ITU-T T.81, B.2.4.5)
        (card / f"{number:05d}.jpg").write_bytes(data[:2] + segment + data[2:])


def _detector_rate(card: Path, folder: Path, cores: int) -> float:
    task = ExaminationTask("wildpost-nano", load_registry(), folder, folder, UTC, threads=1)
    times = []
    for result in examine_all(sorted(card.iterdir()), task, cores):
        assert not result.problem, result.problem
        times.append(time.perf_counter())
    return (len(times) - 1) / (times[-1] - times[0])


def _import_rate(card: Path, data: Path, count: int, cores: int) -> float:
    times: list[float] = []
    settings = ServerSettings()
    data.mkdir()
    importing = BundleImport(settings, data, data)
    opener = DetectorOpener(("vision",), default_settings(), data, data, threads=1)
    work = CardImport(
        CardImportOptions(card, data / "cards", settings.broker.prefix, "bench"),
        list_card(card, Placement(CardDeployment("bench", "bench"))),
        [],
        lambda folders: importing.run(*folders),
        lambda _file, _report: times.append(time.perf_counter()),
    )
    work.run(ProcessPool(cores), lambda ledger, spool: ExaminationOptions(opener, UTC, ledger, spool))
    ended = time.perf_counter()  # everything is stored
    store = DuckDbStore(data / "detections.duckdb")
    try:
        stored = sum(station.events for station in store.stations())
    finally:
        store.close()
    assert stored == count, f"{stored} of {count} events are stored"
    return (count - 1) / (ended - times[0])


if __name__ == "__main__":
    sys.exit(main())
