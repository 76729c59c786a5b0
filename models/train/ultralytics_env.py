"""Environment for ultralytics: no network access, no package installation, and its own folder for settings."""

import os

import platformdirs


def isolate_ultralytics() -> None:
    """Set the environment variables that ultralytics reads at its first import.

    YOLO_AUTOINSTALL=false: it does not run pip for missing packages. YOLO_OFFLINE=true: it does not check for new
    versions or send usage data. YOLO_CONFIG_DIR: its folder for settings and fonts; a value set by the user is kept.
    Source: ``ultralytics/utils/__init__.py``.
    """
    folder = platformdirs.user_cache_path("wildpost", appauthor=False) / "ultralytics"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_OFFLINE"] = "true"
    if "YOLO_CONFIG_DIR" not in os.environ:
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["YOLO_CONFIG_DIR"] = str(folder)
