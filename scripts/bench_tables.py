"""The tables of docs/performance.md and README.md, as Markdown, from the results of `scripts/bench`."""

NONE = "no filter"
ONE_HEADER = "SDK filter, one header read and one set"


class Results:
    """The cases by name, and the differences that the tables show."""

    def __init__(self, results):
        self.cases = results["cases"]
        self.named = {case["name"]: case for case in self.cases}

    def kinds(self, *kinds):
        return [case for kind in kinds for case in self.cases if case["kind"] == kind]

    def figure(self, name, figure):
        return self.named.get(name, {"figures": {}})["figures"].get(figure)

    def instructions(self, name):
        """The least count of a case, over the case that it is counted over. None if it was not counted."""
        count = self.figure(name, "instructions")
        if count is None:
            return None
        over = self.named[name]["over"]
        # Every count is already one over no filter.
        less = 0 if over == NONE else self.figure(over, "instructions")["min"]
        return count["min"] - less

    def times(self, name):
        """Instructions as a multiple of those of the filter that reads one header and sets one."""
        count, one = self.instructions(name), self.instructions(ONE_HEADER)
        return None if count is None or not one or name == NONE else count / one


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def thousands(number):
    return "–" if number is None else f"{round(number, -2):,.0f}"


def spread(figure, unit=1, digits=1):
    """A median with its range."""
    if figure is None:
        return "–"
    median, least, most = (figure[key] / unit for key in ("median", "min", "max"))
    return f"{median:,.{digits}f} ({least:,.{digits}f} to {most:,.{digits}f})"


def kilobytes(count):
    return "–" if count is None else f"{count / 1000:,.0f}"


def where(results, gateway=None):
    """What a run was made with, and when. `gateway` names the gateway, if it is not Envoy."""
    machine = results["machine"]
    gateway = gateway or f"Envoy {results['envoy']}"
    minutes = max(1, round(results["seconds"] / 60))
    busy = machine["load_average"] > machine["cores"] / 2
    text = (
        f"Version {results['version']}, commit `{results['commit']}`, {results['date']}, {gateway}, "
        f"{machine['cores']} cores of {machine['processor']}. The run took {minutes} minutes at a load average of "
        f"{machine['load_average']}"
    )
    if busy:
        text += ", so the machine was busy with other programs: times are longer than on an idle one"
    note = f" {results['note']}" if "note" in results else ""
    return wrapped(f"{text}.{note}")


def wrapped(text, width=100):
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines) + "\n"


def start(all_):
    floor = all_.figure(NONE, "rss_kb")

    def row(case, suffix="", note=""):
        figures = case["figures"]
        memory = figures["rss_kb" + suffix]["median"] - floor["median"]
        return [
            case["name"] + note,
            kilobytes(figures.get("file_bytes")),
            kilobytes(figures.get("code_bytes")),
            spread(figures["start_ms" + suffix], 1000, 2),
            spread(figures["start_cpu_ms" + suffix], 1000, 2),
            f"{memory / 1000:,.1f}",
        ]

    rows = []
    for case in all_.kinds("floor", "native", "filter", "chain"):
        if "start_ms" in case["figures"]:
            rows.append(row(case))
        if "start_ms_2_workers" in case["figures"]:
            rows.append(row(case, "_2_workers", ", 2 workers"))
    return table(["", "file, KB", "code, KB", "ready, s", "processor, s", "memory, MB"], rows)


def request(all_):
    floor = all_.figure(NONE, "processor_us")
    rows = []
    for case in all_.kinds("floor", "native", "filter", "chain"):
        name, figures = case["name"], case["figures"]
        times = all_.times(name)
        time = figures.get("processor_us")
        over = None if time is None else {key: value - floor["median"] for key, value in time.items()}
        rows.append([
            name,
            thousands(all_.instructions(name)),
            "–" if times is None else f"{times:.1f}",
            str(figures.get("host_calls", "–")),
            str(figures.get("entries", "–")),
            spread(over, 1, 0),
        ])
    return table(["", "instructions", "× one header", "host calls", "entries", "processor, µs"], rows)


def chain(all_):
    rows = []
    for case in all_.kinds("chain"):
        parts = [all_.instructions(part) for part in case["parts"]]
        count = all_.instructions(case["name"])
        if parts and count is not None and None not in parts:
            total = sum(parts)
            rows.append([case["name"], thousands(count), thousands(total), f"{count / total:.2f}"])
    if not rows:
        return "There is no chain in this run that fits into the addresses of valgrind.\n"
    return table(["", "instructions", "sum of its parts", "ratio"], rows)


def memory(all_):
    rows = []
    for case in all_.cases:
        figures = case["figures"]
        if "memory_before" not in figures:
            continue
        before, after = figures["memory_before"], figures["memory_after"]
        rows.append([
            case["name"],
            f"{before['vm_kb']:,}",
            f"{figures['requests']:,}",
            f"{after['vm_kb']:,}",
            f"{(after['rss_kb'] - before['rss_kb']) / 1000:+,.1f}",
        ])
    return table(["", "VM after one request, KiB", "requests", "VM after them, KiB", "Envoy, MB more"], rows)


def parked(results):
    rows = [
        [
            row["name"],
            row["holder"],
            f"{row['figures']['envoy_bytes'] / 1000:,.1f}",
            f"{row['figures']['vm_bytes'] / 1000:,.1f}",
        ]
        for row in results["parked"] or []
    ]
    return table(["", "waits for", "Envoy in all, KB", "VM, KB"], rows)


def details(all_):
    floor = (all_.figure(NONE, "processor_us") or {"median": 0})["median"]
    rows = []
    for case in all_.kinds("detail"):
        time = case["figures"].get("processor_us")
        if time is not None:
            rows.append([case["name"], spread({key: value - floor for key, value in time.items()}, 1, 0)])
    return table(["", "processor, µs"], rows)


def blocks(results):
    """The text of each block of figures, by the name that its document gives."""
    all_ = Results(results)
    return {
        "machine": where(results),
        "start": start(all_),
        "request": request(all_),
        "chain": chain(all_),
        "memory": memory(all_),
        "parked": parked(results),
        "details": details(all_),
    }
