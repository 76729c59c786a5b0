"""Gives each batch normalisation what it really normalises by, without changing what the network says."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.picture import read_picture
from models.vision.letterbox import letterbox

_PICTURES, _AT_ONCE = 512, 16  # enough that more change nothing to speak of


def batches(dataset: Path, size_px: int) -> Iterator[NDArray[np.float32]]:
    """Read some of the training pictures of a folder that `write_yolo_folder` wrote, as the network takes them.

    Args:
        dataset: The folder.
        size_px: Of the network's input.
    """
    paths = sorted((dataset / "images" / "train").glob("*.jpg"))
    chosen = paths[:: max(1, len(paths) // _PICTURES)]
    for start in range(0, len(chosen), _AT_ONCE):
        pixels = (read_picture(path, size_px).pixels for path in chosen[start : start + _AT_ONCE])
        yield np.stack([letterbox(one, "yolov8", size_px, size_px)[0] for one in pixels])


def recalibrate_batch_norm(network: Any, batches: Iterable[NDArray[np.float32]]) -> int:
    """Measure what comes into each batch normalisation, and let it normalise by that.

    A network whose normalisations were folded into its convolutions works, but it is another one as soon as it trains:
    each layer is then normalised by its batch, and no longer by 0 and 1. After this, training begins from the network
    that was there. Without a batch nothing is changed.

    Args:
        network: A torch module; changed in place, and left as it was: evaluating or training.
        batches: Inputs (n, 3, height, width) like those that it will learn from.

    Returns:
        How many normalisations were settled.
    """
    import torch

    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    sums: dict[Any, list[Any]] = {}

    def take(norm: Any, given: tuple[Any, ...]) -> None:
        values = given[0].double()
        count = values.numel() // values.shape[1]
        both = torch.stack((values.sum((0, 2, 3)), values.square().sum((0, 2, 3))))
        known = sums.setdefault(norm, [0, torch.zeros_like(both)])
        known[0] += count
        known[1] += both

    training = network.training
    network.eval()
    hooks = [norm.register_forward_pre_hook(take) for norm in norms]
    with torch.inference_mode():
        for batch in batches:
            network(torch.from_numpy(batch))
    for hook in hooks:
        hook.remove()
    network.train(training)
    with torch.no_grad():
        for norm, (count, both) in sums.items():
            _settle(norm, (both[0] / count).clone(), (both[1] / count).clone())
    return len(sums)


def _settle(norm: Any, mean: Any, square: Any) -> None:
    variance = (square - mean.square()).clamp(min=0)
    slope = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    offset = norm.bias.double() - norm.running_mean.double() * slope
    norm.weight.copy_(slope * (variance + norm.eps).sqrt())
    norm.bias.copy_(offset + mean * slope)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
