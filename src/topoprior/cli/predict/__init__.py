"""``topoprior predict``: masks by a trained network, the ``prediction`` of one file among others."""
