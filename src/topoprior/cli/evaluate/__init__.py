"""``topoprior evaluate``: predictions scored against their labels and priors; its tables, its page and its pictures."""
