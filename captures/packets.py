"""Decoding of compressed recordings by FFmpeg: FLAC, MP3, Ogg, Opus, AAC, ADPCM, and the sound tracks of films.

The demuxer is the one of the file's signature, so that none of FFmpeg's hundreds of others is tried.
"""

import hashlib
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from captures.byte_range import ByteRange, read_at
from captures.decoded import Unreadable
from captures.layout import Layout
from captures.recording import Block, Payload, block_frames

if TYPE_CHECKING:
    import av
    from av.packet import Packet

DEMUXERS = {  # FFmpeg's names, by ``FileKind.form``
    "FLAC": "flac",
    "MP3": "mp3",
    "Ogg": "ogg",
    "Opus": "ogg",
    "M4A": "mov",
    "AAC": "aac",
    "MP4": "mov",
    "MOV": "mov",
    "Matroska": "matroska",
    "AVI": "avi",
    "MPEG-TS": "mpegts",
    "WAV": "wav",
    "W64": "wav",
    "AIFF": "aiff",
    "CAF": "caf",
}
_DECODERS = ("flac", "mp3", "mp3float", "vorbis", "opus", "aac", "alac", "ac3", "amrnb", "gsm_ms")  # adpcm_*, pcm_* too
_STATES_FRAMES = ("FLAC", "M4A")  # forms whose header says how long the sound is, so that a shorter one was cut off
_SHORTER_S = 0.2  # than the header says; encoders round to whole packets
_LONGEST_GAP_S = 60.0  # of one gap that is filled with silence to keep the times behind it right
_ALL_GAPS_S = 600.0
_SHORTEST_GAP_S = 0.01
_SILENCE_FRAMES = 16_384  # of one piece of it
_WORTH_TELLING_S = 0.05
_LOUDEST = 2.0  # a damaged packet of MP3 decodes to noise far above full scale
_OGG_PAGE_BYTES = 65_536  # a page has at most 65,307 bytes
_DEMUX_ATTEMPTS = 3  # to go on after an error between two packets


def open_packets(descriptor: int, size: int, form: str, layout: Layout | None = None) -> "PacketRecording":
    """Open a compressed recording.

    Args:
        descriptor: The open file; the caller closes it.
        size: Its size in bytes.
        form: Name of its form, as ``FileKind.form``.
        layout: Layout of a WAV or W64 file, which gets a new header with the real size of its sound.

    Raises:
        Unreadable: FFmpeg finds no sound that it decodes.
        OSError: the file cannot be read.
    """
    import av

    source = ByteRange(descriptor, 0, size)
    if layout is not None and layout.format_chunk:
        there = layout.end - layout.start
        source = ByteRange(descriptor, layout.start, layout.end, _wav_header(layout.format_chunk, there))
    try:
        container = av.open(source, "r", format=DEMUXERS[form], metadata_errors="ignore")
    except (av.FFmpegError, ValueError) as error:
        raise Unreadable(f"{form} without sound that can be decoded ({size} bytes): {_reason(error)}") from error
    try:
        complete = layout.complete if layout is not None else _is_complete(descriptor, size, form)
        return PacketRecording(container, form, "" if layout is None else layout.remark, complete)
    except (Unreadable, av.FFmpegError) as error:
        container.close()
        raise Unreadable(f"{form} ({size} bytes): {_reason(error)}") from error


def _is_complete(descriptor: int, size: int, form: str) -> bool:
    """Return whether a file of this form, which FFmpeg could open, is written to its end as far as one can see.

    The last page of an Ogg file bears a flag (RFC 3533, 6). MP4 and its kin can only be opened with an index, which is
    written last. MP3, AAC, MPEG-TS and Matroska may go on.
    """
    if form in ("Ogg", "Opus"):
        tail = read_at(descriptor, max(0, size - _OGG_PAGE_BYTES), _OGG_PAGE_BYTES)
        page = tail[max(0, tail.rfind(b"OggS")) :]
        segments = page[27 : 27 + page[26]] if len(page) > 26 else b""
        return len(page) > 26 and bool(page[5] & 4) and len(page) >= 27 + page[26] + sum(segments)
    return form in ("FLAC", "M4A", "MP4", "MOV", "AVI")


def _wav_header(format_chunk: bytes, data_bytes: int) -> bytes:
    padded = format_chunk + bytes(len(format_chunk) % 2)
    size = min(data_bytes, 0xFFFFFFFF)
    head = b"WAVEfmt " + struct.pack("<I", len(format_chunk)) + padded + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", min(len(head) + data_bytes, 0xFFFFFFFF)) + head


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


class PacketRecording:
    """Recording that FFmpeg decodes packet by packet; see ``Recording``.

    A packet that cannot be decoded costs itself: silence takes its place where the times of the packets show the gap.
    """

    def __init__(self, container: "av.container.InputContainer", form: str, remark: str, complete: bool) -> None:
        """Take over an open container; ``complete`` as in ``Recording``, but for FLAC.

        Raises:
            Unreadable: it has no sound, or sound in a form that is not decoded.
        """
        if not container.streams.audio:
            raise Unreadable("no sound track")
        self._container = container
        self._stream = container.streams.audio[0]
        context = self._stream.codec_context
        name = "that FFmpeg does not know" if context is None else context.name
        if name not in _DECODERS and not name.startswith(("pcm_", "adpcm_")):
            raise Unreadable(f"sound in the form {name}: expected one of {', '.join(_DECODERS)}")
        context.thread_count = 1  # the station's detectors use the other cores
        if name == "flac":  # a damaged block is noise at full scale otherwise
            context.options = {"err_detect": "crccheck+explode"}
        self._digest = hashlib.sha256()
        self._payload_bytes = 0
        self._packets = self._demux()
        self._broken = self._broken_at_end = self._filled = 0
        self.form = form
        self.rate_hz = int(context.sample_rate or 0)
        self.channels = int(context.layout.nb_channels)
        stated = self._stream.duration if form in _STATES_FRAMES else None
        base = self._stream.time_base
        self.frames: int | None = round(stated * base * self.rate_hz) if stated and stated > 0 and base else None
        self.comment = next((value for key, value in container.metadata.items() if key.lower() == "comment"), "")
        self.remarks = [remark] if remark else []
        self.complete = complete and not (form == "FLAC" and self.frames is None)

    def close(self) -> None:
        """Close the container; the file stays open."""
        self._container.close()

    def blocks(self, skip_frames: int = 0) -> Iterator[Block]:
        """Yield all blocks, once, without so many frames at the beginning."""
        length = block_frames(self.rate_hz, self.channels)
        parts: list[NDArray[Any]] = []
        held = total = 0
        for decoded in self._decoded():
            part = decoded[max(0, skip_frames - total - held) :]
            total += len(decoded) - len(part)
            if held >= length or (parts and parts[0].dtype != part.dtype):
                total += held
                yield _floats(np.concatenate(parts))
                parts, held = [], 0
            parts.append(part)
            held += len(part)
        if held:
            yield _floats(np.concatenate(parts))
        total += held
        self._describe(total)

    def _describe(self, total: int) -> None:
        broken, missing_s = self._broken - self._broken_at_end, self._filled / self.rate_hz
        if missing_s >= _WORTH_TELLING_S:
            self.remarks.append(f"damaged inside: {missing_s:.1f} s of sound are missing")
        elif broken:
            self.remarks.append(f"damaged inside: {broken} blocks cannot be decoded")
        if self.frames and total < self.frames - _SHORTER_S * self.rate_hz:
            self.remarks.append(f"cut off: the header says {self.frames / self.rate_hz:.1f} s")
        elif self._broken_at_end:
            self.remarks.append("cut off inside its last block")

    @property
    def payload(self) -> Payload:
        """What ``blocks`` has read so far."""
        return Payload(self._payload_bytes, self._digest.hexdigest())

    def begins_with(self, payload: Payload) -> bool:
        """Return whether the packets begin with these bytes; ``blocks`` yields nothing afterwards."""
        for packet in self._packets:
            data = bytes(packet)[: payload.size - self._payload_bytes]
            self._digest.update(data)
            self._payload_bytes += len(data)
            if self._payload_bytes == payload.size:
                break
        return self.payload == payload

    def _demux(self) -> "Iterator[Packet[Any]]":
        """Yield the packets; after an error between two of them, go on behind it."""
        import av

        failures = 0
        while failures < _DEMUX_ATTEMPTS:
            try:
                for packet in self._container.demux(self._stream):
                    failures = 0
                    yield packet
                return
            except av.InvalidDataError:
                failures += 1
                self._broken += 1
            except EOFError:
                return

    def _decoded(self) -> Iterator[NDArray[Any]]:
        """Yield the samples as they are decoded, (n, channels) of any number type."""
        import av

        first: Any = None
        done = 0
        for packet in self._packets:
            if packet.size:
                self._digest.update(packet)
                self._payload_bytes += packet.size
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self._broken += 1
                self._broken_at_end += 1
                continue
            for frame in frames:
                if not isinstance(frame, av.AudioFrame):
                    continue
                self._broken_at_end = 0
                if frame.sample_rate != self.rate_hz or frame.layout.nb_channels != self.channels:
                    raise Unreadable(
                        f"{self.form} that goes on with {frame.sample_rate} Hz and {frame.layout.nb_channels} channels "
                        f"after {self.rate_hz} Hz and {self.channels}: expected one rate and number of channels"
                    )
                array = frame.to_ndarray()
                samples = array.T if frame.format.is_planar else array.reshape(-1, self.channels)
                at = frame.time
                first = at if first is None else first
                gap = self._gap(None if at is None else at - first, done)
                done += gap + len(samples)
                silence = np.full((min(gap, _SILENCE_FRAMES), self.channels), _silent(samples.dtype), samples.dtype)
                for start in range(0, gap, _SILENCE_FRAMES):
                    yield silence[: gap - start]
                yield samples

    def _gap(self, at_s: float | None, done: int) -> int:
        """Return how many samples are missing before a frame; 0 if its time is not known or not believed."""
        missing = 0 if at_s is None else round(at_s * self.rate_hz) - done
        allowed = min(_LONGEST_GAP_S, _ALL_GAPS_S - self._filled / self.rate_hz) * self.rate_hz
        if not _SHORTEST_GAP_S * self.rate_hz <= missing <= allowed:
            return 0
        self._filled += missing
        return missing


def _silent(dtype: np.dtype[Any]) -> int:
    return 128 if dtype == np.uint8 else 0


def _floats(samples: NDArray[Any]) -> Block:
    """Convert decoded samples to floats in -1..1."""
    if samples.dtype.kind == "f":
        return np.clip(samples.astype(np.float32), -_LOUDEST, _LOUDEST)
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - np.float32(128)) / np.float32(128)
    return samples.astype(np.float32) / np.float32(2 ** (8 * samples.dtype.itemsize - 1))
