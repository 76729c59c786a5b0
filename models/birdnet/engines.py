"""Runs BirdNET's network: as it comes, on LiteRT, or taken apart and put together again, on OpenVINO."""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.birdnet.fast_form import Listener, fast_form

# Of 1,573 windows of recordings, the scores of 51 differed by more than 0.001 between the runtimes, the worst by 0.005;
# in each of them some part was quieter than this beside the loudest (60 dB), in most of them plainly zero.
_SILENT = 1e-3
TOGETHER = 4  # windows that one thread hears at once where there are many: its weights are fetched once for all


class Engine(ABC):
    """From windows of sound to one number per class, on threads of its own.

    Attributes:
        name: Of the runtime.
        threads: How many windows, or handfuls of them, it hears at the same time.
    """

    name: str

    def __init__(self, threads: int) -> None:
        """Make the threads."""
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="birdnet")

    def begin(self, windows: Sequence[NDArray[np.float32]]) -> list[Future[NDArray[np.float32]]]:
        """Begin to listen to n windows of (144000,) samples at 48 kHz; gives the parts of the answer in their order.

        Where there are enough, they go by handfuls, each thread the same number: else some threads would wait.
        """
        handfuls = len(windows) - len(windows) % (TOGETHER * self.threads)
        parts = [windows[at : at + TOGETHER] for at in range(0, handfuls, TOGETHER)]
        parts += [windows[at : at + 1] for at in range(handfuls, len(windows))]
        return [self._pool.submit(self._hear, part) for part in parts]

    def logits(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Listen to n windows, one at least; returns (n, 6522), before the sigmoid."""
        return np.concatenate([part.result() for part in self.begin(windows)])

    @abstractmethod
    def _hear(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Listen to one window, or a handful; called by all threads at once."""


class LiteRtEngine(Engine):
    """The installed network as it is: one interpreter of one thread per core, which is faster than one of many."""

    name = "litert"

    def __init__(self, path: Path, threads: int) -> None:
        """Load the network once for each thread."""
        super().__init__(threads)
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(threads):
            self._free.put(self._open(path))

    @staticmethod
    def _open(path: Path) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(os.fspath(path), num_threads=1)
        interpreter.allocate_tensors()
        return interpreter

    def _hear(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        interpreter = self._free.get()
        try:
            source = interpreter.get_input_details()[0]["index"]
            target = interpreter.get_output_details()[0]
            result = np.empty((len(windows), int(target["shape"][-1])), np.float32)
            for at, window in enumerate(windows):
                interpreter.set_tensor(source, window[None])
                interpreter.invoke()
                result[at] = interpreter.get_tensor(target["index"])[0]
            return result
        finally:
            self._free.put(interpreter)


class OpenVinoEngine(Engine):
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

        super().__init__(threads)
        self._core = openvino.Core()
        self._network = fast_form(self._core, path, sha256, cache)
        self._path = path
        self._making = threading.Lock()
        self._listeners = {1: self._compile(1)}
        self._reference: LiteRtEngine | None = None  # loaded once needed: stations hardly ever hear nothing at all

    def _compile(self, together: int) -> SimpleQueue[Listener]:
        """Make as many listeners as there are threads; each hears so many windows together."""
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # bfloat16 would be off by 0.1 in the logits
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": self.threads,
        }
        network = self._network
        network.reshape({entry: [together, *entry.shape[1:]] for entry in network.inputs})
        compiled = self._core.compile_model(network, "CPU", settings)
        listeners: SimpleQueue[Listener] = SimpleQueue()
        for _ in range(self.threads):
            listeners.put(Listener(compiled, network))
        return listeners

    def _hear(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        if not any(map(holds_silence, windows)):
            return self._fast(windows)
        if len(windows) > 1:
            return np.concatenate([self._hear([window]) for window in windows])
        with self._making:
            self._reference = self._reference or LiteRtEngine(self._path, self.threads)
        return self._reference.logits(windows)

    def _fast(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        with self._making:
            if len(windows) not in self._listeners:
                self._listeners[len(windows)] = self._compile(len(windows))
        free = self._listeners[len(windows)]
        listener = free.get()
        try:
            return listener.logits(windows).copy()
        finally:
            free.put(listener)


def holds_silence(window: NDArray[np.float32]) -> bool:
    """Say whether a part of a window is silent beside its loudest, as what a recording's end is filled up with.

    A silence as long as BirdNET's shorter frame, 1024 samples, covers one of the blocks of 512 whole.
    """
    blocks = window[: window.size // 512 * 512].reshape(-1, 512)
    highest, lowest = blocks.max(axis=1), blocks.min(axis=1)
    return bool((highest - lowest).min() <= _SILENT * (highest.max() - lowest.min()))
