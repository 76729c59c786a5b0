"""Starts a decoding process for one file and yields its answers; a crash or timeout of it raises an exception."""

from collections.abc import Iterator
from dataclasses import dataclass
from errno import EAGAIN

import msgspec

from captures.decoded import Unreadable
from captures.decoding.messages import Content, FilmFrame, FilmHead, Finished, Message, Ready, SoundStretch, Task
from contract.limited_process import LimitedProcess

_MODULE = "captures.decoding.worker"
_START_S = 60.0  # to load the libraries, on a busy machine


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """Limits of one decoding process.

    Attributes:
        memory_bytes: Address space: 400 MB of code and libraries, 17 reference frames of an 8K film, and the pictures.
        cpu_s: Processor time until the next message, after which the system ends the process.
        patience_s: Time until the next message, after which it is killed; the processor time normally ends it first.
    """

    memory_bytes: int = 2 << 30
    cpu_s: int = 120
    patience_s: float = 300.0


def decode_apart(
    task: Task, name: str, content: bytes = b"", limits: DecoderLimits | None = None
) -> Iterator[FilmHead | FilmFrame | SoundStretch | Content]:
    """Run a task in a new process, and yield its answers as they come.

    Args:
        task: What to decode; a descriptor that it names must be open in this process.
        name: Name of the file, for error messages.
        content: Content of a ``PictureTask``.
        limits: Limits of the process.

    Raises:
        Unreadable: the file cannot be decoded, or the process exceeded its limits or died.
        OSError: the process cannot be started.
    """
    limits = limits or DecoderLimits()
    descriptor = getattr(task, "descriptor", None)
    descriptors = () if descriptor is None else (descriptor,)
    process = LimitedProcess(_MODULE, limits.memory_bytes, limits.cpu_s, descriptors)
    try:
        with process.killed_when_late(_START_S):
            process.send(msgspec.msgpack.encode(task))
            process.send(content)
            ready = _next_message(process)
        if not isinstance(ready, Ready):
            raise OSError(EAGAIN, f"{name}: the decoding process did not start (exit status {process.kill()})")
        while True:
            with process.killed_when_late(limits.patience_s) as late:
                message = _next_message(process)
            if isinstance(message, Finished) and message.problem:
                raise Unreadable(f"{name}: {message.problem}")
            if isinstance(message, Finished):
                return
            if message is None or isinstance(message, Ready):
                late_s = limits.patience_s if late.is_set() else None
                raise Unreadable(f"{name}: {process.cause_of_death(late_s, 'decoding', 'decodes')}")
            yield message
    finally:
        process.kill()
        process.close()


def _next_message(process: LimitedProcess) -> Message | None:
    try:
        data = process.receive()
        return None if data is None else msgspec.msgpack.decode(data, type=Message)
    except msgspec.DecodeError:
        return None  # a process that a hostile file took over writes anything
