"""Conversion of Camtrap DP packages to and from the formats of other programs."""
