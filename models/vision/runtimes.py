"""Inference runtimes: OpenVINO and ONNX Runtime for ONNX files, torch for ultralytics checkpoints."""

import os
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from models.pickle_trust import check_trusted
from models.runtime_imports import load_onnxruntime, load_openvino

RuntimeName = Literal["openvino", "onnxruntime"]


class Runtime(Protocol):
    """Interface of an inference runtime that has loaded one network; thread-safe."""

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the network's first output; -1 for an axis without a fixed size."""
        ...

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network on a batch (n, 3, height, width) and return its first output, with n as the first axis."""
        ...


class OpenVinoRuntime:
    """A network in OpenVINO on the CPU, in float32, so that scores are equal on all machines."""

    def __init__(self, path: Path, width: int, height: int, threads: int, at_once: int, cache: Path | None) -> None:
        core = load_openvino().Core()
        settings: dict[str, str | int] = {"NUM_STREAMS": at_once, "INFERENCE_PRECISION_HINT": "f32"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads * at_once
        if cache is not None:
            settings["CACHE_DIR"] = os.fspath(cache)
        network = core.read_model(path)
        shape = network.input(0).partial_shape
        self._batch = None if shape[0].is_dynamic else shape[0].get_length()
        network.reshape([-1 if self._batch is None else self._batch, 3, height, width])
        self._compiled = core.compile_model(network, "CPU", settings)
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(at_once):
            self._free.put(self._compiled.create_infer_request())
        # OpenVINO's Python binding deadlocks if two threads make its first call concurrently: make the first call here.
        self.infer(np.zeros((1, 3, height, width), np.float32))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the network's first output; see ``Runtime.output_shape``."""
        axes = self._compiled.output(0).partial_shape
        return tuple(-1 if axis.is_dynamic else axis.get_length() for axis in axes)

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network on a batch of pictures; see ``Runtime.infer``."""
        parts = [batch] if self._batch is None else [batch[at : at + 1] for at in range(len(batch))]
        request = self._free.get()
        try:
            # The output is copied, because the next run overwrites its memory; the input needs no copy.
            return np.concatenate([np.asarray(request.infer([part], share_inputs=True)[0]) for part in parts])
        finally:
            self._free.put(request)


class OnnxRuntime:
    """A network in ONNX Runtime on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        onnxruntime = load_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0]
        self._output = self._session.get_outputs()[0]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the network's first output; see ``Runtime.output_shape``."""
        return tuple(axis if isinstance(axis, int) else -1 for axis in self._output.shape)

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network on a batch of pictures; see ``Runtime.infer``."""
        one_by_one = isinstance(self._input.shape[0], int)
        parts = [batch[at : at + 1] for at in range(len(batch))] if one_by_one else [batch]
        results = [self._session.run([self._output.name], {self._input.name: part})[0] for part in parts]
        return np.concatenate([np.asarray(result, np.float32) for result in results])


class TorchRuntime:
    """An ultralytics checkpoint in torch; requires the extra ``train``."""

    def __init__(self, path: Path, width: int, height: int, threads: int) -> None:
        check_trusted(path)
        import torch

        from models.train.export import open_checkpoint
        from models.train.ultralytics_env import isolate_ultralytics

        isolate_ultralytics()
        if threads:
            torch.set_num_threads(threads)
        self._lock = Lock()  # ultralytics' heads store state that depends on the size of the last picture
        self._network = open_checkpoint(path)
        self._shape = self.infer(np.zeros((1, 3, height, width), np.float32)).shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the network's first output; see ``Runtime.output_shape``."""
        return (-1, *self._shape[1:])

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network on a batch of pictures; see ``Runtime.infer``."""
        import torch

        with self._lock, torch.inference_mode():
            output = self._network(torch.from_numpy(batch))
        # In evaluation mode, ultralytics' networks return the output of the ONNX file first, then training outputs.
        return np.asarray((output[0] if isinstance(output, tuple | list) else output).numpy(), np.float32)


def open_runtime(
    name: RuntimeName, path: Path, width: int, height: int, threads: int, at_once: int, cache: Path | None
) -> Runtime:
    """Load a network file into an inference runtime.

    Args:
        name: The runtime; torch runs a checkpoint (.pt) regardless of this name.
        path: Path of the network.
        width: Width of the input, in pixels.
        height: Height of the input, in pixels.
        threads: Threads of one call; 0: the runtime's default.
        at_once: Maximum number of concurrent calls in OpenVINO; further calls wait. ONNX Runtime has no limit.
        cache: Folder for the models that OpenVINO compiled, which makes a restart faster; None: no cache.
    """
    if path.suffix == ".pt":
        return TorchRuntime(path, width, height, threads)
    if name == "onnxruntime":
        return OnnxRuntime(path, threads)
    return OpenVinoRuntime(path, width, height, threads, at_once, cache)
