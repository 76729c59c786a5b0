"""Export of detections in the Camtrap DP format."""
