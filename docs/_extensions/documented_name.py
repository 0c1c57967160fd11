"""Which documented object code in a sentence names."""

import re
from collections.abc import Iterable

NAME = re.compile(r"(?:tp\.|topoprior\.)?((?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*))(?:\(.*\))?", re.DOTALL)


def documented(text: str, objects: Iterable[str]) -> str | None:
    """The full name of the object that code in a sentence names, with or without a call, if it is among ``objects``.

    Without a module that is a name at the top of the package, or a class, which is capitalised, of any module: small
    words alone, such as ``region``, may mean something else.
    """
    match = NAME.fullmatch(text)
    if not match:
        return None
    name, last = match.groups()
    if f"topoprior.{name}" in objects:
        return f"topoprior.{name}"
    if not last[0].isupper():
        return None
    found = [each for each in objects if each.endswith(f".{name}")]
    return found[0] if len(found) == 1 else None
