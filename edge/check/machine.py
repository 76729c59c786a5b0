"""Checks of the station's machine: clock, time zone, disk, outbox, temperature and a running station process."""

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

_SPARE_BYTES = 200_000_000  # for the outbox's database pages, logs and weights, which the quotas do not include
_GIGABYTE = 1e9


def clock(now: datetime, zone: str) -> Finding:
    """Check the system clock, and report the time zones of the machine and of its cameras and recorders.

    Args:
        now: Current time by the machine's clock.
        zone: Time zone or UTC offset of the clocks of cameras and recorders, from the settings.
    """
    quality = system_clock(now)
    local = now.astimezone().utcoffset() or timedelta(0)
    found = f"{now:%Y-%m-%d %H:%M:%S} UTC, zone of this machine {_offset(local)}, of cameras and recorders {zone}"
    figures = {
        "source": quality.source,
        "synchronised": quality.synchronised,
        "error_s": quality.error_s,
        "machine_utc_offset_s": local.total_seconds(),
    }
    if quality.source == "none":
        step = "set it: timedatectl set-time 'YYYY-MM-DD HH:MM:SS', or connect a GPS receiver, clock chip or network"
        return Finding("fails", "clock", f"{found}: before {EARLIEST:%Y}, so the clock was never set", step, figures)
    if not quality.synchronised:
        step = "compare it with your phone; then timedatectl set-ntp true, or connect a GPS receiver or clock chip"
        return Finding("doubtful", "clock", f"{found}: not synchronised", step, figures)
    error = f" within {1000 * quality.error_s:.0f} ms" if quality.error_s is not None else ""
    return Finding("works", "clock", f"{found}: synchronised by {quality.source}{error}", figures=figures)


def running(process: int) -> Finding:
    """Return the finding that another process runs this station and may have its cameras and microphones open."""
    return Finding("works", "station", f"process {process or 'unknown'} runs it", figures={"process": process})


def disk(folder: Path, quota_bytes: int) -> Finding:
    """Check that the disk of the station's folder is writable and has enough free space for the quotas.

    Args:
        folder: Folder of the station in the data folder; it need not exist.
        quota_bytes: Sum of the quotas for unsent media and originals.
    """
    existing = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    trial = existing / ".wildpost-check"
    try:
        with trial.open("wb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        trial.unlink()
        disk_free = psutil.disk_usage(str(existing)).free
        used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        step = f"let user {_user()} write there (chown), or mount the disk writable; for a worn-out card, see dmesg"
        return Finding("fails", "disk", f"{existing}: {error.strerror or error}", step)
    needed = max(0, quota_bytes - used) + _SPARE_BYTES
    figures = {"free_bytes": disk_free, "quota_bytes": quota_bytes, "taken_bytes": used}
    found = (
        f"{disk_free / _GIGABYTE:.1f} GB free in {folder}, {used / _GIGABYTE:.1f} GB used, "
        f"up to {quota_bytes / _GIGABYTE:.1f} GB allowed"
    )
    if disk_free < _SPARE_BYTES:
        return Finding("fails", "disk", found, "free disk space: detections cannot be stored", figures)
    if disk_free < needed:
        step = "free disk space, or lower media_quota_bytes and originals_quota_bytes: a full disk stores no detections"
        return Finding("doubtful", "disk", found, step, figures)
    if os.geteuid() == 0 and existing.stat().st_uid != 0:
        owner = existing.owner()
        step = f"run the check as the user who runs the station: sudo -u {owner} wildpost station check"
        return Finding("doubtful", "disk", f"{found}; the folder belongs to {owner}, and you are root", step, figures)
    return Finding("works", "disk", found, figures=figures)


def outbox(folder: Path) -> Finding:
    """Report the numbers of unsent messages, set-aside files and unsendable messages of the outbox.

    Args:
        folder: Folder of the station in the data folder.
    """
    path = folder / "outbox.sqlite"
    if not path.is_file():
        return Finding("works", "outbox", "none yet; it is created at the first start", figures={"waiting": 0})
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
        f"{figures['waiting']} messages to send, {figures['events']} captures stored since the station was set up, "
        f"{figures['set_aside']} files set aside"
    )
    if figures["unsendable"]:
        step = f"raise the broker's max_packet_size; refused messages are in {path}, table unsendable"
        return Finding("doubtful", "outbox", f"{found}, {figures['unsendable']} messages unsendable", step, figures)
    return Finding("works", "outbox", found, figures=figures)


def temperature() -> Finding | None:
    """Check the processor's temperature; return None if the machine does not report it."""
    degrees = temperature_c()
    if degrees is None:
        return None
    figures = {"temperature_c": degrees}
    if degrees >= 80:  # a Raspberry Pi throttles from here on
        step = "provide shade and ventilation: the processor throttles from 80 C"
        return Finding("doubtful", "temperature", f"{degrees:.0f} C", step, figures)
    return Finding("works", "temperature", f"{degrees:.0f} C", figures=figures)


def _offset(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d} ({time.tzname[time.localtime().tm_isdst > 0]})"


def _user() -> str:
    return psutil.Process().username()
