"""The table of docs/faults.md: collected from the rows that `scripts/faults` leaves, and printed.

    fault_tables.py collect ROWS SECONDS FORM    writes bench/results/faults.json from the rows of a run
    fault_tables.py print ROWS                   prints the rows of a run
"""

import json
import sys
from pathlib import Path

from bench_results import envoy_version, now
from bench_tables import wrapped
from shown import Shown

RESULTS = Path("bench/results/faults.json")
PARTS = ["gatehouse-admin", "Lies", "Databases", "Disk", "Moesif's collector", "Gateway", "Clocks"]


def read(path):
    """The rows of a run in the order of the document. Of a row that was reported twice, the last one counts."""
    rows = {}
    for line in Path(path).read_text().splitlines():
        row = json.loads(line)
        rows[row["part"], row["on"], row["done"]] = row
    return sorted(rows.values(), key=lambda row: (PARTS.index(row["part"]), row["done"], row["on"]))


def count(number):
    return f"{number:,}"


def cells(row):
    answers, writes, events, late = (row[key] for key in ("answers", "writes", "events", "late"))
    shown = [f"{row['done'][0].upper()}{row['done'][1:]}", row["on"]]
    keys = ("sent", "right", "refused", "wrong")
    shown += [count(answers[key]) for key in keys] if answers else ["–"] * 4
    shown.append(f"{count(writes['acknowledged'])}, {count(writes['lost'])}" if writes else "–")
    names = ("recorded", "delivered", "dropped")
    shown.append(", ".join(count(events[name]) for name in names) if events else "–")
    shown.append(f"{late['measured']:.2f} of {late['promised']:g}" if late else "–")
    return shown


HEADER = [
    "what was done", "on", "sent", "right", "refused", "wrong", "writes, lost",
    "events, delivered, dropped", "late, s",
]


def tables(rows):
    lines = []
    for part in PARTS:
        of_part = [row for row in rows if row["part"] == part]
        if not of_part:
            continue
        lines += [f"**{part}**", "", "| " + " | ".join(HEADER) + " |", "|---|---" + "|---:" * 7 + "|"]
        lines += ["| " + " | ".join(cells(row)) + " |" for row in of_part]
        lines.append("")
    return "\n".join(lines)


def run_of(results):
    machine, rows = results["machine"], results["rows"]
    sent = sum(row["answers"]["sent"] for row in rows if row["answers"])
    writes = sum(row["writes"]["acknowledged"] for row in rows if row["writes"])
    wrong = sum(row["answers"]["wrong"] for row in rows if row["answers"])
    lost = sum(row["writes"]["lost"] for row in rows if row["writes"])
    text = (
        f"Version {results['version']}, commit `{results['commit']}`, {results['date']}, Envoy {results['envoy']}, "
        f"{machine['cores']} cores of {machine['processor']}, load average {machine['load_average']}. The "
        f"{results['form']} form took {max(1, round(results['seconds'] / 60))} minutes: {len(rows)} rows, "
        f"{count(sent)} requests of which {count(wrong)} were answered wrongly, and {count(writes)} acknowledged "
        f"writes of which {count(lost)} were lost."
    )
    return wrapped(text)


def collect(rows, seconds, form):
    results = {
        **now(),
        "envoy": envoy_version(),
        "seconds": int(seconds),
        "form": form,
        "rows": read(rows),
    }
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def shown():
    if not RESULTS.exists():
        none = "There is no run yet.\n"
        return Shown(blocks={"faults": none, "faults-run": none})
    results = json.loads(RESULTS.read_text())
    return Shown(blocks={"faults": tables(results["rows"]), "faults-run": run_of(results)})


def main(command, *arguments):
    if command == "collect":
        collect(*arguments)
    elif command == "print":
        print(tables(read(arguments[0])))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
