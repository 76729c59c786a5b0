"""Number of species: estimates of the unseen ones, rarefaction, sample coverage and accumulation."""
