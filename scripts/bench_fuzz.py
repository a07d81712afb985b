"""What the fuzz targets have done, from bench/results/fuzz.json, which `scripts/fuzz --result` writes."""

import json
from pathlib import Path

from shown import Shown

FILE = Path("bench/results/fuzz.json")


def shown():
    result = json.loads(FILE.read_text())
    rows = ["| target | CPU s | executions | edges | corpus | findings |", "|---|---:|---:|---:|---:|---:|"]
    for row in result["targets"]:
        cells = [f"`{row['target']}`", *(f"{row[key]:,}" for key in ("seconds", "executed", "edges", "corpus", "findings"))]
        rows.append("| " + " | ".join(cells) + " |")
    total = {key: sum(row[key] for row in result["targets"]) for key in ("seconds", "executed", "corpus", "findings")}
    rows.append(f"| together | {total['seconds']:,.0f} | {total['executed']:,} | | {total['corpus']:,} | {total['findings']} |")
    said = f"Measured at commit {result['commit']}, at a load of {result['load']} on {result['processors']} processors.\n\n"
    return Shown(blocks={"fuzz": said + "\n".join(rows) + "\n"}, values={"fuzz-targets": str(len(result["targets"]))})
