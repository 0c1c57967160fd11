"""``topoprior refine``: what is refined, by what, and the work on one file."""
