"""Inference engines for BirdNET: the original network on LiteRT, and a rebuilt, faster network on OpenVINO."""

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

from models.birdnet.fast_form import BatchRequest, load_fast_form
from models.runtime_imports import load_openvino

# In 51 of 1,573 windows of recordings, the scores of the two runtimes differed by more than 0.001, at most by 0.005.
# Each of these windows had a part quieter than this fraction of its loudest part (60 dB); most of these were zero.
_SILENT = 1e-3
BATCH_SIZE = 4  # windows per inference call of one thread: the weights are loaded from memory once for all of them


class Engine(ABC):
    """Base class of the inference engines, which compute the logits of sound windows on a thread pool.

    Attributes:
        name: Name of the runtime.
        threads: Number of batches that it processes concurrently.
    """

    name: str

    def __init__(self, threads: int) -> None:
        """Create a pool of ``threads`` worker threads for inference."""
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="birdnet")

    def submit(self, windows: Sequence[NDArray[np.float32]]) -> list[Future[NDArray[np.float32]]]:
        """Submit windows of (144000,) samples at 48 kHz to the thread pool, and return one future per batch.

        Each future returns the logits of its batch; the batches are in the order of the windows.

        Windows are processed in batches only as far as every thread gets the same number of batches; the remaining
        windows are processed one by one, so that no thread is idle.
        """
        batched = len(windows) - len(windows) % (BATCH_SIZE * self.threads)
        parts = [windows[at : at + BATCH_SIZE] for at in range(0, batched, BATCH_SIZE)]
        parts += [windows[at : at + 1] for at in range(batched, len(windows))]
        return [self._pool.submit(self._infer, part) for part in parts]

    def logits(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Compute the logits (n, 6522) of n windows on the thread pool; a logit is a score before the sigmoid."""
        return np.concatenate([part.result() for part in self.submit(windows)])

    @abstractmethod
    def _infer(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Compute the logits of one batch of windows; the worker threads call this method concurrently."""


class LiteRtEngine(Engine):
    """Engine for BirdNET's original network on LiteRT, with one single-threaded interpreter per worker thread.

    This is faster than one multithreaded interpreter.
    """

    name = "litert"

    def __init__(self, path: Path, threads: int) -> None:
        """Load the network file into one LiteRT interpreter for each worker thread."""
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

    def _infer(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
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
    """Engine that runs BirdNET, rebuilt with a faster spectrogram front end, on OpenVINO in float32.

    Windows that contain silence are processed on LiteRT: for silence, BirdNET raises the rounding errors of its own
    Fourier transform to a small power, and only the same transform produces the same errors.
    """

    name = "openvino"

    def __init__(self, path: Path, sha256: str, threads: int, cache: Path | None) -> None:
        """Load the rebuilt network from the cache folder, or build it from BirdNET's original network file.

        Raises:
            NotDerivable: the network does not have the expected structure.
            RuntimeError: OpenVINO cannot read or run it.
            ImportError: OpenVINO is not installed.
        """
        super().__init__(threads)
        self._core = load_openvino().Core()
        self._network = load_fast_form(self._core, path, sha256, cache)
        self._path = path
        self._lock = threading.Lock()  # guards the two attributes below
        self._requests = {1: self._compile(1)}  # by batch size
        self._reference: LiteRtEngine | None = None  # loaded on first use: stations rarely record digital silence

    def _compile(self, batch_size: int) -> SimpleQueue[BatchRequest]:
        """Compile the network for a batch size, and return one inference request for each worker thread."""
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # bfloat16 has an error of 0.1 in the logits
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": self.threads,
        }
        network = self._network
        network.reshape({entry: [batch_size, *entry.shape[1:]] for entry in network.inputs})
        compiled = self._core.compile_model(network, "CPU", settings)
        requests: SimpleQueue[BatchRequest] = SimpleQueue()
        for _ in range(self.threads):
            requests.put(BatchRequest(compiled, network))
        return requests

    def _infer(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        if not any(map(contains_silence, windows)):
            return self._infer_openvino(windows)
        if len(windows) > 1:
            return np.concatenate([self._infer([window]) for window in windows])
        with self._lock:
            self._reference = self._reference or LiteRtEngine(self._path, self.threads)
        return self._reference.logits(windows)

    def _infer_openvino(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        with self._lock:
            if len(windows) not in self._requests:
                self._requests[len(windows)] = self._compile(len(windows))
        free = self._requests[len(windows)]
        request = free.get()
        try:
            return request.logits(windows).copy()
        finally:
            free.put(request)


def contains_silence(window: NDArray[np.float32]) -> bool:
    """Return whether part of a window, such as padding, is silent compared with the loudest part of the window.

    A silence as long as BirdNET's shorter frame, 1024 samples, covers at least one complete block of 512.
    """
    blocks = window[: window.size // 512 * 512].reshape(-1, 512)
    highest, lowest = blocks.max(axis=1), blocks.min(axis=1)
    return bool((highest - lowest).min() <= _SILENT * (highest.max() - lowest.min()))
