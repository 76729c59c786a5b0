"""A process that draws: it reads requests from its input and writes answers to its output, within limits.

`python -P -m ingest.drawing.worker MEMORY_BYTES CPU_S`, started by ``ingest.drawing.processes``. A request that needs
more memory or processor time than that ends the process, never the server.
"""

import importlib
import os
import resource
import struct
import sys
from typing import IO, BinaryIO

import msgspec

from captures.decoded import Unreadable
from ingest.drawing.tasks import Answer, Request, draw

READY = b"ready"
_LIBRARIES = ("numpy", "PIL.Image", "PIL.ImageDraw", "PIL.ImageFilter", "soundfile")  # before the limits
_OPEN_FILES = 64
_LENGTH = struct.Struct(">I")
_MAX_MESSAGE_BYTES = 64_000_000


def main() -> None:
    """Answer requests until the input ends."""
    memory_bytes, cpu_s = map(int, sys.argv[1:])
    requests, answers = _take_over_streams()
    for library in _LIBRARIES:
        importlib.import_module(library)
    _limit_process(memory_bytes)
    write_message(answers, READY)
    decode = msgspec.msgpack.Decoder(Request).decode
    while (message := read_message(requests)) is not None:
        _limit_next_drawing(cpu_s)
        write_message(answers, msgspec.msgpack.encode(_answer(decode(message))))


def _answer(request: Request) -> Answer:
    try:
        return Answer(draw(request))
    except Unreadable as error:
        return Answer(problem=str(error))
    except MemoryError:
        return Answer(problem="drawing it needs more memory than allowed")
    except Exception as error:  # noqa: BLE001, decoders raise anything on hostile content; here nobody else is harmed
        return Answer(problem=f"drawing it failed: {type(error).__name__}: {error}"[:500])


def _take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return input and output as streams of this module's own: a library that prints must not break the answers."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    os.close(nothing)
    return requests, answers


def _limit_process(memory_bytes: int) -> None:
    """Limit memory, and allow neither files to be written nor programs to be started."""
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_NPROC, 0)


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, allowed))


def _limit_next_drawing(cpu_s: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    allowed = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (allowed if hard == resource.RLIM_INFINITY else min(allowed, hard), hard))


def read_message(stream: IO[bytes]) -> bytes | None:
    """Return the next message of a stream; None if the stream ends before it does, or if it is too long to be one."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    message = stream.read(size) if size <= _MAX_MESSAGE_BYTES else b""
    return message if len(message) == size else None


def write_message(stream: IO[bytes], message: bytes) -> None:
    """Write a message to a stream."""
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


if __name__ == "__main__":
    main()
