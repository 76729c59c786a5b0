"""Errors that a command prints on one line, without a traceback."""

from zoneinfo import ZoneInfoNotFoundError

from contract.errors import WildpostError


def is_expected(error: BaseException) -> bool:
    """Return whether an error can occur in normal operation, so that a command prints only its message."""
    return isinstance(error, WildpostError | OSError | ZoneInfoNotFoundError)


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Return a message naming the optional dependency group ("extra") of a missing package; None if it is in none."""
    package = (error.name or "").partition(".")[0]
    for extra, names in EXTRAS.items():
        if package in names:
            return f"{package} is not installed; this needs wildpost[{extra}] (in a clone: uv sync --extra {extra})"
    return None


EXTRAS = {
    "server": {
        "duckdb",
        "influxdb_client",
        "sqlalchemy",
        "fastapi",
        "uvicorn",
        "jinja2",
        "prometheus_client",
        "babel",
        "shapely",
        "multipart",
        "apprise",
        "astral",
        "obstore",
        "pyrage",
        "argon2",
    },
    "station": {
        "cv2",
        "openvino",
        "onnxruntime",
        "ai_edge_litert",
        "soundfile",
        "soxr",
        "sounddevice",
        "psutil",
        "numpy",
    },
    "train": {"torch", "torchvision", "ultralytics", "librosa", "onnx"},
}
