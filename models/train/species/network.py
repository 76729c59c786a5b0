"""The network of wildpost-species: EfficientNet-Lite0 with one output for each class of animals."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from models.registry import WeightsError
from models.train.nano.backbone import OUTPUT_CHANNELS, Lite0, SameConv, batch_norm

_FEATURES = 1280  # Source: TensorFlow's efficientnet_lite_builder.py, Apache-2.0


class SpeciesNetwork(nn.Module):  # type: ignore[misc]
    """EfficientNet-Lite0 with a linear layer; its module names are those of the backbone's PyPI package."""

    def __init__(self, classes: tuple[str, ...], drop: float = 0.1, dropout: float = 0.2) -> None:
        """Build the network with random weights.

        Args:
            classes: The class names, in the order of the output.
            drop: Largest probability that training leaves a block out.
            dropout: Probability that training sets a feature to 0.
        """
        super().__init__()
        self.classes = classes
        backbone = Lite0(drop)
        self._conv_stem, self._bn0, self._blocks = backbone._conv_stem, backbone._bn0, backbone._blocks
        self._conv_head = SameConv(OUTPUT_CHANNELS[-1], _FEATURES, 1)
        self._bn1 = batch_norm(_FEATURES)
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(_FEATURES, len(classes))

    def forward(self, crops: Any) -> Any:
        """Return the logits (n, classes) of crops (n, 3, height, width), RGB, 0..1."""
        values = functional.relu6(self._bn0(self._conv_stem(crops)), inplace=True)
        for block in self._blocks:
            values = block(values)
        features = functional.relu6(self._bn1(self._conv_head(values)), inplace=True).mean((2, 3))
        return self._fc(self._dropout(features))


def is_species_checkpoint(path: Path) -> bool:
    """Return whether a file is a checkpoint of this network: its weights, with the names of its classes."""
    if path.suffix != ".pt" or not path.is_file():
        return False
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001, torch raises many types for files that are not plain tensors
        return False
    return isinstance(state, dict) and isinstance(state.get("classes"), list) and "_fc.weight" in state


def read_checkpoint(path: Path) -> SpeciesNetwork:
    """Read a checkpoint: a state dict with the additional key ``classes``. Nothing in the file is executed.

    Raises:
        WeightsError: the file has no such state dict, or lacks a layer.
    """
    if not is_species_checkpoint(path):
        raise WeightsError(f"{path}: expected the weights of a species classifier, with its classes")
    state = torch.load(path, map_location="cpu", weights_only=True)
    network = SpeciesNetwork(tuple(map(str, state.pop("classes"))))
    try:
        network.load_state_dict({name: value.float() for name, value in state.items()}, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"{path}: {error}") from error
    network.eval()
    return network
