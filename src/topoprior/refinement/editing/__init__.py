"""Elementary edits of a mask, each of which changes its topology by a known amount."""
