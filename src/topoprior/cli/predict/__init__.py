"""``topoprior predict``: masks by a trained network."""
