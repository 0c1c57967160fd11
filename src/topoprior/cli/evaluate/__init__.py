"""``topoprior evaluate``: predictions scored against their labels and priors.

``pairs`` finds which files belong together, ``stated_scorer`` makes the ``scorer`` of one pair that was asked for; the
``findings`` of all pairs are told in ``score_lines``, ``remarks``, and a page with ``pictures``.
"""
