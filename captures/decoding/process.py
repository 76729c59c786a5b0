"""Starts a decoding process for one file, and yields its answers; whatever it does, the caller goes on."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from errno import EAGAIN

import msgspec

from captures.decoded import Unreadable
from captures.decoding.messages import Content, FilmFrame, FilmHead, Finished, Message, Ready, SoundStretch, Task
from contract.limited_process import killed_when_late, read_message, start_limited_process, write_message

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
    arguments = (str(limits.memory_bytes), str(limits.cpu_s))
    process = start_limited_process(_MODULE, arguments, () if descriptor is None else (descriptor,))
    try:
        with killed_when_late(process, _START_S):
            _send(process, task, content)
            ready = _next_message(process)
        if not isinstance(ready, Ready):
            process.kill()
            raise OSError(EAGAIN, f"{name}: the decoding process did not start (exit status {process.wait()})")
        while True:
            with killed_when_late(process, limits.patience_s) as late:
                message = _next_message(process)
            if isinstance(message, Finished) and message.problem:
                raise Unreadable(f"{name}: {message.problem}")
            if isinstance(message, Finished):
                return
            if message is None or isinstance(message, Ready):
                process.kill()
                process.wait()
                raise Unreadable(f"{name}: {_cause_of_death(process, limits, late.is_set())}")
            yield message
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert stream is not None  # noqa: S101, both are pipes
                stream.close()


def _send(process: "subprocess.Popen[bytes]", task: Task, content: bytes) -> None:
    assert process.stdin is not None  # noqa: S101, it is a pipe
    with contextlib.suppress(BrokenPipeError):  # its end shows when its answer is read
        write_message(process.stdin, msgspec.msgpack.encode(task))
        write_message(process.stdin, content)


def _next_message(process: "subprocess.Popen[bytes]") -> Message | None:
    assert process.stdout is not None  # noqa: S101, it is a pipe
    try:
        data = read_message(process.stdout)
        return None if data is None else msgspec.msgpack.decode(data, type=Message)
    except msgspec.DecodeError:
        return None  # a process that a hostile file took over writes anything


def _cause_of_death(process: "subprocess.Popen[bytes]", limits: DecoderLimits, late: bool) -> str:
    code = process.returncode
    if late:
        return f"decoding it took more than {limits.patience_s:g} s"
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"decoding it took more than {limits.cpu_s} s of processor time, or the system ended it"
    return f"decoding it ended the process that decodes (exit status {code})"
