"""Imports of inference runtimes with their telemetry switched off."""

import os
import sys
from typing import Any


def load_openvino() -> Any:
    """Import OpenVINO with its telemetry package blocked, and return the module.

    If the package ``openvino_telemetry`` is installed, ``import openvino`` sends an event to an analytics host, without
    consent; otherwise OpenVINO uses a class of its own that does nothing. Source:
    ``openvino/tools/ovc/telemetry_utils.py``. The lock file excludes the package, but pip installs it as a dependency
    of OpenVINO. None in ``sys.modules`` makes its import fail: The Python Language Reference, 5.3.1.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino


def load_onnxruntime() -> Any:
    """Import ONNX Runtime with its telemetry disabled, and return the module.

    From version 1.29 on, it uploads events to Microsoft unless this variable is set before it is initialised. Source:
    ``onnxruntime/Privacy.md``, "Disabling Telemetry".

    Raises:
        ImportError: ONNX Runtime is not installed.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime
