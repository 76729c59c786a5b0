"""The threat-sound network: four stages of 3 x 3 convolutions on log-mel spectrograms."""

from collections.abc import Mapping
from typing import Any

from models.threat.detector import INPUT, LABELS_KEY
from models.threat.front_end import BANDS, FRAMES
from models.train.threat.mixing import LABELS

_CHANNELS = (16, 32, 64, 96)


def build_network() -> Any:
    """Build the torch network: (n, 1, 64, 198) to (n, 5) logits.

    The last stage has both average and maximum pooling: a chainsaw fills the window, a gunshot is short.
    """
    from torch import nn

    class Stage(nn.Sequential):  # type: ignore[misc]
        def __init__(self, inward: int, outward: int) -> None:
            super().__init__(
                nn.Conv2d(inward, outward, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(outward),
                nn.ReLU(),
                nn.Conv2d(outward, outward, 3, padding=1, bias=False),
                nn.BatchNorm2d(outward),
                nn.ReLU(),
            )

    class Network(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            inward = (1, *_CHANNELS[:-1])
            self.stages = nn.Sequential(*(Stage(*pair) for pair in zip(inward, _CHANNELS, strict=True)))
            self.drop = nn.Dropout(0.3)
            self.classifier = nn.Linear(2 * _CHANNELS[-1], len(LABELS))

        def forward(self, spectrograms: Any) -> Any:
            import torch

            features = self.stages(spectrograms)
            return self.classifier(self.drop(torch.cat((features.mean((2, 3)), features.amax((2, 3))), 1)))

    return Network()


def export_network(network: Any, temperatures: Any, path: str, metadata: Mapping[str, str] | None = None) -> None:
    """Write the network as an ONNX file.

    Its output is calibrated: sigmoid(logit / temperature), with one temperature per label.

    Args:
        network: The network, as returned by ``train``.
        temperatures: One temperature per label, in the order of ``LABELS``.
        path: The file to write.
        metadata: Further metadata of the file, in addition to the labels and the temperatures.
    """
    import onnx
    import torch

    class Calibrated(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.register_buffer("temperatures", torch.as_tensor(temperatures, dtype=torch.float32))

        def forward(self, spectrograms: Any) -> Any:
            return torch.sigmoid(self.network(spectrograms) / self.temperatures)

    torch.onnx.export(
        Calibrated().eval(),
        (torch.zeros(1, 1, BANDS, FRAMES),),
        path,
        input_names=[INPUT],
        output_names=["confidence"],
        dynamic_axes={INPUT: {0: "windows"}, "confidence": {0: "windows"}},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(path)
    own = {LABELS_KEY: ",".join(LABELS), "temperatures": ",".join(f"{value:g}" for value in temperatures)}
    for key, value in {**own, **(metadata or {})}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, path)
