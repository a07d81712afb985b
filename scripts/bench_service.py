"""gatehouse-admin with many consumers: the results of `scripts/service-load`.

    bench_service.py merge OUT SECONDS PART...   one file of results from those of each database
    bench_service.py print RESULTS               prints the tables
"""

import json
import sys
from pathlib import Path

from bench_results import now, write
from bench_tables import table, wrapped
from shown import Shown

RESULTS = Path("bench/results/service.json")


def merge(out, seconds, parts):
    runs = [json.loads(Path(part).read_text()) for part in parts]
    write(out, {**now(), "seconds": int(seconds), "runs": runs})


def where(results):
    machine = results["machine"]
    run = results["runs"][0]
    return wrapped(
        f"Version {results['version']}, commit `{results['commit']}`, {results['date']}, {machine['cores']} cores of "
        f"{machine['processor']}, which the service shares with the database and with the program that asks. The run took "
        f"{max(1, round(results['seconds'] / 60))} minutes at a load average of {machine['load_average']}, its own load "
        f"included: {run['consumers']:,} consumers, {run['endpoint_time_ms'] / 1000:,.1f} seconds for each endpoint, "
        f"{run['feed']['seconds']:,.0f} seconds of writes."
    )


def columns(results, rows):
    """A table with a column for each database. A row is a name and a function that gives the text for one run."""
    runs = results["runs"]
    return table(["", *(run["engine"] for run in runs)], [[name, *(text(run) for run in runs)] for name, text in rows])


def milliseconds(microseconds):
    shown = microseconds / 1000
    return f"{shown:,.0f}" if shown >= 100 else f"{shown:.1f}"


def megabytes(kilobytes):
    return f"{kilobytes / 1000:,.0f}"


def database(results):
    return columns(results, [
        ("consumers", lambda run: f"{run['consumers']:,}"),
        ("counters", lambda run: run["counters"]),
        ("filled in, s", lambda run: f"{run['filled_in_seconds']:,.0f}"),
        ("size, MB", lambda run: f"{run['database_bytes'] / 1_000_000:,.0f}"),
        ("start until the service listens, ms", lambda run: f"{run['start_ms']:,}"),
        ("the slowest of three starts, ms", lambda run: f"{run['start_max_ms']:,}"),
        ("memory of the service after its start, MB", lambda run: megabytes(run["memory_at_start_kb"])),
        ("at most, while every endpoint is asked, MB", lambda run: megabytes(run["memory_max_kb"])),
    ])


def endpoints(results, reads):
    runs = results["runs"]
    header = ["", *(f"{run['engine']}: {figure}" for run in runs for figure in ("a second", "p50", "p99", "max"))]
    found = [{name(row): row for row in run["endpoints"]} for run in runs]
    rows = []
    for row in runs[0]["endpoints"]:
        if (row["method"] == "GET") != reads:
            continue
        cells = [name(row)]
        for of_run in found:
            it = of_run[name(row)]
            times = (milliseconds(it[figure]) for figure in ("p50_us", "p99_us", "max_us"))
            cells += [f"{it['per_second']:,.0f}", *times]
        rows.append(cells)
    return table(header, rows)


def name(row):
    path = row["route"].replace("{consumer}", "{c}").replace("{item}", "{x}")
    note = f", {row['note']}" if row["note"] else ""
    return f"`{row['method']} {path}`{note}"


def feed(results):
    def of(figure, form="{:,.0f}"):
        return lambda run: form.format(run["feed"][figure])

    def share(run):
        return f"{run['feed']['polls_dropped'] / max(1, run['feed']['polls']):.0%}"

    return columns(results, [
        ("gateways", of("gateways")),
        ("writes that were wanted, a second", of("wanted_per_second")),
        ("seconds", of("seconds")),
        ("writes that were answered, a second", of("writes_per_second")),
        ("the same without gateways, a second", of("writes_per_second_without_gateways")),
        ("a write, p50, ms", lambda run: milliseconds(run["feed"]["write_p50_us"])),
        ("a write, p99, ms", lambda run: milliseconds(run["feed"]["write_p99_us"])),
        ("from the answer until the last gateway knows, p50, ms", of("lag_p50_ms")),
        ("the same, p99, ms", of("lag_p99_ms")),
        ("the same, max, ms", of("lag_max_ms")),
        ("changes that a gateway missed", of("lost")),
        ("polls", of("polls")),
        ("a poll, p99, ms", lambda run: milliseconds(run["feed"]["poll_p99_us"])),
        ("polls after which a gateway forgot everything", share),
        ("answers to polls, MB", lambda run: f"{run['feed']['bytes_sent'] / 1_000_000:,.0f}"),
        ("the service, cores", of("service_cores", "{:.2f}")),
        ("the database's own processes, cores", of("database_cores", "{:.2f}")),
        ("memory of the service at most, MB", lambda run: megabytes(run["feed"]["memory_max_kb"])),
    ])


def snapshot(results):
    def of(figure, form="{:,.0f}"):
        return lambda run: form.format(run["snapshot"][figure])

    def time(figure):
        return lambda run: milliseconds(run["snapshot"][figure])

    return columns(results, [
        ("App IDs", of("app_ids")),
        ("pages", of("pages")),
        ("seconds", of("seconds", "{:,.1f}")),
        ("MB", lambda run: f"{run['snapshot']['bytes'] / 1_000_000:,.0f}"),
        ("a page, p50, ms", time("page_p50_us")),
        ("a page, p99, ms", time("page_p99_us")),
        ("the slowest page, ms", time("page_max_us")),
        ("processor of the service, s", of("service_seconds", "{:,.1f}")),
        ("processor of the database's own processes, s", of("database_seconds", "{:,.1f}")),
        ("memory of the service at most, MB", lambda run: megabytes(run["snapshot"]["memory_max_kb"])),
    ])


def blocks(results):
    return {
        "service-machine": where(results),
        "service-database": database(results),
        "service-reads": endpoints(results, True),
        "service-writes": endpoints(results, False),
        "service-feed": feed(results),
        "service-snapshot": snapshot(results),
    }


def shown():
    return Shown(blocks=blocks(json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    if sys.argv[1] == "merge":
        merge(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        print("\n".join(blocks(json.loads(Path(sys.argv[2]).read_text())).values()))
