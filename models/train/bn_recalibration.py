"""Sets a network's batch normalisations to the measured statistics of their inputs, without changing its output."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.picture import read_picture
from models.vision.letterbox import letterbox

_PICTURES, _BATCH = 512, 16  # more pictures do not change the statistics noticeably


def read_batches(dataset: Path, size_px: int) -> Iterator[NDArray[np.float32]]:
    """Yield the training pictures in a dataset folder as input batches of the network.

    The folder has the layout that `write_yolo_folder` writes.

    Every n-th picture is read, with at least 512 pictures in total, or all if there are fewer.

    Args:
        dataset: The folder of the dataset.
        size_px: Width and height of the network's input.

    Yields:
        (n, 3, size_px, size_px) float32, n at most 16.
    """
    paths = sorted((dataset / "images" / "train").glob("*.jpg"))
    chosen = paths[:: max(1, len(paths) // _PICTURES)]
    for start in range(0, len(chosen), _BATCH):
        pictures = (read_picture(path, size_px).pixels for path in chosen[start : start + _BATCH])
        yield np.stack([letterbox(pixels, "yolov8", size_px, size_px)[0] for pixels in pictures])


def recalibrate_batch_norm(network: Any, batches: Iterable[NDArray[np.float32]]) -> int:
    """Set the statistics of each batch normalisation to those of its inputs, without changing the network's output.

    A network whose normalisations were folded into its convolutions has the statistics 0 and 1. It gives correct
    outputs in evaluation, but in training each layer is normalised by the statistics of its batch, which changes the
    outputs. After this function, training continues from the same outputs. Without a batch, nothing is changed.

    Args:
        network: A torch module; changed in place. Its mode, evaluation or training, stays the same.
        batches: Inputs (n, 3, height, width) like those of the training.

    Returns:
        The number of recalibrated normalisations.
    """
    import torch

    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    sums: dict[Any, list[Any]] = {}

    def accumulate(norm: Any, inputs: tuple[Any, ...]) -> None:
        values = inputs[0].double()
        count = values.numel() // values.shape[1]
        both = torch.stack((values.sum((0, 2, 3)), values.square().sum((0, 2, 3))))
        known = sums.setdefault(norm, [0, torch.zeros_like(both)])
        known[0] += count
        known[1] += both

    training = network.training
    network.eval()
    hooks = [norm.register_forward_pre_hook(accumulate) for norm in norms]
    with torch.inference_mode():
        for batch in batches:
            network(torch.from_numpy(batch))
    for hook in hooks:
        hook.remove()
    network.train(training)
    with torch.no_grad():
        for norm, (count, both) in sums.items():
            _set_statistics(norm, (both[0] / count).clone(), (both[1] / count).clone())
    return len(sums)


def _set_statistics(norm: Any, mean: Any, square: Any) -> None:
    """Set mean and variance of a batch normalisation, and change its scale and offset to keep its output the same."""
    variance = (square - mean.square()).clamp(min=0)
    slope = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    offset = norm.bias.double() - norm.running_mean.double() * slope
    norm.weight.copy_(slope * (variance + norm.eps).sqrt())
    norm.bias.copy_(offset + mean * slope)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
