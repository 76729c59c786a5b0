"""How often each kind was found, by local day and hour."""
