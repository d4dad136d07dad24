"""The machine that figures were measured on, without which they mean little."""

import os
import platform
import sqlite3
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = ("Flask", "SQLAlchemy", "gunicorn", "psycopg", "procrastinate", "pgqueuer", "asyncpg")
FLUSHES = 200
PAGE_BYTES = 4096


def machine(folder: Path) -> dict[str, Any]:
    """Cores, versions, and how often a second the folder's disk can be made to keep a page."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: _version(name) for name in LIBRARIES},
        "flushesPerSecond": round(_flushes_per_second(folder)),
    }


def _flushes_per_second(folder: Path) -> float:
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        begun = time.perf_counter()
        for _ in range(FLUSHES):
            file.write(b"\0" * PAGE_BYTES)
            os.fdatasync(file.fileno())
        return FLUSHES / (time.perf_counter() - begun)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
