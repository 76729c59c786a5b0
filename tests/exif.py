"""EXIF data that tests write by hand: TIFF 6.0, and EXIF 2.32, section 4.6."""

import struct


def directory(order: str, entries: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    rows = b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
    return struct.pack(f"{order}H", len(entries)) + rows + struct.pack(f"{order}I", following)


def app1(body: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def tiff(main: dict[int, tuple[int, bytes]], inner: dict[int, tuple[int, bytes]] | None = None) -> bytes:
    """EXIF data with the given values, as (kind, bytes), in the first directory and in the one that it leads to."""
    main_end = 8 + 2 + 12 * (len(main) + (inner is not None)) + 4
    values_at = main_end + (0 if inner is None else 2 + 12 * len(inner) + 4)
    values = b""

    def rows(of: dict[int, tuple[int, bytes]]) -> list[tuple[int, int, int, int]]:
        nonlocal values
        found = []
        for tag, (kind, data) in of.items():
            if len(data) <= 4:
                found.append((tag, kind, len(data), int.from_bytes(data, "little")))
                continue
            found.append((tag, kind, len(data), values_at + len(values)))
            values += data
        return found

    first = rows(main) + ([(0x8769, 4, 1, main_end)] if inner is not None else [])
    body = directory("<", first) + (b"" if inner is None else directory("<", rows(inner)))
    return b"II*\0" + struct.pack("<I", 8) + body + values


def ascii_value(text: str) -> tuple[int, bytes]:
    return 2, text.encode() + b"\0"


def with_exif(jpeg: bytes, data: bytes) -> bytes:
    """Return a JPEG with EXIF data right behind its beginning."""
    return jpeg[:2] + app1(b"Exif\0\0" + data) + jpeg[2:]
