"""Training of the threat-sound network: gunshots, chainsaws, engines, dogs and voices."""
