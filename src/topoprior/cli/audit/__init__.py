"""``topoprior audit``: labels counted and held against priors.

``label_counter`` counts one file, ``counting`` all of them, ``judged_priors`` are what they are held against; the
``findings`` are told in ``words``: in ``tables``, and on a ``page`` with ``pictures``.
"""
