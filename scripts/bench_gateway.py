"""What the filters cost a gateway, for the documents: tables and the picture of the newest results of `scripts/bench`."""

import sys
from pathlib import Path

from bench_picture import picture
from bench_results import committed
from bench_tables import Results, blocks, spread, table
from shown import Shown


def module(results):
    """One module for a chain of all filters, beside a module for each: until Envoy is ready, with two workers."""
    all_ = Results(results)
    chains = ["all twelve, one module", "all twelve, a file each"]

    def row(what, figure, unit, digits):
        return [what, *(spread(all_.figure(chain, f"{figure}_2_workers"), unit, digits) for chain in chains)]

    return table(["until Envoy is ready", "one module", "single files"], [
        row("processor time, s", "start_cpu_ms", 1000, 1),
        row("time, s", "start_ms", 1000, 1),
        row("memory, MB", "rss_kb", 1000, 0),
    ])


def shown():
    results = committed()
    if results is None:
        sys.exit("there are no results in bench/results: run `make bench`")
    shown = {**blocks(results), "module": module(results)}
    return Shown(blocks=shown, pictures={Path("docs/images/instructions.svg"): picture(results)})
