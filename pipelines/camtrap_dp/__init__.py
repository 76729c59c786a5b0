"""Exchange of data in the Camtrap DP format."""
