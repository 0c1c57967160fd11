"""``topoprior audit``: labels counted and held against priors; its tables, its page and its pictures."""
