"""What somebody may have meant."""

from difflib import get_close_matches

MOST_LOOKUPS = 100  # in one file: a wrong one can have thousands of wrong words
LONGEST_WORD = 40
LIKENESS = 0.6


class Hints:
    """Guesses for one file, remembered, and not more of them than anybody reads."""

    def __init__(self) -> None:
        self._left = MOST_LOOKUPS
        self._known: dict[tuple[str, tuple[str, ...]], str | None] = {}

    def guess(self, word: str, meant: tuple[str, ...]) -> str | None:
        """The one of what can be meant that is most like the word, if one is like it."""
        asked = word.strip().casefold(), meant
        if asked not in self._known:
            if not self._left or len(word) > LONGEST_WORD:
                return None
            self._left -= 1
            likely = get_close_matches(asked[0], [one.casefold() for one in meant], 1, LIKENESS)
            self._known[asked] = next((one for one in meant if one.casefold() in likely), None)
        return self._known[asked]

    def ask(self, word: str, meant: tuple[str, ...]) -> str:
        """` Did you mean high?`, to be added to a sentence, or nothing."""
        guess = self.guess(word, meant)
        return f" Did you mean {guess}?" if guess else ""
