"""``topoprior robustness``: ``data`` made worse level by level, refined and judged.

Its ``trials`` stand on the rooms of ``refine`` and ``evaluate``; a ``level_table`` tells what came of them.
"""
