"""Health of the station: disk, memory, load, temperature and number of unsent messages."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import psutil
from msgspec import UNSET

from captures.clock import system_clock
from captures.folder_listing import fewer_kinds
from contract import Health, HeldMedia, PassedOver
from contract.bounds import TEMPERATURE_C
from edge.clocks import uptime_s
from edge.outbox.outbox import Outbox

# psutil's names of the sensors that report the processor's temperature on single-board computers and PCs.
_THERMAL = ("cpu_thermal", "coretemp", "k10temp", "soc_thermal")


def health(
    station: str,
    boot_id: str,
    now: datetime,
    outbox: Outbox,
    folder: Path,
    passed_over: Mapping[str, int] = MappingProxyType({}),
    held_media: HeldMedia | None = None,
) -> Health:
    """Return a health message with measurements of this machine and counts from the outbox.

    Args:
        station: Name of the station.
        boot_id: Id of this run of the station.
        now: Current time.
        outbox: Its unsent messages and its counters are reported.
        folder: A folder on the disk whose free space is reported.
        passed_over: Number of entries of the watched folders that are no captures, by kind.
        held_media: Media that wait for the budget of the link; None: nothing is held.
    """
    return Health(
        station=station,
        at=now,
        boot_id=boot_id,
        uptime_s=uptime_s(),
        clock=system_clock(now),
        disk_free_bytes=psutil.disk_usage(str(folder)).free,
        waiting_messages=len(outbox),
        set_aside=outbox.count("set_aside"),
        memory_free_bytes=psutil.virtual_memory().available,
        load_1min=psutil.getloadavg()[0],
        temperature_c=temperature_c(),
        evicted_media=outbox.count("evicted_media"),
        voice_clips_sent=outbox.count("voice_sent") + outbox.count("voice_sent_with_threat"),
        voice_clips_dropped=outbox.count("voice_dropped"),
        evicted_originals=outbox.count("evicted_originals"),
        passed_over=tuple(PassedOver(kind=kind, count=count) for kind, count in fewer_kinds(passed_over).items()),
        held_media=held_media or UNSET,
    )


def temperature_c() -> float | None:
    """Return the processor's temperature in degrees Celsius, or None if the machine does not report it."""
    sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    readings = [reading.current for name in _THERMAL for reading in sensors.get(name, [])]
    possible = [one for one in readings if TEMPERATURE_C[0] <= one <= TEMPERATURE_C[1]]  # a broken sensor says anything
    return max(possible) if possible else None
