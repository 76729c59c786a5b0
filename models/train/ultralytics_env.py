"""Environment for ultralytics: no network access, no package installation, its own folder for settings and fonts."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import platformdirs


def isolate_ultralytics() -> None:
    """Set the environment variables that ultralytics reads at its first import, and give it fonts.

    YOLO_AUTOINSTALL=false: it does not run pip for missing packages. YOLO_OFFLINE=true: it does not check for new
    versions or send usage data. YOLO_CONFIG_DIR: its folder for settings and fonts; a value set by the user is kept.
    Source: ``ultralytics/utils/__init__.py``. ORT_DISABLE_TELEMETRY: as in ``load_onnxruntime``, for its own imports.
    """
    folder = platformdirs.user_cache_path("wildpost", appauthor=False) / "ultralytics"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    if "YOLO_CONFIG_DIR" not in os.environ:
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["YOLO_CONFIG_DIR"] = str(folder)
    _write_fonts(Path(os.environ["YOLO_CONFIG_DIR"]).expanduser() / "Ultralytics")


def _write_fonts(folder: Path) -> None:
    """Put matplotlib's font under the names of two that ultralytics would download, in spite of YOLO_OFFLINE.

    Source: ``check_font`` in ``ultralytics/utils/checks.py``.
    """
    matplotlib = find_spec("matplotlib")
    if matplotlib is None or matplotlib.origin is None:
        return
    font = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        if font.is_file() and not (folder / name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / f".{name}-{os.getpid()}"
            shutil.copyfile(font, partial)
            partial.replace(folder / name)
