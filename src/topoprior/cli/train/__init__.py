"""``topoprior train``: a training run and its configuration file."""
