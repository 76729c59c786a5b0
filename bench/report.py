"""Report of a benchmark: a table, and one line of JSON last."""

import json
from collections.abc import Mapping, Sequence


def report(
    bench: str,
    heading: Sequence[str],
    rows: Sequence[Sequence[str]],
    ratios: Mapping[str, float],
    raw: Mapping[str, object],
) -> None:
    """Print a benchmark's results.

    Args:
        bench: Name of the benchmark.
        heading: Heading of the table.
        rows: Rows of the table, as text.
        ratios: Our result over the peer's; above 1, ours is better.
        raw: Measured values.
    """
    widths = [max(len(row[column]) for row in [heading, *rows]) for column in range(len(heading))]
    for row in [heading, *rows]:
        cells = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    rounded = {name: round(ratio, 3) for name, ratio in ratios.items()}
    print(json.dumps({"bench": bench, "ratios": rounded, "raw": raw}), flush=True)
