"""The tables and the picture of docs/growth.md, from the results of `scripts/bench --growth`."""

from html import escape
from math import log, log10
from pathlib import Path

from bench_results import optional
from bench_tables import table, where
from shown import Shown

FILTERS = "filters in one chain"
SNAPSHOT = "snapshot"
NOT_YET = "Not measured with this version.\n"
SIZES = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]
# Counts that differ by less than this, in parts of one, do not grow.
FLAT = 0.02


def short(number):
    """A number with three digits and a unit."""
    if number is None:
        return "–"
    sign, number = ("-" if number < 0 else ""), abs(number)
    for unit, suffix in [(1e9, " G"), (1e6, " M"), (1e3, " k")]:
        if number >= unit:
            digits = 0 if number / unit >= 100 else 1
            return f"{sign}{number / unit:,.{digits}f}{suffix}"
    return f"{sign}{number:,.0f}"


def series(results, figure):
    """The sizes and figures of each series that has this figure, in the order of the results."""
    found = {}
    for point in results["points"]:
        if figure in point["figures"] and point["series"] != SNAPSHOT:
            found.setdefault(point["series"], {})[point["size"]] = point["figures"][figure]
    return found


def exponent(points):
    """The slope of the logarithms by least squares, or None for less than two positive points."""
    logs = [(log(size), log(value)) for size, value in points.items() if value > 0]
    if len(logs) < 2:
        return None
    x, y = (sum(values) / len(logs) for values in zip(*logs))
    return sum((a - x) * (b - y) for a, b in logs) / sum((a - x) ** 2 for a, _ in logs)


def line(points):
    """The coefficients a and b of a + b × size, by least squares of the relative errors."""
    weights = [(1 / value**2, size, value) for size, value in points.items() if value > 0]
    w, x, y = (sum(weight * part for weight, part in pairs) for pairs in (
        [(weight, 1) for weight, _, _ in weights],
        [(weight, size) for weight, size, _ in weights],
        [(weight, value) for weight, _, value in weights],
    ))
    xx = sum(weight * size**2 for weight, size, _ in weights)
    xy = sum(weight * size * value for weight, size, value in weights)
    b = (w * xy - x * y) / (w * xx - x * x)
    return (y - b * x) / w, b


def fit(points):
    """How a series grows: the exponent, and the line, or that it does not grow."""
    least, most = min(points.values()), max(points.values())
    if len(points) < 2 or least <= 0:
        return ["–", "–"]
    slope = f"{exponent(points):.2f}"
    if most / least < 1 + FLAT:
        return [slope, "does not grow"]
    if points[max(points)] / points[min(points)] < 1 + FLAT:
        return [slope, f"does not grow, ± {(most / least - 1) * 50:.0f} %"]
    # A line through few decades says nothing where the growth is that of a logarithm.
    if exponent(points) < 0.1:
        decades = log10(max(points) / min(points))
        return [slope, f"{short((points[max(points)] - points[min(points)]) / decades)} more for ten times as many"]
    a, b = line(points)
    return [slope, f"{short(a)} + {short(b) if b >= 10 else f'{b:.2f}'} × n"]


def requests(results):
    found = series(results, "instructions")
    rows = [
        [name, *(short(points.get(size)) for size in SIZES), *fit(points)]
        for name, points in found.items() if name != FILTERS
    ]
    return table(["instructions at n =", *(f"{size:,}" for size in SIZES), "exponent", "fitted"], rows)


def chain(results):
    counts = series(results, "instructions").get(FILTERS, {})
    rows = []
    before = None
    for size, count in counts.items():
        rows.append([f"{size}", short(count), "–" if before is None else short(count - before)])
        before = count
    return table(["filters", "instructions", "the last one adds"], rows)


def starts(results):
    rows = []
    for point in results["points"]:
        figures = point["figures"]
        if "start_ms" in figures:
            rows.append([
                point["series"],
                f"{point['size']:,}",
                f"{figures['start_ms'] / 1000:.2f}",
                f"{figures['start_cpu_ms'] / 1000:.2f}",
                f"{figures['rss_kb'] / 1000:,.0f}",
                f"{figures['vm_kb'] / 1000:,.1f}",
            ])
    return table(["", "n", "ready, s", "processor, s", "Envoy, MB", "VM, MB"], rows)


def snapshots(results):
    rows = []
    for point in results["points"]:
        if point["series"] == SNAPSHOT:
            figures = point["figures"]
            rows.append([
                f"{point['size']:,}",
                f"{figures['most']:,}",
                f"{figures['serves_s']:.1f}",
                f"{figures['complete_s']:.1f}",
                f"{figures['processor_s']:.1f}",
                f"{figures['vm_kb'] / 1000:,.0f}",
                f"{figures['rss_kb'] / 1000:,.0f}",
                f"{figures['vm_kb_later'] / 1000:,.0f}",
                f"{figures['rss_kb_later'] / 1000:,.0f}",
                "looked up" if figures["last_is_looked_up"] else "there",
            ])
    header = ["App IDs", "`max_entries`", "serves, s", "all there, s", "processor, s", "VM, MB", "Envoy, MB"]
    return table(header + ["VM after the second, MB", "Envoy after it, MB", "the last App ID is"], rows)


WIDTH, HEIGHT = 1020, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 430, 20, 50
COLOURS = ["#218bff", "#cf222e", "#2da44e", "#8250df", "#bf8700", "#1b7c83", "#bf3989", "#57606a", "#a04100", "#0550ae", "#116329"]
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc"
     font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13">
  <title id="title">Instructions of a request against size</title>
  <desc id="desc">{description}</desc>
  <!-- Grey text reads on a light and on a dark page. -->
  <style>text {{ fill: #767f89 }} .grid {{ stroke: #8c959f; stroke-opacity: 0.3 }}</style>
"""


def picture(results):
    """Lines on two logarithmic axes."""
    found = {name: points for name, points in series(results, "instructions").items() if name != FILTERS}
    found = {name: {size: value for size, value in points.items() if value > 0} for name, points in found.items()}
    values = [value for points in found.values() for value in points.values()]
    low, high = int(log10(min(values, default=1))), int(log10(max(values, default=10))) + 1

    def x(size):
        return LEFT + (WIDTH - LEFT - RIGHT) * log10(size) / 6

    def y(value):
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - log10(value)) / (high - low)

    described = "; ".join(f"{name}: " + ", ".join(f"{short(v)} at {s:,}" for s, v in points.items()) for name, points in found.items())
    lines = [HEAD.format(width=WIDTH, height=HEIGHT, description=escape(described))]
    for size in SIZES:
        lines.append(f'  <line class="grid" x1="{x(size):.0f}" y1="{TOP}" x2="{x(size):.0f}" y2="{HEIGHT - BOTTOM}"/>\n')
        lines.append(f'  <text x="{x(size):.0f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{size:,}</text>\n')
    for power in range(low, high + 1):
        height, label = y(10**power), short(10**power).replace(".0", "")
        lines.append(f'  <line class="grid" x1="{LEFT}" y1="{height:.0f}" x2="{WIDTH - RIGHT}" y2="{height:.0f}"/>\n')
        lines.append(f'  <text x="{LEFT - 8}" y="{height + 4:.0f}" text-anchor="end">{label}</text>\n')
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    lines.append(f'  <text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">n (both axes are logarithmic)</text>\n')
    for number, (name, points) in enumerate(found.items()):
        colour = COLOURS[number % len(COLOURS)]
        dashes = ' stroke-dasharray="6 4"' if number >= len(COLOURS) else ""
        path = " ".join(f"{x(size):.0f},{y(value):.0f}" for size, value in sorted(points.items()))
        lines.append(f'  <polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>\n')
        for size, value in points.items():
            lines.append(f'  <circle cx="{x(size):.0f}" cy="{y(value):.0f}" r="3" fill="{colour}"/>\n')
        key = TOP + 10 + number * 24
        left = WIDTH - RIGHT + 20
        lines.append(f'  <line x1="{left}" y1="{key}" x2="{left + 24}" y2="{key}" stroke="{colour}" stroke-width="2"{dashes}/>\n')
        lines.append(f'  <text x="{left + 32}" y="{key + 4}">{escape(name)}</text>\n')
    return "".join(lines) + "</svg>\n"


def shown():
    results = optional("growth")
    makers = {"growth_request": requests, "growth_chain": chain, "growth_start": starts, "growth_snapshot": snapshots}
    if results is None:
        return Shown(blocks={name: NOT_YET for name in ["growth_machine", *makers]})
    blocks = {"growth_machine": where(results), **{name: make(results) for name, make in makers.items()}}
    return Shown(blocks=blocks, pictures={Path("docs/images/growth.svg"): picture(results)})
