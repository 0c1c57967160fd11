"""``topoprior reproduce``: the paper's experiments."""
