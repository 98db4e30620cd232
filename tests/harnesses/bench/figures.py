"""Figures: a speed is only ever given beside that of a peer in the same run."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

WARM_UP_ROUNDS = 5


@dataclass(frozen=True)
class Figure:
    """`ratio` is the value divided by the peer's."""

    name: str
    value: float
    unit: str
    peer: str
    ratio: float


def medians(tries: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each try, all of them in turns.

    Each round has them in another order, so that what slows the machine down for a
    while slows down all of them.
    """
    order, times = list(tries), {name: list[float]() for name in tries}
    for number in range(WARM_UP_ROUNDS + rounds):
        random.shuffle(order)
        for name in order:
            began = time.perf_counter()
            tries[name]()
            if number >= WARM_UP_ROUNDS:
                times[name].append((time.perf_counter() - began) * 1000)
    return {name: median(taken) for name, taken in times.items()}


def against(
    peer: str, measured: dict[str, float], prefix: str, unit: str = "ms"
) -> list[Figure]:
    """Make figures of all but the peer."""
    return [
        Figure(f"{prefix}: {name}", round(value, 2), unit, peer, value / measured[peer])
        for name, value in measured.items()
        if name != peer
    ]


def report(figures: Iterable[Figure], path: Path) -> None:
    """Print a table, and write the figures as JSON."""
    figures = list(figures)
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        words = f"{figure.value:>10.2f} {figure.unit:<8} {figure.ratio:>6.2f} of"
        print(f"{figure.name:<{width}} {words} {figure.peer}")  # noqa: T201
    rows = [asdict(figure) | {"ratio": round(figure.ratio, 3)} for figure in figures]
    path.write_text(json.dumps(rows, indent=2) + "\n")
