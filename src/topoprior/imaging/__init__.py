"""Images with their geometry, phantoms of known topology, small networks."""
