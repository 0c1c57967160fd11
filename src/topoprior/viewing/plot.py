"""Pictures of bars and of the pixels that set them, in the paper's colours: red, green, blue for dimensions 0, 1, 2.

Every function draws on the axes it is given, or on a figure of its own that is not registered with pyplot (nothing to
close, no state left), and returns what it drew on. Dimensions are told apart by place, marker and words too, not by
colour alone. Needs matplotlib: ``pip install 'topoprior[plots]'``.
"""

from topoprior.viewing.bars import barcode, persistence_diagram
from topoprior.viewing.overlays import before_after, critical_pixels

__all__ = ["barcode", "before_after", "critical_pixels", "persistence_diagram"]
