"""Equation 5: a network's output, or a bare probability map, moved to the wanted topology."""
