"""Changes colours, light and sharpness of training batches on the device, and imitates infrared and info strips."""

import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from models.train.nano.batches import Layout, cell_weights, draw, plan, targets
from models.train.nano.loss import BOX, IGNORED
from models.train.nano.picture_store import PADDING, PictureStore

_KERNEL = 11  # side of the blur kernels, in pixels
_HIDDEN_SHARE = 0.6  # a box that is hidden more than this is ignored
_STRIP_WORDS = ("BUSHNELL", "RECONYX", "TRAIL CAM", "CAM04", "12C", "-3C", "04:17:22", "2021-06-09", "2019/11/30")
# Probabilities of the changes at full strength.
_GREY, _BLUR, _INFRARED, _DIM, _COARSE, _JPEG, _COVER, _STRIP = 0.06, 0.13, 0.25, 0.08, 0.08, 0.15, 0.12, 0.14
# The luminance quantisation table of JPEG, annex K.1.
_QUANTA = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)


class BatchMaker:
    """Makes training batches of a picture store."""

    def __init__(self, store: PictureStore, seed: int = 0) -> None:
        self._store = store
        self._chance = np.random.default_rng(seed)
        device = store.device
        self._kernels = torch.from_numpy(blur_kernels()).to(device)
        self._strips = torch.from_numpy(info_strips()).to(device).float() / 255
        steps = torch.arange(8.0)
        cosines = torch.cos(math.pi * (2 * steps[None] + 1) * steps[:, None] / 16) / 2
        cosines[0] /= math.sqrt(2)
        self._cosines = cosines.to(device)
        self._quanta = torch.tensor([float(word) for word in _QUANTA.split()], device=device).view(8, 8) / 255

    def make(self, count: int, size_px: int, points: Any, mosaic: float, calm: bool) -> tuple[Any, Any, Any]:
        """Make one batch.

        Args:
            count: Number of pictures.
            size_px: Their side.
            points: Centres of the network's cells, (cells, 2).
            mosaic: Probability that a picture is a mosaic of four.
            calm: Whether pictures are nearly as a station sees them.

        Returns:
            Pictures (n, 3, size, size) RGB 0..1, targets (n, m, 6) and weights of empty cells (n, cells, 3).
        """
        chosen = torch.multinomial(self._store.chances, count * 4, replacement=True).view(count, 4)
        single = self._chance.random(count) >= mosaic
        layout = plan(self._store, chosen, torch.from_numpy(~single).to(chosen.device), size_px, calm)
        pictures = draw(self._store, layout)
        boxes = targets(self._store, layout)
        pictures, hidden = self._change(pictures, 0.6 if calm else 1.0, layout, single)
        return pictures, ignore_hidden(boxes, hidden), cell_weights(self._store, layout, points)

    def _change(
        self, pictures: Any, strength: float, layout: Layout, single: Any
    ) -> tuple[Any, list[tuple[int, int, int, int, int]]]:
        pictures = self._colours(pictures, strength)
        for probability, change in (
            (_GREY, _grey),
            (_BLUR, self._blur),
            (_INFRARED, infrared),
            (_DIM, _dim),
            (_COARSE, self._coarse),
            (_JPEG, self._jpeg),
        ):
            some = np.flatnonzero(self._chance.random(len(pictures)) < probability * strength)
            if some.size:
                at = torch.from_numpy(some).to(pictures.device)
                pictures[at] = change(pictures[at]).to(pictures.dtype)
        hidden = self._cover(pictures, np.flatnonzero(self._chance.random(len(pictures)) < _COVER * strength))
        padding = torch.full((), PADDING / 255, device=pictures.device)
        pictures = torch.where(layout.outside, padding, pictures)
        for at in np.flatnonzero(single & (self._chance.random(len(pictures)) < _STRIP * strength)):
            self._strip(pictures, layout, int(at))
        return pictures.clamp_(0, 1), hidden

    def _colours(self, pictures: Any, strength: float) -> Any:
        """Change hue, saturation, white balance, contrast, brightness and gamma of each picture."""
        device, count = pictures.device, len(pictures)
        to_luma = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], device=device)
        angle = _uniform((count,), 0.12, device) * strength
        saturation = 1 + _uniform((count,), 0.5, device) * strength
        cos, sin = angle.cos() * saturation, angle.sin() * saturation
        one, zero = torch.ones_like(cos), torch.zeros_like(cos)
        turn = torch.stack((one, zero, zero, zero, cos, -sin, zero, sin, cos), 1).view(count, 3, 3)
        balance = (_uniform((count, 3), 0.1, device) * strength).exp()
        matrix = (torch.linalg.inv(to_luma) @ turn @ to_luma) * balance[:, :, None]
        pictures = torch.einsum("bij,bjhw->bihw", matrix, pictures)
        mean = pictures.mean((1, 2, 3), keepdim=True)
        shape = (count, 1, 1, 1)
        contrast = (_uniform(shape, 0.35, device) * strength).exp()
        brightness = ((_uniform(shape, 0.4, device) - 0.05) * strength).exp()
        gamma = (_uniform(shape, 0.35, device) * strength).exp()
        return (((pictures - mean) * contrast + mean) * brightness).clamp_(1e-4, 1).pow(gamma)

    def _blur(self, pictures: Any) -> Any:
        count, _, height, width = pictures.shape
        which = torch.from_numpy(self._chance.integers(0, len(self._kernels), count)).to(pictures.device)
        kernels = self._kernels[which].repeat_interleave(3, 0)[:, None]
        flat = pictures.reshape(1, count * 3, height, width)
        return functional.conv2d(flat, kernels, padding=_KERNEL // 2, groups=count * 3).view_as(pictures)

    def _coarse(self, pictures: Any) -> Any:
        share = float(self._chance.uniform(0.35, 0.8))
        small = functional.interpolate(pictures, scale_factor=share, mode="bilinear")
        return functional.interpolate(small, size=pictures.shape[2:], mode="bilinear")

    def _jpeg(self, pictures: Any) -> Any:
        """Quantise the cosine transforms of 8 x 8 blocks as JPEG does."""
        count, _, height, width = pictures.shape
        blocks = pictures.reshape(count, 3, height // 8, 8, width // 8, 8)
        waves = torch.einsum("ki,ncaibj,lj->ncakbl", self._cosines, blocks, self._cosines)
        quality = torch.rand((count, 1, 1, 1, 1, 1), device=pictures.device) * 2.1 + 0.4
        quanta = quality * self._quanta.view(1, 1, 1, 8, 1, 8)
        waves = (waves / quanta).round() * quanta
        return torch.einsum("ki,ncakbl,lj->ncaibj", self._cosines, waves, self._cosines).reshape(pictures.shape)

    def _cover(self, pictures: Any, some: Any) -> list[tuple[int, int, int, int, int]]:
        """Draw one to three coarse patches into some pictures, as leaves before the lens; return them as rectangles."""
        _, _, height, width = pictures.shape
        chance, found = self._chance, []
        for at in some:
            for _ in range(int(chance.integers(1, 4))):
                across, down = int(width * chance.uniform(0.04, 0.3)), int(height * chance.uniform(0.04, 0.3))
                left, top = int(chance.integers(0, width - across + 1)), int(chance.integers(0, height - down + 1))
                other = int(chance.integers(0, len(pictures)))
                piece = pictures[other : other + 1, :, top : top + down, left : left + across]
                coarse = functional.interpolate(piece, size=(3, 3), mode="area")
                patch = functional.interpolate(coarse, size=(down, across), mode="bilinear")[0]
                pictures[at, :, top : top + down, left : left + across] = patch
                found.append((int(at), left, top, left + across, top + down))
        return found

    def _strip(self, pictures: Any, layout: Layout, at: int) -> None:
        """Draw an info strip along the lower or the upper edge of one picture."""
        inside = (~layout.outside[at, 0]).nonzero()
        if not len(inside):
            return
        (top, left), (bottom, right) = inside.amin(0).tolist(), (inside.amax(0) + 1).tolist()
        high = int((bottom - top) * self._chance.uniform(0.03, 0.08))
        if high < 5 or right - left < 60:
            return
        which = int(self._chance.integers(0, len(self._strips)))
        strip = functional.interpolate(self._strips[which][None], size=(high, right - left), mode="bilinear")[0]
        y = top if self._chance.random() < 0.3 else bottom - high
        pictures[at, :, y : y + high, left:right] = strip


def infrared(pictures: Any) -> Any:
    """Imitate infrared pictures: one channel, fall-off of the flash, noise, and a tint in a quarter of them."""
    device, (count, _, height, width) = pictures.device, pictures.shape
    shape = (count, 1, 1, 1)

    def between(low: float, high: float) -> Any:
        return torch.rand(shape, device=device) * (high - low) + low

    weights = torch.rand((count, 3, 1, 1), device=device) + torch.tensor([0.6, 0.3, 0.1], device=device).view(
        1, 3, 1, 1
    )
    grey = (pictures * (weights / weights.sum(1, keepdim=True))).sum(1, keepdim=True)
    grey = grey * between(0.6, 1.0) + between(0.0, 0.08)
    down = torch.linspace(-1, 1, height, device=device).view(1, 1, height, 1) - between(-0.4, 0.4)
    across = torch.linspace(-1, 1, width, device=device).view(1, 1, 1, width) - between(-0.4, 0.4)
    falloff = (-(across.square() + down.square()) * between(0.0, 2.2)).exp()
    grey = grey * (falloff * between(0.8, 1.5) + between(0.0, 0.25))
    grey = grey.clamp(1e-4, 1).pow(between(0.6, 1.3))
    grey = grey + torch.randn_like(grey) * between(0.0, 0.07) * (0.4 + grey.sqrt())
    tinted = torch.rand(shape, device=device) < 0.25
    tint = torch.where(tinted, 1 + _uniform((count, 3, 1, 1), 0.15, device), torch.ones((), device=device))
    return (grey * tint).clamp_(0, 1)


def ignore_hidden(boxes: Any, hidden: list[tuple[int, int, int, int, int]]) -> Any:
    """Mark boxes to be ignored of which one rectangle (picture, left, top, right, bottom) hides more than 60 %."""
    for at, left, top, right, bottom in hidden:
        own = boxes[at]
        width = (own[:, 3].clamp(max=right) - own[:, 1].clamp(min=left)).clamp(min=0)
        height = (own[:, 4].clamp(max=bottom) - own[:, 2].clamp(min=top)).clamp(min=0)
        area = (own[:, 3] - own[:, 1]) * (own[:, 4] - own[:, 2])
        ignored = (own[:, 5] == BOX) & (width * height > _HIDDEN_SHARE * area)
        own[:, 5] = torch.where(ignored, torch.full_like(own[:, 5], float(IGNORED)), own[:, 5])
    return boxes


def info_strips(count: int = 48) -> Any:
    """Return info strips as camera traps print them: (count, 3, 32, 416) uint8."""
    import cv2

    chance, found = np.random.default_rng(0), []
    for _ in range(count):
        dark = chance.random() < 0.75
        ground, ink = (int(chance.integers(0, 30)), 230) if dark else (int(chance.integers(200, 256)), 20)
        strip = np.full((32, 416, 3), ground, np.uint8)
        x = int(chance.integers(2, 30))
        for word in chance.permutation(_STRIP_WORDS)[:4]:
            size = float(chance.uniform(0.4, 0.65))
            cv2.putText(strip, str(word), (x, 23), cv2.FONT_HERSHEY_SIMPLEX, size, (ink, ink, ink), 1, cv2.LINE_AA)
            x += int(len(str(word)) * 19 * size) + int(chance.integers(6, 60))
        found.append(strip.transpose(2, 0, 1))
    return np.stack(found)


def blur_kernels() -> Any:
    """Return kernels of motion blur and of lenses out of focus: (n, 11, 11) float32, each with sum 1."""
    middle, found = _KERNEL // 2, []
    down, across = np.mgrid[-middle : middle + 1, -middle : middle + 1]
    for length in (3, 5, 7, 9, 11):
        for angle in np.arange(0, np.pi, np.pi / 6):
            along = across * np.cos(angle) + down * np.sin(angle)
            aside = across * np.sin(angle) - down * np.cos(angle)
            found.append(np.clip(1 - np.abs(aside), 0, 1) * (np.abs(along) <= length / 2))
    found += [np.exp(-(across**2 + down**2) / 2 / sigma**2) for sigma in (0.6, 0.8, 1.0, 1.3, 1.7, 2.2) * 3]
    found += [(across**2 + down**2 <= radius**2).astype(float) for radius in (1.5, 2.5, 3.2)]
    return np.stack([kernel / kernel.sum() for kernel in found]).astype(np.float32)


def _grey(pictures: Any) -> Any:
    return pictures.mean(1, keepdim=True).expand(-1, 3, -1, -1)


def _dim(pictures: Any) -> Any:
    shape = (len(pictures), 1, 1, 1)
    dark = pictures * (torch.rand(shape, device=pictures.device) * 0.45 + 0.15)
    noise = torch.randn_like(dark) * (torch.rand(shape, device=pictures.device) * 0.04 + 0.01)
    return (dark + noise).clamp_(0, 1)


def _uniform(shape: Any, extent: float, device: Any) -> Any:
    """Return uniform random numbers between -extent and extent."""
    return (torch.rand(shape, device=device) * 2 - 1) * extent
