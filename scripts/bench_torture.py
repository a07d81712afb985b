"""The results of `scripts/torture`, merged into one file and shown in docs/hostile-input.md.

    bench_torture.py DIRECTORY    merges the results of the gateways in this directory
"""

import json
import sys
from pathlib import Path

from bench_results import now, write
from bench_tables import table, wrapped
from shown import Shown

RESULTS = Path("bench/results/torture.json")
COLUMNS = ["requests", "answered_2xx", "answered_4xx", "refused_by_gateway", "documented_5xx", "left", "findings"]
HEADER = ["family, protocol", "cases", "2xx", "4xx", "gateway's refusals", "documented 5xx", "client left", "findings"]


def told(results):
    said = []
    for run in results["runs"]:
        rows = []
        for line in run["lines"]:
            cells = [f"{line[column]:,}" for column in COLUMNS]
            rows.append([f"{line['family']}, {line['protocol']}", *cells])
        total = [f"{sum(line[column] for line in run['lines']):,}" for column in COLUMNS]
        first, last = run["memory"][2], run["memory"][-1]
        vms = f"The VMs had {first['vms_kb']:,} KiB after a fifth of the random requests and {last['vms_kb']:,} KiB at the end, and the" if first["vms_kb"] else "The"
        said.append(wrapped(
            f"{run['gateway']}, {run['requests']:,} cases in {run['seconds']:,.0f} s at a load average of "
            f"{results['machine']['load_average']} on {results['machine']['cores']} cores, on {results['date']} with "
            f"commit `{results['commit']}`; {run['upstream']:,} requests reached the upstream. {vms} gateway's processes "
            f"{first['resident_kb'] / 1024:,.0f} MiB and {last['resident_kb'] / 1024:,.0f} MiB:"
        ))
        said.append(table(HEADER, [*rows, ["all", *total]]))
    return "\n".join(said)


def shown():
    known = RESULTS.exists()
    return Shown(blocks={"torture": told(json.loads(RESULTS.read_text())) if known else "Not measured with this version.\n"})


def main(directory):
    runs = [json.loads(path.read_text()) for path in sorted(Path(directory).glob("*.json"))]
    write(RESULTS, {**now(), "runs": runs})


if __name__ == "__main__":
    main(*sys.argv[1:])
