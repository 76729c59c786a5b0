"""Makes training batches on the device: mosaics or single pictures, scaled, cropped and mirrored, with their boxes."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from models.train.nano.loss import ABSENT, BOX, IGNORED
from models.train.nano.picture_store import PADDING, SIDE, PictureStore

_CHUNK = 64  # pictures drawn at once; bounds the memory
_MAX_TARGETS = 100
_MIN_SHARE, _MIN_SIDE_PX = 0.2, 4.0  # a box of which less is visible is ignored


@dataclass(slots=True)
class Layout:
    """Positions of four tiles in each picture of a batch; the first tile fills a picture that is not a mosaic.

    Attributes:
        size_px: Side of the pictures of the batch.
        chosen: (n, 4) numbers of the stored pictures.
        cross: (n, 2) where the four tiles meet, in pixels.
        areas: (n, 4, 4) corners of the tiles, in pixels.
        scale: (n, 4, 2) scale of each stored picture.
        offset: (n, 4, 2) position of each stored picture, in pixels.
        mirrored: (n, 4) whether it is mirrored.
        outside: (n, 1, size, size) pixels that no stored picture covers; set by ``draw``.
    """

    size_px: int
    chosen: Any
    cross: Any
    areas: Any
    scale: Any
    offset: Any
    mirrored: Any
    outside: Any = None


def plan(store: PictureStore, chosen: Any, mosaic: Any, size_px: int, calm: bool) -> Layout:
    """Choose scale, position and mirroring of the stored pictures at random.

    Args:
        store: The stored pictures.
        chosen: (n, 4) numbers of pictures.
        mosaic: (n,) whether a picture is a mosaic of its four pictures.
        size_px: Side of the pictures of the batch.
        calm: Whether pictures are nearly as a station sees them: whole, centred, hardly scaled.
    """
    device, count = chosen.device, chosen.shape[0]
    full = torch.full((count,), float(size_px), device=device)
    across, down = (torch.where(mosaic, _uniform((count,), 0.3, 0.7, device) * size_px, full).round() for _ in range(2))
    zero = torch.zeros_like(full)
    lows = torch.stack((torch.stack((zero, across, zero, across), 1), torch.stack((zero, zero, down, down), 1)), 2)
    highs = torch.stack((torch.stack((across, full, across, full), 1), torch.stack((down, down, full, full), 1)), 2)
    areas, sizes = torch.cat((lows, highs), 2), store.sizes[chosen]
    room = (highs - lows).clamp(min=1)
    fit, cover = (room / sizes).amin(2), (room / sizes).amax(2)
    low, high = (0.95 * fit).log(), (1.4 * cover).clamp(max=2.2 * size_px / SIDE).log()
    tile_scale = (low + torch.rand((count, 4), device=device) * (torch.maximum(high, low) - low)).exp()
    if calm:
        zoom = _uniform((count, 4), math.log(0.8), math.log(1.25), device).exp()
    else:
        wild = torch.rand((count, 4), device=device) < 0.6
        strong = _uniform((count, 4), math.log(0.5), math.log(1.9), device)
        zoom = torch.where(wild, strong, _uniform((count, 4), math.log(0.85), math.log(1.2), device)).exp()
    scale = torch.where(mosaic[:, None], tile_scale, fit * zoom)
    stretch = _uniform((count, 4), -0.1, 0.1, device) * (0.5 if calm else 1)
    scales = torch.stack((scale * stretch.exp(), scale * (-stretch).exp()), 2)
    mirrored = torch.rand((count, 4), device=device) < 0.5
    offset = _offsets(store, chosen, mosaic, room, scales, mirrored, calm)
    return Layout(size_px, chosen, torch.stack((across, down), 1), areas, scales, lows + offset, mirrored)


def _offsets(store: PictureStore, chosen: Any, mosaic: Any, room: Any, scales: Any, mirrored: Any, calm: bool) -> Any:
    """Choose positions; where a picture is larger than its tile, usually one of its boxes stays visible."""
    sizes, boxes = store.sizes[chosen], store.boxes[chosen]
    real = boxes[..., 5] == BOX
    pick = (torch.rand(real.shape, device=chosen.device) * real).argmax(2, keepdim=True)
    box = boxes.gather(2, pick[..., None].expand(-1, -1, -1, 6))[:, :, 0]
    centre = (box[..., 1:3] + box[..., 3:5]) / 2
    x = torch.where(mirrored, sizes[..., 0] - centre[..., 0], centre[..., 0])
    centre = torch.stack((x, centre[..., 1]), 2)
    free = room - scales * sizes
    at = torch.rand(free.shape, device=chosen.device)
    if calm:
        at = torch.where(mosaic[:, None, None], at, 0.5 + (at - 0.5) * 0.3)
    aim = (_uniform(free.shape, 0.15, 0.85, chosen.device) * room - centre * scales).clamp(max=0)
    aims = real.any(2) & (torch.rand(real.shape[:2], device=chosen.device) < 0.75)
    offset = torch.where((free < 0) & aims[..., None], torch.maximum(aim, free), at * free)
    return offset.round() if calm else offset


def draw(store: PictureStore, layout: Layout) -> Any:
    """Return the pixels (n, 3, size, size), 0..1, of a batch by bilinear interpolation, and set ``layout.outside``."""
    count, size, device = layout.chosen.shape[0], layout.size_px, layout.chosen.device
    pictures = torch.empty((count, size, size, 3), device=device)
    layout.outside = torch.empty((count, 1, size, size), dtype=torch.bool, device=device)
    for start in range(0, count, _CHUNK):
        part = slice(start, min(start + _CHUNK, count))
        pixels, covered = _draw_part(store, layout, part)
        layout.outside[part, 0] = ~covered
        pictures[part] = torch.where(covered[..., None], pixels, torch.full((), float(PADDING), device=device))
    return pictures.div_(255).permute(0, 3, 1, 2)


def _draw_part(store: PictureStore, layout: Layout, part: slice) -> tuple[Any, Any]:
    centres = torch.arange(layout.size_px, device=layout.chosen.device) + 0.5
    small = layout.scale[part].amin(2) < 0.6  # strongly reduced pictures are read at half size, against aliasing
    side, half = SIDE, SIDE // 2
    chosen = layout.chosen[part]
    base = torch.where(small, store.half_at + chosen * (half * half), chosen * (side * side))
    width = torch.where(small, half, side)
    level = torch.where(small, 0.5, 1.0)
    sizes = store.sizes[chosen]
    limit = (sizes * level[..., None]).floor().clamp(min=1) - 1

    def axis(number: int) -> tuple[Any, Any, Any, Any]:
        """Return, for each tile and pixel: covered, share of the second pixel, first and second pixel."""
        place = (centres - layout.offset[part][..., number, None]) / layout.scale[part][..., number, None]
        area = layout.areas[part]
        covered = (place >= 0) & (place < sizes[..., number, None])
        covered &= (centres >= area[..., number, None]) & (centres < area[..., number + 2, None])
        if number == 0:
            place = torch.where(layout.mirrored[part][..., None], sizes[..., 0, None] - place, place)
        place = torch.minimum((place * level[..., None] - 0.5).clamp(min=0), limit[..., number, None])
        first = place.floor()
        second = torch.minimum(first + 1, limit[..., number, None])
        return covered, place - first, first.long(), second.long()

    covered_x, share_x, left, right = axis(0)
    covered_y, share_y, upper, lower = axis(1)
    left, right = left + base[..., None], right + base[..., None]
    upper, lower = upper * width[..., None], lower * width[..., None]
    right_half = (centres[None] >= layout.cross[part][:, :1] + 0.5).long()
    lower_half = (centres[None] >= layout.cross[part][:, 1:] + 0.5).long()
    at, pair = torch.arange(len(chosen), device=chosen.device)[:, None], torch.arange(2, device=chosen.device)
    column = right_half[:, None, :] + 2 * pair[None, :, None]  # the tile of a column depends on the row's half
    row = pair[None, :, None] + 2 * lower_half[:, None, :]

    def by_column(values: Any) -> Any:
        return values.gather(1, column)[at, lower_half]

    def by_row(values: Any) -> Any:
        return values.gather(1, row)[at, right_half].transpose(1, 2)

    left, right, share_x = by_column(left), by_column(right), by_column(share_x)[..., None]
    upper, lower, share_y = by_row(upper), by_row(lower), by_row(share_y)[..., None]
    top = store.flat[upper + left].float().lerp(store.flat[upper + right].float(), share_x)
    bottom = store.flat[lower + left].float().lerp(store.flat[lower + right].float(), share_x)
    return top.lerp(bottom, share_y), by_column(covered_x) & by_row(covered_y)


def targets(store: PictureStore, layout: Layout) -> Any:
    """Return the boxes of a batch, (n, m, 6), boxes first; see ``DetectionLoss``."""
    boxes, sizes = store.boxes[layout.chosen], store.sizes[layout.chosen][:, :, None]
    scale, offset, area = layout.scale[:, :, None], layout.offset[:, :, None], layout.areas[:, :, None]
    mirrored = layout.mirrored[:, :, None]
    left = torch.where(mirrored, sizes[..., 0] - boxes[..., 3], boxes[..., 1]) * scale[..., 0] + offset[..., 0]
    right = torch.where(mirrored, sizes[..., 0] - boxes[..., 1], boxes[..., 3]) * scale[..., 0] + offset[..., 0]
    top, bottom = (boxes[..., at] * scale[..., 1] + offset[..., 1] for at in (2, 4))
    low = (torch.maximum(left, area[..., 0]), torch.maximum(top, area[..., 1]))
    high = (torch.minimum(right, area[..., 2]), torch.minimum(bottom, area[..., 3]))
    width, height = ((end - begin).clamp(min=0) for begin, end in zip(low, high, strict=True))
    there = (boxes[..., 5] >= 0) & (width > 1) & (height > 1)
    visible = width * height >= _MIN_SHARE * (right - left) * (bottom - top)
    good = there & (boxes[..., 5] == BOX) & visible & (width >= _MIN_SIDE_PX) & (height >= _MIN_SIDE_PX)
    state = torch.where(good, float(BOX), torch.where(there, float(IGNORED), float(ABSENT)))
    found = torch.stack((boxes[..., 0], *low, *high, state), -1).flatten(1, 2)
    order = torch.where(found[..., 5] < 0, 2.0, found[..., 5]).argsort(dim=1, stable=True)
    found = found.gather(1, order[..., None].expand(-1, -1, 6))
    most = int((found[..., 5] >= 0).sum(1).max().clamp(min=1, max=_MAX_TARGETS))
    return found[:, :most].contiguous()


def cell_weights(store: PictureStore, layout: Layout, points: Any) -> Any:
    """Return how much an empty cell counts, (n, cells, 3), by the labels of the picture in its tile."""
    right = (points[None, :, 0] >= layout.cross[:, :1]).long()
    lower = (points[None, :, 1] >= layout.cross[:, 1:]).long()
    tile = (right + 2 * lower)[..., None].expand(-1, -1, store.empty_weights.shape[1])
    return store.empty_weights[layout.chosen].gather(1, tile)


def _uniform(shape: Any, low: float, high: float, device: Any) -> Any:
    return torch.rand(shape, device=device) * (high - low) + low
