"""Looks at the machine: its clock and zone, the room on its disk, and whether the station runs already."""

import os
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import psutil

from captures.clock import EARLIEST, system_clock
from edge.check.finding import Finding
from edge.health import temperature_c
from edge.outbox.outbox import Outbox, OutboxError

_SPARE_BYTES = 200_000_000  # for the outbox's own pages, logs and weights, beside what the quotas allow
_GIGABYTE = 1e9


def clock(now: datetime, utc_offset: str) -> Finding:
    """Tell whether the clock is right, and in which zone machine and recorders are.

    Args:
        now: What it shows.
        utc_offset: Of the clocks of cameras and recorders, as the settings have it.
    """
    quality = system_clock(now)
    local = now.astimezone().utcoffset() or timedelta(0)
    found = f"{now:%Y-%m-%d %H:%M:%S} UTC, zone here {_offset(local)}, of cameras and recorders {utc_offset}"
    figures = {
        "source": quality.source,
        "synchronised": quality.synchronised,
        "error_s": quality.error_s,
        "machine_utc_offset_s": local.total_seconds(),
    }
    if quality.source == "none":
        step = (
            "set it: timedatectl set-time 'YYYY-MM-DD HH:MM:SS' (UTC: timedatectl), or connect GPS, clock chip, network"
        )
        return Finding("fails", "clock", f"{found}: before {EARLIEST:%Y}, so it was never set", step, figures)
    if not quality.synchronised:
        step = "compare it with your phone; then timedatectl set-ntp true, or a GPS or clock chip where no network is"
        return Finding("doubtful", "clock", f"{found}: nothing keeps it right", step, figures)
    error = f" within {1000 * quality.error_s:.0f} ms" if quality.error_s is not None else ""
    return Finding("works", "clock", f"{found}: kept right by {quality.source}{error}", figures=figures)


def running(process: int) -> Finding:
    """Say that a process runs this station just now; it holds its cameras and microphones."""
    return Finding("works", "station", f"process {process or 'unknown'} runs it", figures={"process": process})


def disk(folder: Path, quota_bytes: int) -> Finding:
    """Tell whether there is room for all that the settings allow to be kept, and what waits to be sent.

    Args:
        folder: Of the station, in the data folder; it need not be there yet.
        quota_bytes: What waiting media and originals may take together.
    """
    place = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    trial = place / ".wildpost-check"
    try:
        with trial.open("wb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        trial.unlink()
        disk_free = psutil.disk_usage(str(place)).free
        there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        step = f"let the user {_user()} write there (chown), or mount the disk writable; is the card worn out? dmesg"
        return Finding("fails", "disk", f"{place}: {error.strerror or error}", step)
    wanted = max(0, quota_bytes - there) + _SPARE_BYTES
    figures = {"free_bytes": disk_free, "quota_bytes": quota_bytes, "taken_bytes": there}
    found = (
        f"{disk_free / _GIGABYTE:.1f} GB free in {folder}, {there / _GIGABYTE:.1f} GB taken, "
        f"up to {quota_bytes / _GIGABYTE:.1f} GB allowed"
    )
    if disk_free < _SPARE_BYTES:
        return Finding("fails", "disk", found, "make room: findings cannot be kept", figures)
    if disk_free < wanted:
        step = "make room, or lower media_quota_bytes and originals_quota_bytes: a full disk keeps no findings"
        return Finding("doubtful", "disk", found, step, figures)
    if os.geteuid() == 0 and place.stat().st_uid != 0:
        owner = place.owner()
        step = f"check as the user that the station runs as: sudo -u {owner} wildpost station check"
        return Finding("doubtful", "disk", f"{found}; it belongs to {owner}, and you are root", step, figures)
    return Finding("works", "disk", found, figures=figures)


def outbox(folder: Path) -> Finding:
    """Tell what waits to be sent, and what was set aside.

    Args:
        folder: Of the station, in the data folder.
    """
    path = folder / "outbox.sqlite"
    if not path.is_file():
        return Finding("works", "outbox", "none yet: it is made at the first start", figures={"waiting": 0})
    try:
        with closing(Outbox(path)) as opened:
            figures = {
                "waiting": len(opened),
                "events": opened.count("events"),
                "set_aside": opened.count("set_aside"),
                "unsendable": opened.count("unsendable"),
            }
    except (OutboxError, OSError) as error:
        return Finding("fails", "outbox", str(error), f"keep a copy of {path}, then move it away")
    found = (
        f"{figures['waiting']} messages wait, {figures['events']} captures kept since it was set up, "
        f"{figures['set_aside']} files set aside"
    )
    if figures["unsendable"]:
        step = f"raise max_packet_size of the broker; what it refused lies in {path}, table unsendable"
        return Finding("doubtful", "outbox", f"{found}, {figures['unsendable']} refused for ever", step, figures)
    return Finding("works", "outbox", found, figures=figures)


def temperature() -> Finding | None:
    """Tell whether the processor is too hot; None where the machine does not say."""
    degrees = temperature_c()
    if degrees is None:
        return None
    figures = {"temperature_c": degrees}
    if degrees >= 80:  # a Raspberry Pi slows down from here on
        return Finding("doubtful", "temperature", f"{degrees:.0f} C", "shade and air: it slows down from 80 C", figures)
    return Finding("works", "temperature", f"{degrees:.0f} C", figures=figures)


def _offset(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d} ({time.tzname[time.localtime().tm_isdst > 0]})"


def _user() -> str:
    return psutil.Process().username()
