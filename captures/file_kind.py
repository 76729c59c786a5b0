"""Form of a file by its first bytes, not by its name: picture, film, recording, or another known form."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from captures.mp3_tags import bytes_after_tags, is_mp3_frame

Family = Literal["picture", "film", "recording", "other"]


@dataclass(frozen=True, slots=True)
class FileKind:
    """Form of a file by its signature.

    Attributes:
        family: Picture, film, recording, or "other": a form that no sensor's decoder reads.
        form: Name of the form: JPEG, AVI, MP4, WAV... ; for messages and reports.
        media_type: Registered media type.
    """

    family: Family
    form: str
    media_type: str


JPEG = FileKind("picture", "JPEG", "image/jpeg")
PNG = FileKind("picture", "PNG", "image/png")
TIFF = FileKind("picture", "TIFF", "image/tiff")  # also DNG, NEF, ARW and CR2, which are TIFF files with a preview
HEIC = FileKind("picture", "HEIC", "image/heic")
AVIF = FileKind("picture", "AVIF", "image/avif")
WEBP = FileKind("picture", "WebP", "image/webp")
GIF = FileKind("picture", "GIF", "image/gif")
BMP = FileKind("picture", "BMP", "image/bmp")
AVI = FileKind("film", "AVI", "video/x-msvideo")
MP4 = FileKind("film", "MP4", "video/mp4")
MOV = FileKind("film", "MOV", "video/quicktime")
MATROSKA = FileKind("film", "Matroska", "video/x-matroska")  # also WebM
MPEG_TS = FileKind("film", "MPEG-TS", "video/mp2t")
WAV = FileKind("recording", "WAV", "audio/wav")
WAVE64 = FileKind("recording", "W64", "audio/x-w64")
FLAC = FileKind("recording", "FLAC", "audio/flac")
MP3 = FileKind("recording", "MP3", "audio/mpeg")
OGG = FileKind("recording", "Ogg", "audio/ogg")  # Vorbis or FLAC in Ogg
OPUS = FileKind("recording", "Opus", "audio/ogg")
AIFF = FileKind("recording", "AIFF", "audio/aiff")
CAF = FileKind("recording", "CAF", "audio/x-caf")
AU = FileKind("recording", "AU", "audio/basic")
M4A = FileKind("recording", "M4A", "audio/mp4")
AAC = FileKind("recording", "AAC", "audio/aac")

_BRANDS = {  # major brands of ISO base media files, by their first bytes (mp4ra.org); all others are MP4
    b"qt  ": MOV,
    b"M4A ": M4A,
    b"M4B ": M4A,
    b"avif": AVIF,
    b"avis": AVIF,
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), HEIC),
    b"crx ": FileKind("other", "CR3", "image/x-canon-cr3"),
}
_QUICKTIME_ATOMS = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # of a QuickTime file without ``ftyp``
_RIFF_FORMS = {b"AVI ": AVI, b"AVIX": AVI, b"WAVE": WAV, b"WEBP": WEBP}
_WAVE64_GUID = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"  # the start of its first GUID
_SIGNATURES = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"\x1aE\xdf\xa3", MATROSKA),
    (_WAVE64_GUID, WAVE64),
    (b"fLaC", FLAC),
    (b"caff\0\1", CAF),
    (b".snd", AU),
    (b"0&\xb2u\x8ef\xcf\x11", FileKind("other", "ASF", "video/x-ms-asf")),
    (b"FLV\x01", FileKind("other", "FLV", "video/x-flv")),
    (b"\0\0\x01\xba", FileKind("other", "MPEG program stream", "video/mp2p")),
    (b"IMKH", FileKind("other", "Hikvision stream", "application/octet-stream")),
    (b"DHAV", FileKind("other", "Dahua stream", "application/octet-stream")),
    (b"#!AMR", FileKind("other", "AMR", "audio/amr")),
    (b"FUJIFILMCCD-RAW", FileKind("other", "RAF", "image/x-fuji-raf")),
    (b"IIRO", FileKind("other", "ORF", "image/x-olympus-orf")),
    (b"IIU\0", FileKind("other", "RW2", "image/x-panasonic-rw2")),
    (b"%PDF-", FileKind("other", "PDF", "application/pdf")),
    (b"PK\x03\x04", FileKind("other", "ZIP", "application/zip")),
    (b"Rar!\x1a\x07", FileKind("other", "RAR", "application/vnd.rar")),
    (b"7z\xbc\xaf'\x1c", FileKind("other", "7z", "application/x-7z-compressed")),
    (b"\x1f\x8b\x08", FileKind("other", "gzip", "application/gzip")),
    (b"SQLite format 3\0", FileKind("other", "SQLite", "application/vnd.sqlite3")),
)
_TS_PACKETS = ((0, 188), (4, 192))  # offset of the sync byte and length: MPEG-TS, and with time codes (AVCHD)
HEAD_BYTES = 400  # three sync bytes of MPEG-TS, and the first packet of an Ogg page
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # sizes of the bitmap header after the file header


def file_kind(read_at: Callable[[int], bytes]) -> FileKind | None:
    """Return the form of a file by its signature; None: an unknown form, or an empty file.

    A file with a known signature can still be damaged, or be none of its form inside.

    Args:
        read_at: Returns at least ``HEAD_BYTES`` from a position; fewer at the end of the file.
    """
    head = read_at(0)
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    return (
        _iso_media(head)
        or _riff_or_iff(head)
        or _ogg(head)
        or _bmp(head)
        or _mpeg_ts(head)
        or _mpeg_audio(head, read_at)
    )


def kind_of_bytes(data: bytes) -> FileKind | None:
    """Return the form of a file in memory, as ``file_kind`` does."""
    return file_kind(lambda at: data[at : at + HEAD_BYTES])


def kind_of_open_file(file: BinaryIO) -> FileKind | None:
    """Return the form of an open file, as ``file_kind`` does; the position in the file changes.

    Raises:
        OSError: the file cannot be read.
    """

    def read_at(position: int) -> bytes:
        file.seek(position)
        return file.read(HEAD_BYTES)

    return file_kind(read_at)


def kind_of_path(path: Path) -> FileKind | None:
    """Return the form of a file, as ``file_kind`` does, with one read for nearly every file.

    Raises:
        OSError: the file does not exist or cannot be read.
    """
    # Not blocking: on a named pipe, open() would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        return kind_of_open_file(file)


def _iso_media(head: bytes) -> FileKind | None:
    """Return the form of an ISO base media file by its brand (ISO/IEC 14496-12, 4.3), or of a QuickTime file."""
    size, box, brand = head[:4], head[4:8], head[8:12]
    if box == b"ftyp" and len(brand) == 4:
        if brand in (b"mif1", b"msf1") and b"avif" in head[16 : int.from_bytes(size, "big")]:
            return AVIF
        return _BRANDS.get(brand, MP4)
    return MOV if box in _QUICKTIME_ATOMS and size[:1] < b"\x80" else None


def _riff_or_iff(head: bytes) -> FileKind | None:
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return _RIFF_FORMS.get(head[8:12])
    return AIFF if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC") else None


def _ogg(head: bytes) -> FileKind | None:
    """Return the form of an Ogg file by its first packet, which follows the page's segment table (RFC 3533, 6)."""
    if head[:4] != b"OggS" or len(head) < 28:
        return None
    packet = head[27 + head[26] :]
    if packet.startswith(b"OpusHead"):
        return OPUS
    if packet.startswith(b"\x80theora"):
        return FileKind("other", "Ogg Theora", "video/ogg")
    return OGG


def _bmp(head: bytes) -> FileKind | None:
    """Return BMP if the size of the second header is a known one: two letters alone also begin texts."""
    return BMP if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS else None


def _mpeg_ts(head: bytes) -> FileKind | None:
    for offset, length in _TS_PACKETS:
        if head[offset::length][:3] == b"GGG":
            return MPEG_TS
    return None


def _mpeg_audio(head: bytes, read_at: Callable[[int], bytes]) -> FileKind | None:
    after = bytes_after_tags(read_at) if head[:3] == b"ID3" else head
    if after.startswith(b"fLaC"):  # some programs write ID3 tags before FLAC
        return FLAC
    if is_mp3_frame(after):
        return MP3
    return AAC if _is_adts(head, read_at) else None


def _is_adts(head: bytes, read_at: Callable[[int], bytes]) -> bool:
    """Return whether two frames of AAC follow each other (ISO/IEC 13818-7, 6.2); MPEG audio has another layer."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 0xF > 12:
        return False
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    following = read_at(length)[:2] if length >= 7 else b""
    return len(following) == 2 and following[0] == 0xFF and following[1] & 0xF6 == 0xF0
