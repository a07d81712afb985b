"""The picture of docs/performance.md: instructions that a request adds, as bars, from the results of `scripts/bench`."""

from html import escape

from bench_tables import ONE_HEADER, Results, thousands

ROW = 24
LEFT = 300
RIGHT = 90
WIDTH = 860
COLOURS = {"floor": "#8c959f", "native": "#8250df", "filter": "#218bff", "chain": "#2da44e"}
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc"
     font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13">
  <title id="title">Instructions that a request adds in Envoy</title>
  <desc id="desc">{description}</desc>
  <!-- Grey text reads on a light and on a dark page. -->
  <style>text {{ fill: #767f89 }} .goal {{ stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 5 4 }}</style>
"""


def picture(results):
    all_ = Results(results)
    bars = [
        (case["name"], case["kind"], all_.instructions(case["name"]))
        for case in all_.kinds("floor", "native", "filter", "chain")
        if "instructions" in case["figures"] and case["name"] != "no filter"
    ]
    most = max([count for _, _, count in bars], default=1)
    scale = (WIDTH - LEFT - RIGHT) / most
    height = ROW * len(bars) + 40
    described = "; ".join(f"{name}: {thousands(count)}" for name, _, count in bars)
    lines = [HEAD.format(width=WIDTH, height=height, description=escape(described))]
    for number, (name, kind, count) in enumerate(bars):
        y = number * ROW + 8
        length = max(1, round(count * scale))
        lines.append(f'  <text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>\n')
        lines.append(f'  <rect x="{LEFT}" y="{y}" width="{length}" height="17" rx="2" fill="{COLOURS[kind]}"/>\n')
        lines.append(f'  <text x="{LEFT + length + 6}" y="{y + 13}">{thousands(count)}</text>\n')
    one = all_.instructions(ONE_HEADER)
    if one:
        x = LEFT + round(1.5 * one * scale)
        bottom = ROW * len(bars) + 8
        lines.append(f'  <line class="goal" x1="{x}" y1="0" x2="{x}" y2="{bottom}"/>\n')
        lines.append(f'  <text x="{x}" y="{bottom + 18}" text-anchor="middle">the goal of a filter: 1.5 times '
                     "the one that reads one header and sets one</text>\n")
    return "".join(lines) + "</svg>\n"
