"""``topoprior refine``: masks with the wanted topology.

``command`` and its ``options``; the ``plan`` of what is read and written; the ``choice`` of a ``refiner``, of ``maps``,
of ``networks`` or of what ``nnunet`` has made; the ``refinement`` of one file; and the ``telling`` of what came of it.
"""
