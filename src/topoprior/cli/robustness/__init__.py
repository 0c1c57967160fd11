"""``topoprior robustness``: images made worse, then refined and judged, by the rooms of ``refine`` and ``evaluate``."""
