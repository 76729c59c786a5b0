"""Where captures come from: files in a folder, a camera, a microphone; triggers and visits."""
