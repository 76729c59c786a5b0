"""Sources of captures (folder, camera, microphone), capture triggers, and grouping of captures into visits."""
