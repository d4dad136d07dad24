"""`python -m tests.benchmarks`: measures everything on SQLite and PostgreSQL, and says which targets are met."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from .databases import Backend, backend
from .figures import Figures
from .footprint import footprint
from .lanes import Lane, Shape, lane
from .machine import machine
from .plan import FULL, QUICK, Plan
from .queueing import queueing
from .sections import Bench, draws, reads, waits
from .servers import bare
from .tables import figures_table, targets_table
from .targets import targets

BACKENDS = ("sqlite", "postgresql")
OVER_HTTP = {"reads": reads, "draws": draws, "queueing": queueing, "waits": waits}
MEMORY, ENGINE = "memory", "engine"
LASTING = Path("/var/tmp")  # on disk where /tmp is memory


def main() -> None:
    """Measure, print and write."""
    options = _options()
    plan = _plan(options)
    measured: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="semantest-", dir=options.folder, ignore_cleanup_errors=True) as name:
        described = machine(Path(name))
        for chosen in BACKENDS if options.backend == "both" else (options.backend,):
            folder = Path(name) / chosen
            folder.mkdir()
            measured[chosen] = measure(chosen, plan, folder, options.only)
    reached = targets(plan, measured)
    print(", ".join(f"{name}: {value}" for name, value in described.items() if name != "libraries"), end="\n\n")
    for chosen, figures in measured.items():
        print(figures_table(chosen, figures), end="\n\n")
    print(targets_table(reached))
    written = {
        "machine": described,
        "plan": vars(plan),
        "figures": {chosen: figures.as_json() for chosen, figures in measured.items()},
        "targets": [target.as_json() for target in reached],
    }
    options.json.write_text(json.dumps(written, indent=1) + "\n")


def measure(name: str, plan: Plan, folder: Path, only: Sequence[str]) -> Figures:
    """Measure all sections, or only some, on one backend."""
    figures = Figures()
    with backend(name, folder) as chosen:
        if over_http := [section for section in OVER_HTTP if not only or section in only]:
            _measure_lanes(chosen, plan, folder, figures, over_http)
        if not only or MEMORY in only:
            _say(f"{name}: {MEMORY}")
            footprint(plan, chosen, folder, figures)
        if name == "postgresql" and (not only or ENGINE in only):
            from .engines import engines  # needs what only the extra `bench` installs

            _say(f"{name}: {ENGINE}")
            engines(plan, chosen, folder, figures)
    return figures


def _measure_lanes(chosen: Backend, plan: Plan, folder: Path, figures: Figures, sections: Sequence[str]) -> None:
    with ExitStack() as stack:

        def filled(shape: Shape) -> Lane:
            _say(f"{chosen.name}: filling {shape.name}")
            return stack.enter_context(lane(chosen, folder / shape.name.replace(" ", "-"), shape))

        beside = stack.enter_context(bare(folder / "bare"))
        bench = Bench(plan, [*map(filled, plan.by_size)], [*map(filled, plan.by_comics)], beside, figures)
        for section in sections:
            _say(f"{chosen.name}: {section}")
            OVER_HTTP[section](bench)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--backend", choices=(*BACKENDS, "both"), default="both")
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds, to see that it works")
    parser.add_argument(
        "--only", action="append", choices=(*OVER_HTTP, MEMORY, ENGINE), help="this section; may be repeated"
    )
    parser.add_argument("--sizes", type=_sizes, help="numbers of tasks, rising, separated by commas")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="the file that is written")
    folder = LASTING if LASTING.is_dir() else None
    parser.add_argument("--folder", type=Path, default=folder, help="where the databases are; on a disk that counts")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else FULL
    return replace(plan, sizes=options.sizes) if options.sizes else plan


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(","))


def _say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
