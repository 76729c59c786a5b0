"""Hand-over packs of cases: BagIt folders that a stranger can check, signed with a key of the server."""
