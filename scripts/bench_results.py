"""The results of `scripts/bench`: merged into one file for each kind, and compared with the committed one.

    bench_results.py merge OUT SECONDS PART...   one file of results from those of the measurements
    bench_results.py kong OUT SECONDS PART...    the results of a Kong
    bench_results.py growth OUT SECONDS PART...  the results of cost against size
    bench_results.py compare NEW                 prints what differs from the committed results
"""

import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path

RESULTS = Path("bench/results")

# A count of instructions varies by less than this, in parts of one.
EXACT = 0.01


def summary(samples):
    """Median, least and most of some samples."""
    samples = sorted(samples)
    median = samples[len(samples) // 2]
    return {"median": round(median, 2), "min": round(samples[0], 2), "max": round(samples[-1], 2)}


def figures(raw):
    """The figures of one case, with a summary for each list of samples. A case that was left out has no samples."""
    shown = {}
    for name, value in raw.items():
        if name == "calls":
            shown.update({key: value[key] for key in ("host_calls", "entries")} if value else {})
        elif isinstance(value, list):
            shown.update({name: summary(value)} if value else {})
        else:
            shown[name] = value
    return shown


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def machine():
    """What a reader needs to know of this machine, and nothing that identifies it."""
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": processor.group(1) if processor else "unknown",
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[2], 1),
    }


def version():
    return re.search(r'^version = "(.*)"$', Path("Cargo.toml").read_text(), re.MULTILINE).group(1)


def now():
    """When, where and of which commit something was measured."""
    return {
        "version": version(),
        "date": datetime.date.today().isoformat(),
        "commit": output("git", "rev-parse", "--short=10", "HEAD"),
        "machine": machine(),
    }


def envoy_version():
    return re.search(r"version: [^/]*/([0-9.]+)", output(os.environ["GATEHOUSE_ENVOY"], "--version")).group(1)


def write(out, results):
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_text(json.dumps(results, indent=1) + "\n")


def read(paths):
    return [json.loads(Path(path).read_text()) for path in paths]


def cases_of(parts):
    """The cases of several measurements, each with its figures of all of them."""
    cases = {}
    for document in parts:
        for case in document["cases"]:
            known = cases.setdefault(case["name"], {**case, "figures": {}})
            known["figures"].update(figures(case["figures"]))
    return list(cases.values())


def merge(out, seconds, paths):
    parts = read(paths)
    parked = [part["parked"] for part in parts if part["parked"]]
    write(out, {
        **now(),
        "envoy": envoy_version(),
        "seconds": int(seconds),
        "cases": cases_of(parts),
        "parked": parked[-1] if parked else None,
    })


def kong(out, seconds, paths):
    found = re.search(r"[0-9]+(\.[0-9]+)+", output(os.environ["GATEHOUSE_KONG"], "version")).group()
    write(out, {**now(), "kong": found, "seconds": int(seconds), "cases": cases_of(read(paths))})


def growth(out, seconds, paths):
    points = [point for part in read(paths) for point in part["points"]]
    write(out, {**now(), "envoy": envoy_version(), "seconds": int(seconds), "points": points})


def optional(name):
    """Results that not every run makes, or None."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def committed():
    """The committed results of the newest version, or None."""
    versions = [path for path in RESULTS.glob("*.json") if re.fullmatch(r"[0-9.]+", path.stem)]
    newest = max(versions, key=lambda path: [int(part) for part in path.stem.split(".")], default=None)
    return json.loads(newest.read_text()) if newest else None


def change(name, old, new):
    """What is to be said of a figure, or None if it is as it was."""
    if name == "instructions":
        # The least is the figure.
        old, new = old["min"], new["min"]
        return f"{old:,.0f} -> {new:,.0f}" if abs(new - old) > EXACT * max(abs(old), 10_000) else None
    if isinstance(new, dict) and "median" in new:
        apart = new["min"] > old["max"] or new["max"] < old["min"]
        span = "{median:,.1f} ({min:,.1f} to {max:,.1f})"
        return f"{span.format(**old)} -> {span.format(**new)}" if apart else None
    return f"{old:,} -> {new:,}" if isinstance(new, (int, float)) and new != old else None


def compare(new):
    """Prints what changed: instructions by more than 1 %, sizes and calls at all, and others if their ranges are apart."""
    old, new = committed(), json.loads(Path(new).read_text())
    if old is None:
        print("there are no committed results to compare with")
        return
    print(f"\nagainst {old['version']} of {old['date']} ({old['commit']}):\n")
    before = {case["name"]: case["figures"] for case in old["cases"]}
    changes = [
        f"  {case['name']:44} {name:24} {said}"
        for case in new["cases"]
        for name, figure in case["figures"].items()
        if name in before.get(case["name"], {}) and (said := change(name, before[case["name"]][name], figure))
    ]
    print("\n".join(changes or ["  nothing changed"]))


def main(command, *arguments):
    makers = {"merge": merge, "kong": kong, "growth": growth}
    if command in makers:
        makers[command](arguments[0], arguments[1], arguments[2:])
    elif command == "compare":
        compare(arguments[0])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
