"""Assigns cells to boxes by task alignment, and computes the losses of classes, boxes and distances.

Boxes may be marked to be ignored, and a picture states for each kind how much its empty cells count, because many
pictures are labelled for some kinds only.
"""

import math
from typing import Any

import torch
from torch.nn import functional

from models.train.nano.network import REACH, NanoNetwork, decode

BOX, IGNORED, ABSENT = 0, 1, -1  # the last column of a target
_GAINS = (7.5, 0.5, 1.5)  # of the losses of boxes, classes and distances, as in YOLOv8
_CANDIDATES, _SCORE_POWER, _OVERLAP_POWER = 10, 0.5, 6.0  # Feng et al. 2021, "TOOD", as in YOLOv8
_CHUNK = 64  # pictures whose cells are assigned at once; bounds the memory


class DetectionLoss:
    """The loss of a network for batches of pictures with partial labels."""

    def __init__(self, network: NanoNetwork) -> None:
        self._network = network

    def __call__(self, kinds: Any, sides: Any, targets: Any, points: Any, strides: Any, empty_weights: Any) -> Any:
        """Compute the loss of a batch.

        Args:
            kinds: Logits of the kinds, (n, cells, 3).
            sides: Logits of the distances, (n, cells, 4 * REACH).
            targets: (n, m, 6): kind, corners in pixels, and BOX, IGNORED or ABSENT.
            points: Centres of the cells, (cells, 2).
            strides: Strides of the cells, (cells, 1).
            empty_weights: Weights of cells without an object, (n, cells, 3).

        Returns:
            The weighted sum, and a tensor with the losses of boxes, classes and distances.
        """
        kinds, sides = kinds.float(), sides.float()
        boxes = decode(sides, self._network.bins, points, strides)
        with torch.no_grad():
            scores, corners = kinds.detach().sigmoid(), boxes.detach()
            parts = [
                assign(scores[at : at + _CHUNK], corners[at : at + _CHUNK], targets[at : at + _CHUNK], points)
                for at in range(0, len(targets), _CHUNK)
            ]
            taken, which, wanted, ignored = (torch.cat(part) for part in zip(*parts, strict=True))
            weights = torch.where(taken[..., None], torch.ones_like(empty_weights), empty_weights) * (~ignored)
            total = wanted.sum().clamp(min=1)
        classes = functional.binary_cross_entropy_with_logits(kinds, wanted, reduction="none")
        class_loss = (classes * weights).sum() / total
        true_boxes = targets[..., 1:5].gather(1, which[..., None].expand(-1, -1, 4))[taken]
        shares = wanted.sum(2)[taken]
        box_loss = ((1 - complete_iou(boxes[taken], true_boxes)) * shares).sum() / total
        centres = points[None].expand(len(targets), -1, -1)[taken]
        scale = strides[None].expand(len(targets), -1, -1)[taken]
        distances = torch.cat((centres - true_boxes[:, :2], true_boxes[:, 2:] - centres), 1) / scale
        distance_loss = (_distribution_loss(sides[taken], distances) * shares).sum() / total
        losses = torch.stack((box_loss, class_loss, distance_loss))
        return (losses * losses.new_tensor(_GAINS)).sum(), losses.detach()


def assign(scores: Any, boxes: Any, targets: Any, points: Any) -> tuple[Any, Any, Any, Any]:
    """Assign cells to the boxes that they should predict.

    A box gets the ten cells with its centre inside the box whose score and overlap are best aligned with it.

    Args:
        scores: Predicted scores, (n, cells, 3).
        boxes: Predicted corners, (n, cells, 4).
        targets: See ``DetectionLoss``.
        points: Centres of the cells, (cells, 2).

    Returns:
        Whether a cell has an object (n, cells), the number of its target (n, cells), the wanted scores (n, cells, 3),
        and whether an empty cell is ignored for a kind (n, cells, 3).

    Source: Feng et al. 2021, "TOOD: Task-aligned One-stage Object Detection", section 3.2.
    """
    cells, count = points.shape[0], scores.shape[2]
    kinds, corners = targets[..., 0].long().clamp(0, count - 1), targets[..., 1:5]
    real, ignore = targets[..., 5] == BOX, targets[..., 5] == IGNORED
    middle, half = (corners[..., :2] + corners[..., 2:]) / 2, (corners[..., 2:] - corners[..., :2]) / 2
    offset = (points[None, None] - middle[:, :, None]).abs()
    within = (offset < half[:, :, None]).all(-1)
    eligible = (offset < half.clamp(min=5)[:, :, None]).all(-1) & real[..., None]  # tiny boxes get the nearest cells
    overlap = pairwise_iou(corners, boxes) * eligible
    own = scores.gather(2, kinds[:, None].expand(-1, cells, -1)).transpose(1, 2)
    aligned = own.clamp(min=0) ** _SCORE_POWER * overlap**_OVERLAP_POWER
    best, at = aligned.topk(min(_CANDIDATES, cells), 2)
    chosen = torch.zeros_like(eligible).scatter_(2, at, best > 1e-12) & eligible
    alone = (~chosen.any(2)) & real  # at the beginning no prediction overlaps: the nearest cell learns
    nearest = offset.sum(-1).argmin(2, keepdim=True)
    chosen |= torch.zeros_like(chosen).scatter_(2, nearest, True) & alone[..., None]
    contested = chosen.sum(1, keepdim=True) > 1
    winner = torch.where(chosen, overlap + 1e-6, torch.zeros_like(overlap)).argmax(1, keepdim=True)
    chosen = torch.where(contested, chosen & torch.zeros_like(chosen).scatter_(1, winner, True), chosen)
    taken, which = chosen.any(1), chosen.float().argmax(1)
    aligned = aligned * chosen
    strength = aligned / (aligned.amax(2, keepdim=True) + 1e-9) * (overlap * chosen).amax(2, keepdim=True)
    strength = (strength * chosen).amax(1)
    wanted = functional.one_hot(kinds.gather(1, which), count).float() * (strength * taken)[..., None]
    ignored = [(within & (ignore & (kinds == kind))[..., None]).any(1) for kind in range(count)]
    return taken, which, wanted, torch.stack(ignored, 2) & ~taken[..., None]


def pairwise_iou(first: Any, second: Any) -> Any:
    """Return the intersection over union of boxes (..., n, 4) with boxes (..., m, 4), as (..., n, m)."""
    low = torch.maximum(first[..., :, None, :2], second[..., None, :, :2])
    high = torch.minimum(first[..., :, None, 2:], second[..., None, :, 2:])
    sides = (high - low).clamp(min=0)
    inner = sides[..., 0] * sides[..., 1]
    areas = [(box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) for box in (first, second)]
    return inner / (areas[0][..., :, None] + areas[1][..., None, :] - inner + 1e-7)


def complete_iou(found: Any, true: Any) -> Any:
    """Return the complete intersection over union of pairs of boxes (n, 4).

    Source: Zheng et al. 2020, "Distance-IoU Loss", section 3.3.
    """
    tiny = 1e-7
    width, height = found[:, 2] - found[:, 0], found[:, 3] - found[:, 1] + tiny
    true_width, true_height = true[:, 2] - true[:, 0], true[:, 3] - true[:, 1] + tiny
    low, high = torch.maximum(found[:, :2], true[:, :2]), torch.minimum(found[:, 2:], true[:, 2:])
    inner = (high - low).clamp(min=0).prod(1)
    overlap = inner / (width * height + true_width * true_height - inner + tiny)
    hull = torch.maximum(found[:, 2:], true[:, 2:]) - torch.minimum(found[:, :2], true[:, :2])
    diagonal = hull.square().sum(1) + tiny
    apart = (true[:, :2] + true[:, 2:] - found[:, :2] - found[:, 2:]).square().sum(1) / 4
    shape = 4 / math.pi**2 * (torch.atan(true_width / true_height) - torch.atan(width / height)) ** 2
    with torch.no_grad():
        weight = shape / (shape - overlap + 1 + tiny)
    return overlap - (apart / diagonal + shape * weight)


def _distribution_loss(sides: Any, distances: Any) -> Any:
    """Return the cross entropy of the two bins beside each true distance, as the mean of the four sides, (n,).

    Source: Li et al. 2020, "Generalized Focal Loss", equation 6.
    """
    inside = distances.clamp(0, REACH - 1 - 0.01)
    low = inside.long()
    upper_share = (inside - low).view(-1)
    logits = sides.view(-1, REACH)
    below = functional.cross_entropy(logits, low.view(-1), reduction="none") * (1 - upper_share)
    above = functional.cross_entropy(logits, low.view(-1) + 1, reduction="none") * upper_share
    return (below + above).view(-1, 4).mean(1)
