"""``topoprior reproduce``: the paper's experiments, each a ``command``, and what every ``experiment`` has in common."""
