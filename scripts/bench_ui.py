"""The lists and searches behind the page for operators: the results of `scripts/ui-load`."""

import json
from pathlib import Path

from bench_tables import table, wrapped
from shown import Shown

RESULTS = Path("bench/results/ui.json")


def told(results):
    load = results["machine"]["load_average"]
    said = wrapped(
        f"`scripts/ui-load` makes {results['consumers']:,} consumers in SQLite ({results['mebibytes']} MiB) and asks "
        f"{results['rounds']} times for each page of 50. With commit `{results['commit']}` on "
        f"{results['machine']['cores']} cores, at a load average of {load}:"
    )
    rows = [[name, f"{median:.1f}", f"{most:.1f}"] for name, (median, most) in results["questions"].items()]
    return said + "\n" + table(["question", "median, ms", "maximum, ms"], rows)


def shown():
    return Shown(blocks={"ui": told(json.loads(RESULTS.read_text()))})
