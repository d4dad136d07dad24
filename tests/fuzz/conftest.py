"""What the tests of this folder write need not last: it is kept in memory where that can be."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder for one test, in memory where that can be."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="semantest-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
