"""Objects whose state belongs to one process and one run."""
from typing import Any


class Transient:
    """Base class of objects that a copy or a pickle starts anew, without the state of the original."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a new object."""
        return type(self)().__dict__
