"""A process that decodes one file: it reads a task from its input and writes messages to its output, within limits.

`python -P -m captures.decoding.worker MEMORY_BYTES CPU_S`, started by ``captures.decoding.process``.
"""

import sys
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from captures.decoded import Unreadable
from captures.decoding.messages import ClipTask, FilmTask, Finished, Message, PictureTask, Ready, SoundTask, Task
from contract.limited_process import (
    describe_failure,
    limit_next_work,
    limit_process,
    read_message,
    take_over_streams,
    write_message,
)


def main() -> None:
    """Run the task that is the first message of the input."""
    memory_bytes, cpu_s = map(int, sys.argv[1:])
    requests, answers = take_over_streams()
    task = msgspec.msgpack.decode(read_message(requests) or b"", type=Task)
    content = read_message(requests) or b""
    messages = _open(task, content)
    limit_process(memory_bytes)
    limit_next_work(cpu_s)
    _write(answers, Ready())
    _write(answers, _run(messages, answers, cpu_s))


def _run(messages: Iterator[Message], answers: BinaryIO, cpu_s: int) -> Finished:
    try:
        for message in messages:
            _write(answers, message)
            limit_next_work(cpu_s)
    except Unreadable as error:
        return Finished(str(error))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001, decoders raise anything on hostile content; here nobody else is harmed
        return Finished(describe_failure("decoding", error))
    return Finished()


def _open(task: Task, content: bytes) -> Iterator[Message]:
    """Load the libraries that a task needs, which is before the limits, and return its messages."""
    match task:
        case FilmTask():
            from captures.decoding.film_frames import sample_film

            return sample_film(task)
        case ClipTask():
            from captures.decoding.film_clip import encode_film_clip

            return encode_film_clip(task)
        case SoundTask():
            from captures.decoding.film_sound import decode_sound

            return decode_sound(task)
        case PictureTask():
            from captures.decoding.other_pictures import convert_picture

            return convert_picture(task, content)


def _write(answers: BinaryIO, message: Message) -> None:
    write_message(answers, msgspec.msgpack.encode(message))


if __name__ == "__main__":
    main()
