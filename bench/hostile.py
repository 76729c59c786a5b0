"""Test of the server with hostile messages, records, media and floods.

`python -m bench.hostile [--quick] [--messages N] [--seed N]`. A real Mosquitto and a real server for each part:
messages that hypothesis generates, at and beyond the bounds of every field, with a valid capture after every tenth
(bench/hostile_attack.py); events under the ids of others and expensive or wrong media (bench/hostile_records.py);
stations that publish without pause beside honest ones (bench/honest_latency.py).
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.breaking import mosquitto_program
from bench.honest_latency import measured as measured_beside_flood
from bench.hostile_attack import Outcome, attack
from bench.hostile_records import RecordsOutcome, attack_with_records
from bench.latency import percentile
from bench.ratios import ratio
from bench.report import Report, run_bench
from tests.conftest import Mosquitto

FLOODS = ("garbage", "flagged", "thumbnails")
FLOOD_STATIONS = 20
Rows = list[list[str]]


def main() -> int:
    """Run all parts and print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--messages", type=int, default=100_000, help="generated messages")
    parser.add_argument("--seed", type=int, default=20_260_412)
    arguments = parser.parse_args()
    return run_bench("hostile", lambda report: _measure(arguments, report))


def _measure(arguments: argparse.Namespace, report: Report) -> bool:
    quick = arguments.quick
    rows: Rows = []
    raw: dict[str, Any] = {}
    ratios: dict[str, float | None] = {}
    correct = True
    generated = report.attempt("generated", _generated, 2_000 if quick else arguments.messages, arguments.seed)
    if generated is not None:
        _report_generated(generated, rows, raw)
        raw["seed"] = arguments.seed
        correct = correct and not (generated.missing or generated.unaccounted or generated.failures)
    records = report.attempt("records", attack_with_records, 100 if quick else 1_000)
    if records is not None:
        _report_records(records, rows, raw)
        correct = correct and not (records.altered or records.failed_answers)
    for kind in FLOODS[:1] if quick else FLOODS:
        found = report.attempt(kind, measured_beside_flood, kind, FLOOD_STATIONS, 4.0 if quick else 10.0)
        if found is not None:
            ratios[f"{kind}: honest p99 flooded / quiet"] = _report_flood(kind, found, rows, raw)
            correct = correct and not found["missing"]
    report.results(["what", ""], rows, ratios, raw)
    return correct


def _generated(count: int, seed: int) -> Outcome:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(mosquitto_program(), folder / "broker", "allow_anonymous true\nautosave_on_changes false\n")
        try:
            return attack(folder / "server", broker.port, count, seed)
        finally:
            broker.kill()


def _report_generated(found: Outcome, rows: Rows, raw: dict[str, Any]) -> None:
    rows += [[f"sent: {sort}", f"{number:,}"] for sort, number in sorted(found.sent.items())]
    rows += [["sent: valid captures between them", f"{len(found.honest):,}"]]
    rows += [[f"quarantined: {reason}", f"{number:,}"] for reason, number in sorted(found.reasons.items())]
    rows += [[name.replace("_", " "), f"{number:,}"] for name, number in found.kept.items()]
    rows += [
        ["received, in no count", str(found.unaccounted)],
        ["valid captures missing", str(found.missing)],
        ["memory before, MB", f"{found.memory_mb[0]:.0f}"],
        ["memory after each tenth, MB", " ".join(f"{mb:.0f}" for mb in found.memory_mb[1:])],
        ["messages/s, generated, sent and durable", f"{found.received / found.seconds:,.0f}"],
        ["crashes", found.failures or "none"],
    ]
    raw["generated"] = {
        "messages": sum(found.sent.values()),
        "honest": len(found.honest),
        "missing": found.missing,
        "unaccounted": found.unaccounted,
        "kept": found.kept,
        "reasons": found.reasons,
        "in_quarantine": found.in_quarantine,
        "memory_mb": [round(mb) for mb in found.memory_mb],
        "seconds": round(found.seconds, 1),
    }


def _report_records(found: RecordsOutcome, rows: Rows, raw: dict[str, Any]) -> None:
    answers = {str(status): number for status, number in sorted(found.answers.items())}
    rows += [
        ["other events under known ids", f"{found.conflicts:,}"],
        ["first events replaced by them", str(len(found.altered))],
        ["expensive, broken or wrong media", str(found.media)],
        ["answers of the pages about them", ", ".join(f"{status}: {number}" for status, number in answers.items())],
        ["largest memory while they were shown, MB", f"{found.memory_mb:.0f}"],
    ]
    raw["records"] = {
        "conflicts": found.conflicts,
        "replaced": len(found.altered),
        "quarantined": found.quarantined,
        "media": found.media,
        "answers": answers,
        "memory_mb": round(found.memory_mb),
    }


def _report_flood(kind: str, found: dict[str, Any], rows: Rows, raw: dict[str, Any]) -> float | None:
    p99 = {when: percentile(found[when], 0.99) if found[when] else None for when in ("quiet", "flooded")}
    told = " / ".join("-" if value is None else f"{1000 * value:.0f}" for value in p99.values())
    rows += [
        [f"flood of {kind}: messages", f"{found['sent']:,}"],
        [f"flood of {kind}: honest captures, p99 quiet / flooded, ms", told],
        [f"flood of {kind}: honest captures missing", str(found["missing"])],
    ]
    raw[f"flood of {kind}"] = {f"{when}_p99_s": value for when, value in p99.items()} | {
        "sent": found["sent"],
        "missing": found["missing"],
    }
    return ratio(p99["flooded"], p99["quiet"])


if __name__ == "__main__":
    sys.exit(main())
