"""Sources of captures (folder, camera, microphone), triggers and visits."""
