"""What the fuzz targets have done, from bench/results/fuzz.json, which `scripts/fuzz --total` writes."""

import json
from pathlib import Path

from bench_tables import table
from shown import Shown

HEADER = ["target", "CPU s", "executions", "edges", "corpus", "findings"]
FILE = Path("bench/results/fuzz.json")


def shown():
    result = json.loads(FILE.read_text())
    columns = ("seconds", "executed", "edges", "corpus", "findings")
    rows = [[f"`{row['target']}`", *(f"{row[key]:,}" for key in columns)] for row in result["targets"]]
    total = {key: sum(row[key] for row in result["targets"]) for key in ("seconds", "executed", "corpus", "findings")}
    rows.append(
        ["together", f"{total['seconds']:,.0f}", f"{total['executed']:,}", "", f"{total['corpus']:,}", str(total["findings"])]
    )
    said = f"All runs together, the last at commit {result['commit']}, at a load of {result['load']} on {result['processors']} processors.\n\n"
    return Shown(blocks={"fuzz": said + table(HEADER, rows)}, values={"fuzz-targets": str(len(result["targets"]))})
