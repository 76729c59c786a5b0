"""A process that draws: it reads requests from its input and writes answers to its output, within limits.

`python -P -m ingest.drawing.worker MEMORY_BYTES CPU_S`, started by ``ingest.drawing.processes``. A request that needs
more memory or processor time than that ends the process, never the server.
"""

import importlib
import sys

import msgspec

from captures.decoded import Unreadable
from contract.limited_process import (
    describe_failure,
    limit_next_work,
    limit_process,
    read_message,
    take_over_streams,
    write_message,
)
from ingest.drawing.tasks import Answer, Request, draw

READY = b"ready"
_LIBRARIES = ("numpy", "PIL.Image", "PIL.ImageDraw", "PIL.ImageFilter", "soundfile")  # before the limits


def main() -> None:
    """Answer requests until the input ends."""
    memory_bytes, cpu_s = map(int, sys.argv[1:])
    requests, answers = take_over_streams()
    for library in _LIBRARIES:
        importlib.import_module(library)
    limit_process(memory_bytes)
    write_message(answers, READY)
    decode = msgspec.msgpack.Decoder(Request).decode
    while (message := read_message(requests)) is not None:
        limit_next_work(cpu_s)
        write_message(answers, msgspec.msgpack.encode(_answer(decode(message))))


def _answer(request: Request) -> Answer:
    try:
        return Answer(draw(request))
    except Unreadable as error:
        return Answer(problem=str(error))
    except Exception as error:  # noqa: BLE001, decoders raise anything on hostile content; here nobody else is harmed
        return Answer(problem=describe_failure("drawing", error))


if __name__ == "__main__":
    main()
