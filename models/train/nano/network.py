"""The network of wildpost-nano 2: EfficientNet-Lite0, a light PAN and an anchor-free head."""

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from models.evaluate.labels import KINDS
from models.train.nano.backbone import OUTPUT_CHANNELS, Lite0, batch_norm

STRIDES = (8, 16, 32)  # pixels per cell of the three levels
REACH = 16  # distances from a cell's centre to the sides of its box, in cells, are distributions over this many bins
_WIDTHS = (80, 128, 192)
_STOCHASTIC_DEPTH = 0.05


class Conv(nn.Sequential):  # type: ignore[misc]
    """Convolution, batch normalisation, ReLU6."""

    def __init__(self, inward: int, outward: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        convolution = nn.Conv2d(inward, outward, kernel, stride, kernel // 2, groups=groups, bias=False)
        super().__init__(convolution, batch_norm(outward), nn.ReLU6(inplace=True))


class Separable(nn.Sequential):  # type: ignore[misc]
    """5 x 5 convolution by channel, then 1 x 1."""

    def __init__(self, inward: int, outward: int, stride: int = 1) -> None:
        super().__init__(Conv(inward, inward, 5, stride, groups=inward), Conv(inward, outward))


class Fuse(nn.Module):  # type: ignore[misc]
    """Cross-stage partial block over concatenated features."""

    def __init__(self, inward: int, outward: int, repeats: int) -> None:
        super().__init__()
        half = outward // 2
        self.a, self.b = Conv(inward, half), Conv(inward, half)
        self.m = nn.ModuleList(Separable(half, half) for _ in range(repeats))
        self.out = Conv(half * (repeats + 2), outward)

    def forward(self, values: Any) -> Any:
        """Return fused features with ``outward`` channels."""
        parts = [self.b(values), self.a(values)]
        for block in self.m:
            parts.append(block(parts[-1]))
        return self.out(torch.cat(parts, 1))


class NanoNetwork(nn.Module):  # type: ignore[misc]
    """The detection network; its outputs are logits of every cell of the three levels."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = _WIDTHS
        self.backbone = Lite0(_STOCHASTIC_DEPTH)
        self.l3, self.l4, self.l5 = (Conv(*pair) for pair in zip(OUTPUT_CHANNELS, _WIDTHS, strict=True))
        self.u5, self.u4 = Conv(third, second), Conv(second, first)
        self.t4, self.t3 = Fuse(2 * second, second, 2), Fuse(2 * first, first, 1)
        self.d3, self.d4 = Separable(first, second, 2), Separable(second, third, 2)
        self.p4, self.p5 = Fuse(2 * second, second, 2), Fuse(2 * third, third, 1)
        self.cls = nn.ModuleList(_head(width, len(KINDS)) for width in _WIDTHS)
        self.reg = nn.ModuleList(_head(width, 4 * REACH) for width in _WIDTHS)
        for kinds, sides, stride in zip(self.cls, self.reg, STRIDES, strict=True):
            kinds[-1].bias.data[:] = math.log(5 / len(KINDS) / (416 / stride) ** 2)  # about 5 objects in a picture
            sides[-1].bias.data[:] = 1.0
        self.register_buffer("bins", torch.arange(REACH, dtype=torch.float), persistent=False)

    def features(self, pictures: Any) -> tuple[Any, Any, Any]:
        """Return the features of the three levels of pictures (n, 3, height, width), RGB, 0..1."""
        found = self.backbone(pictures)
        low, middle, high = self.l3(found[0]), self.l4(found[1]), self.l5(found[2])
        middle = self.t4(torch.cat((_twice(self.u5(high)), middle), 1))
        low = self.t3(torch.cat((_twice(self.u4(middle)), low), 1))
        middle = self.p4(torch.cat((self.d3(low), middle), 1))
        return low, middle, self.p5(torch.cat((self.d4(middle), high), 1))

    def forward(self, pictures: Any) -> tuple[Any, Any]:
        """Return logits of the kinds (n, cells, 3), and of the distances to the four sides (n, cells, 4 * REACH)."""
        kinds, sides = [], []
        for features, kind_head, side_head in zip(self.features(pictures), self.cls, self.reg, strict=True):
            kinds.append(kind_head(features).flatten(2))
            sides.append(side_head(features).flatten(2))
        return torch.cat(kinds, 2).transpose(1, 2), torch.cat(sides, 2).transpose(1, 2)


class ExportedNetwork(nn.Module):  # type: ignore[misc]
    """The network as it is written to an ONNX file, for one picture of a fixed size.

    Its output (1, 7, cells) has the format of head "yolov8": centre and size in pixels, then the scores.
    """

    def __init__(self, network: NanoNetwork, size_px: int) -> None:
        super().__init__()
        self.net = network
        points, strides = cell_centres(size_px)
        self.register_buffer("points", points.T[None].contiguous(), persistent=False)
        self.register_buffer("strides", strides.T[None].contiguous(), persistent=False)
        self.register_buffer("bins", network.bins.view(1, -1, 1, 1).clone(), persistent=False)

    def forward(self, pictures: Any) -> Any:
        """Return the decoded output of one picture (1, 3, size, size)."""
        kinds, sides = [], []
        levels = zip(self.net.features(pictures), self.net.cls, self.net.reg, strict=True)
        for features, kind_head, side_head in levels:
            cells = int(features.shape[2]) * int(features.shape[3])
            kinds.append(kind_head(features).view(1, len(KINDS), cells))
            sides.append(side_head(features).view(1, 4 * REACH, cells))
        cells = int(self.points.shape[2])
        shares = torch.cat(sides, 2).view(1, 4, REACH, cells).transpose(1, 2).softmax(1)
        distances = functional.conv2d(shares, self.bins).view(1, 4, cells) * self.strides
        corner, opposite = self.points - distances[:, :2], self.points + distances[:, 2:]
        return torch.cat(((corner + opposite) / 2, opposite - corner, torch.cat(kinds, 2).sigmoid()), 1)


def cell_centres(size_px: int, device: str = "cpu") -> tuple[Any, Any]:
    """Return the centres (cells, 2) of all cells in pixels, and the strides (cells, 1) of their levels."""
    points, strides = [], []
    for stride in STRIDES:
        count = size_px // stride
        steps = torch.arange(count, device=device)
        down, across = torch.meshgrid(steps, steps, indexing="ij")
        points.append((torch.stack((across, down), -1).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((count * count, 1), float(stride), device=device))
    return torch.cat(points).float(), torch.cat(strides)


def decode(sides: Any, bins: Any, points: Any, strides: Any) -> Any:
    """Return corners (n, cells, 4) in pixels from logits of the distances (n, cells, 4 * REACH).

    Source: Li et al. 2020, "Generalized Focal Loss", section 3.2, for distances as distributions.
    """
    count, cells, _ = sides.shape
    distances = (sides.float().view(count, cells, 4, -1).softmax(-1) * bins).sum(-1) * strides
    return torch.cat((points - distances[..., :2], points + distances[..., 2:]), -1)


def _head(width: int, outputs: int) -> Any:
    return nn.Sequential(Separable(width, width), Separable(width, width), nn.Conv2d(width, outputs, 1))


def _twice(features: Any) -> Any:
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")
