"""The classification network of wildpost-species in torch, and its export."""
