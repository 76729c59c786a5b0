"""Runs BirdNET's network: as it comes, on LiteRT, or taken apart and put together again, on OpenVINO."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.birdnet.fast_form import Listener, fast_form

# Of 1,573 windows of recordings, the scores of 51 differed by more than 0.001 between the runtimes, the worst by 0.005;
# in each of them some part was quieter than this beside the loudest (60 dB), in most of them plainly zero.
_SILENT = 1e-3
TOGETHER = 4  # windows that one thread hears at once where there are many: its weights are fetched once for all


class Engine(Protocol):
    """From windows of sound to one number per class; used from one thread at a time."""

    @property
    def name(self) -> str:
        """Of the runtime."""
        ...

    def logits(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Listen to n windows of (144000,) samples at 48 kHz; returns (n, 6522), before the sigmoid."""
        ...


class LiteRtEngine:
    """The installed network as it is: one interpreter of one thread per core, which is faster than one of many."""

    name = "litert"

    def __init__(self, path: Path, threads: int) -> None:
        self._interpreters = [self._open(path) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="birdnet")

    @staticmethod
    def _open(path: Path) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(os.fspath(path), num_threads=1)
        interpreter.allocate_tensors()
        return interpreter

    def logits(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """See ``Engine.logits``."""
        count = len(self._interpreters)
        if len(windows) == 1 or count == 1:
            return self._run(self._interpreters[0], windows)
        parts = [windows[at::count] for at in range(count)]
        rows = list(self._pool.map(self._run, self._interpreters, parts))
        result = np.empty((len(windows), rows[0].shape[1]), np.float32)
        for at, part in enumerate(rows):
            if len(part):
                result[at::count] = part
        return result

    @staticmethod
    def _run(interpreter: Any, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        source = interpreter.get_input_details()[0]["index"]
        target = interpreter.get_output_details()[0]
        result = np.empty((len(windows), int(target["shape"][-1])), np.float32)
        for at, window in enumerate(windows):
            interpreter.set_tensor(source, window[None])
            interpreter.invoke()
            result[at] = interpreter.get_tensor(target["index"])[0]
        return result


class OpenVinoEngine:
    """The same network with a faster front end, on OpenVINO in full precision: on each core, some windows at once.

    Windows with silence in them go to LiteRT: there BirdNET raises the rounding errors of its own Fourier transform to
    a small power, and only the same transform makes the same errors.
    """

    name = "openvino"

    def __init__(self, path: Path, sha256: str, threads: int, cache: Path | None) -> None:
        """Derive the faster form, or take it from the cache.

        Raises:
            NotDerivable: the network is built in another way than expected.
            RuntimeError: OpenVINO cannot read or run it.
            ImportError: OpenVINO is not installed.
        """
        import openvino

        self._core = openvino.Core()
        self._network = fast_form(self._core, path, sha256, cache)
        self._classes = int(self._network.output(0).shape[1])
        self._path, self._threads = path, threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="birdnet")
        self._listeners = {1: self._compile(1)}
        self._reference: LiteRtEngine | None = None  # loaded once needed: stations hardly ever hear nothing at all

    def _compile(self, together: int) -> SimpleQueue[Listener]:
        """Make as many listeners as there are threads; each hears so many windows together."""
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # bfloat16 would be off by 0.1 in the logits
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": self._threads,
        }
        network = self._network
        network.reshape({entry: [together, *entry.shape[1:]] for entry in network.inputs})
        compiled = self._core.compile_model(network, "CPU", settings)
        listeners: SimpleQueue[Listener] = SimpleQueue()
        for _ in range(self._threads):
            listeners.put(Listener(compiled, network))
        return listeners

    def logits(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """See ``Engine.logits``."""
        result = np.empty((len(windows), self._classes), np.float32)

        def hear(part: list[int]) -> None:
            free = self._listeners[len(part)]
            listener = free.get()
            try:
                result[part] = listener.logits([windows[at] for at in part])
            finally:
                free.put(listener)

        silent = [at for at, window in enumerate(windows) if holds_silence(window)]
        heard = sorted({*range(len(windows))} - {*silent})
        by_four = len(heard) - len(heard) % (TOGETHER * self._threads)  # each thread the same, or some would wait
        if by_four and TOGETHER not in self._listeners:
            self._listeners[TOGETHER] = self._compile(TOGETHER)
        parts = [heard[at : at + TOGETHER] for at in range(0, by_four, TOGETHER)] + [[at] for at in heard[by_four:]]
        list(self._pool.map(hear, parts))
        if silent:
            self._reference = self._reference or LiteRtEngine(self._path, self._threads)
            result[silent] = self._reference.logits([windows[at] for at in silent])
        return result


def holds_silence(window: NDArray[np.float32]) -> bool:
    """Say whether a part of a window is silent beside its loudest, as what a recording's end is filled up with.

    A silence as long as BirdNET's shorter frame, 1024 samples, covers one of the blocks of 512 whole.
    """
    blocks = window[: window.size // 512 * 512].reshape(-1, 512)
    highest, lowest = blocks.max(axis=1), blocks.min(axis=1)
    return bool((highest - lowest).min() <= _SILENT * (highest.max() - lowest.min()))
