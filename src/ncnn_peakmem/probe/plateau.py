"""When looped inference stopped growing."""

from __future__ import annotations


class Plateau:
    """Watches figures loop by loop, and remembers when one of them last went over its own highest."""

    def __init__(self) -> None:
        self.loops = 0
        self.settled_at = 0
        self._highest: tuple[int, ...] = ()

    def look(self, *figures: int) -> None:
        """Take the figures of one more loop; the first loop is number 0."""
        highest = tuple(map(max, zip(figures, self._highest or figures, strict=True)))
        if highest != self._highest:
            self.settled_at = self.loops
            self._highest = highest
        self.loops += 1
