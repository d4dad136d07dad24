"""Finding and replacing in a prompt, and what that changes in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Piece:
    """A piece of a prompt: `same`, or `del` for what goes, or `ins` for what comes."""

    kind: str
    text: str


@dataclass(frozen=True)
class Replacement:
    """What is looked for, and what is put in its place; both are plain words."""

    find: str
    by: str
    match_case: bool = False
    whole_words: bool = False

    def apply(self, prompt: str) -> str:
        """The prompt with every place replaced."""
        return self._pattern.sub(lambda _: self.by, prompt)

    def pieces(self, prompt: str) -> Iterator[Piece]:
        """The prompt with what goes and what comes, in its order, for a person to see the difference."""
        at = 0
        for found in self._pattern.finditer(prompt):
            if at < found.start():
                yield Piece("same", prompt[at : found.start()])
            yield Piece("del", found[0])
            if self.by:
                yield Piece("ins", self.by)
            at = found.end()
        if at < len(prompt):
            yield Piece("same", prompt[at:])

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        words = re.escape(self.find)
        if self.whole_words:
            words = rf"(?<!\w){words}(?!\w)"
        return re.compile(words, re.NOFLAG if self.match_case else re.IGNORECASE)
