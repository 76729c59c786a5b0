"""Data exchange in the Camtrap DP format."""
