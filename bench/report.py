"""Report of a benchmark: a table, then one line of JSON that is printed even if the benchmark fails."""

import json
import math
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

from bench.load import BUSY_AT, LoadMeter

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")


class Report:
    """Results of one run of a benchmark.

    Attributes:
        missing: Programs that are not installed, each with what to do; their ratios are None.
        failed: Parts of the benchmark that raised an exception, each with the exception.
    """

    def __init__(self, bench: str) -> None:
        self.bench = bench
        self.missing: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self._load = LoadMeter()
        self._table: list[Sequence[str]] = []
        self._ratios: Mapping[str, float | None] = {}
        self._raw: Mapping[str, object] = {}

    def attempt(
        self, part: str, run: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result | None:
        """Run a part of the benchmark; on an exception, record it and return None."""
        try:
            return run(*args, **kwargs)
        except Exception as error:  # noqa: BLE001, whatever it is, the other parts are still worth measuring
            traceback.print_exception(error)
            *_, last_line = ["", *str(error).strip().splitlines()]  # a message may end with the traceback of a process
            self.failed[part] = f"{type(error).__name__}: {last_line}"
            return None

    def results(
        self,
        heading: Sequence[str],
        rows: Sequence[Sequence[str]],
        ratios: Mapping[str, float | None],
        raw: Mapping[str, object],
    ) -> None:
        """Store the results that ``print`` writes.

        Args:
            heading: Heading of the table.
            rows: Rows of the table, as text.
            ratios: Our result over the peer's; above 1, ours is better; None if not measured.
            raw: Measured values.
        """
        self._table, self._ratios, self._raw = [heading, *rows], ratios, raw

    def print(self) -> None:
        """Print the table, the missing programs, the failed parts and the line of JSON."""
        widths = [max(map(len, column)) for column in zip(*self._table, strict=True)]
        for first, *others in self._table:
            cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
            print("  ".join([first.ljust(widths[0]), *cells]).rstrip())
        for name, reason in self.missing.items():
            print(f"not compared with {name}: {reason}")
        for name, reason in self.failed.items():
            print(f"failed: {name}: {reason}")
        others_cpu = self._load.others()
        line = {
            "bench": self.bench,
            "ratios": {name: None if ratio is None else round(ratio, 3) for name, ratio in self._ratios.items()},
            "busy": others_cpu >= BUSY_AT,
            "load": {
                "others_cpu": round(others_cpu, 2),
                "load_average_at_start": round(self._load.load_average_at_start, 2),
            },
            "missing": self.missing,
            "failed": self.failed,
            "raw": self._raw,
        }
        print(json.dumps(_finite(line), allow_nan=False), flush=True)


def run_bench(bench: str, measure: Callable[[Report], bool]) -> int:
    """Run a benchmark and print its report.

    Args:
        bench: Name of the benchmark.
        measure: Takes all measurements; returns whether the results are correct, however slow.

    Returns:
        The exit code: 0 if the results are correct and no part failed, else 1.
    """
    report = Report(bench)
    correct = report.attempt(bench, measure, report)
    sys.stderr.flush()
    report.print()
    return 0 if correct and not report.failed else 1


def _finite(value: object) -> object:
    """Replace infinities and NaN, which JSON does not have, by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value
