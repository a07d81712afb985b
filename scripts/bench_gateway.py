"""What the filters cost a gateway, for the documents: tables and the picture of the newest results of `scripts/bench`."""

import sys
from pathlib import Path

from bench_picture import picture
from bench_results import committed
from bench_tables import blocks
from shown import Shown


def shown():
    results = committed()
    if results is None:
        sys.exit("there are no results in bench/results: run `make bench`")
    return Shown(blocks=blocks(results), pictures={Path("docs/images/instructions.svg"): picture(results)})
