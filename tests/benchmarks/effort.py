"""What processes have cost the machine: their CPU time and their memory, as /proc tells."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..chaos.processes import children_of

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Part:
    """One part of the server: its first process and that one's children."""

    name: str
    pid: int

    def cpu_seconds(self) -> float:
        """The CPU time of all its processes, also of those that have ended."""
        pids = [self.pid, *children_of(self.pid)]
        return sum(_ticks(pid) for pid in pids) / TICKS_PER_SECOND

    def memory_mib(self) -> float:
        """What its processes have of the machine's memory; what several share counts once."""
        return sum(_proportional_kib(pid) for pid in [self.pid, *children_of(self.pid)]) / 1024


Effort = Mapping[str, float]  # CPU seconds by the name of the part


def effort(parts: list[Part]) -> Effort:
    """The CPU time that each part has used up to now."""
    return {part.name: part.cpu_seconds() for part in parts}


def since(before: Effort, after: Effort) -> dict[str, float]:
    """The CPU time between the two."""
    return {name: after[name] - before[name] for name in after}


def _ticks(pid: int) -> int:
    with suppress(OSError):  # it has ended meanwhile, and counts with its parent
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))  # its own in user and system mode, and that of children it has buried
    return 0


def _proportional_kib(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
