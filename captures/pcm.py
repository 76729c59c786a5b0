"""Decoding of uncompressed samples, block by block."""

import numpy as np
from numpy.typing import NDArray

from captures.layout import SampleFormat


def decode_samples(data: bytes, form: SampleFormat) -> NDArray[np.float32]:
    """Decode whole samples to floats in -1..1; float samples keep their values."""
    if form.kind in ("ulaw", "alaw"):
        table = _ulaw() if form.kind == "ulaw" else _alaw()
        return table[np.frombuffer(data, np.uint8)]
    order = ">" if form.big_endian else "<"
    if form.kind == "float":
        return np.frombuffer(data, f"{order}f{form.width}").astype(np.float32)
    if form.kind == "unsigned":
        return (np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)
    if form.width == 3:
        wide = np.zeros((len(data) // 3, 4), np.uint8)  # the highest three bytes of 32-bit integers
        columns = slice(0, 3) if form.big_endian else slice(1, 4)
        wide[:, columns] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.view(f"{order}i4").ravel().astype(np.float32) / np.float32(2**31)
    integers = np.frombuffer(data, f"{order}i{form.width}")
    return integers.astype(np.float32) / np.float32(2 ** (8 * form.width - 1))


def _ulaw() -> NDArray[np.float32]:
    """Return the value of each code of µ-law (ITU-T G.711, table 2)."""
    codes = ~np.arange(256) & 0xFF
    sizes = (((codes & 0xF) << 3) + 0x84 << (codes >> 4 & 7)) - 0x84
    return (np.where(codes & 0x80, -sizes, sizes) / 32_768).astype(np.float32)


def _alaw() -> NDArray[np.float32]:
    """Return the value of each code of A-law (ITU-T G.711, table 1)."""
    codes = np.arange(256) ^ 0x55
    exponents, mantissas = codes >> 4 & 7, codes & 0xF
    sizes = np.where(exponents == 0, (mantissas << 4) + 8, (mantissas << 4) + 0x108 << np.maximum(exponents - 1, 0))
    return (np.where(codes & 0x80, sizes, -sizes) / 32_768).astype(np.float32)
