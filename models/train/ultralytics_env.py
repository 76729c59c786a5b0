"""Lets ultralytics work without reaching for the network, installing packages or writing beside a person's files."""

import os

import platformdirs


def isolate_ultralytics() -> None:
    """Set what ultralytics reads from the environment when it is first imported.

    YOLO_AUTOINSTALL: it would run pip for whatever it misses. YOLO_OFFLINE: it would look for new versions and send
    usage. YOLO_CONFIG_DIR: it keeps settings and fonts there. Source: ``ultralytics/utils/__init__.py``.
    """
    folder = platformdirs.user_cache_path("wildpost", appauthor=False) / "ultralytics"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_OFFLINE"] = "true"
    if "YOLO_CONFIG_DIR" not in os.environ:
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["YOLO_CONFIG_DIR"] = str(folder)
