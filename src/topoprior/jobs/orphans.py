"""Worker processes end with the process that they work for.

One that is killed cannot tell its workers. They would go on with what they were given, hours of it perhaps, beside
those of the run that is started next, and nobody would take the results.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_EVERY = 1.0  # seconds
_watched: set[int] = set()  # of this process: parents on which a thread keeps an eye


@dataclass(frozen=True)
class EndsWithParent(Generic[Item, Result]):
    """Work for another process, that ends when the process ends that made this object.

    Attributes:
        work: Takes an item.
        parent: The process that made this.
    """

    work: Callable[[Item], Result]
    parent: int = field(default_factory=os.getpid)

    def __call__(self, item: Item) -> Result:
        """Work on one item."""
        if os.getpid() != self.parent and self.parent not in _watched:
            _watched.add(self.parent)
            threading.Thread(target=_watch, args=(self.parent,), daemon=True).start()
        return self.work(item)


def _watch(parent: int) -> None:
    while os.getppid() == parent:  # an orphan is given another one
        time.sleep(_EVERY)
    os._exit(1)
