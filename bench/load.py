"""CPU use of other programs while a benchmark runs."""

import os

import psutil

BUSY_AT = 0.2  # fraction of all cores' time; below it, the usual services of a machine


class LoadMeter:
    """Measures the CPU time that programs outside the benchmark use, from its creation on."""

    def __init__(self) -> None:
        self.load_average_at_start = os.getloadavg()[0]
        self._total_s, self._used_s, self._own_s = _cpu_seconds()

    def others(self) -> float:
        """Return the fraction of all cores' time that other programs used, 0 to 1.

        Child processes count as the benchmark's own only once they have ended and been waited for.
        """
        total_s, used_s, own_s = _cpu_seconds()
        others_s = used_s - self._used_s - (own_s - self._own_s)
        elapsed_s = total_s - self._total_s
        return min(1.0, max(0.0, others_s / elapsed_s)) if elapsed_s > 0 else 0.0


def _cpu_seconds() -> tuple[float, float, float]:
    """Return CPU times in seconds: elapsed on all cores, used by all programs, and used by this benchmark."""
    times, own = psutil.cpu_times(), os.times()
    total_s = sum(times) - times.guest - times.guest_nice  # Linux counts both in user and nice too
    # Not irq and softirq: the kernel charges them to no process, so ours could not be subtracted.
    used_s = times.user + times.nice + times.system + times.steal
    return total_s, used_s, own.user + own.system + own.children_user + own.children_system
