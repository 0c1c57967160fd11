"""``topoprior train``: a training run.

Its ``configuration`` file, read by a ``schema``; the ``folder`` of all that comes of it; and the ``bars`` of progress.
"""
