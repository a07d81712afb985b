"""The tables that compare filters with what Envoy and Kong have in their place, as Markdown."""

from bench_results import committed, optional
from bench_tables import NONE, ONE_HEADER, Results, spread, table, thousands, where
from shown import Shown

NO_KONG = "Kong has not been measured with this version.\n"

# The rows of the README: the case in Envoy, Envoy's own filter, and the case in Kong (None: not measured there).
SUMMARY = [
    ("key_auth, key in the settings", "Envoy's api_key_auth", "key_auth, key in the settings"),
    ("jwt_auth, RS256, verified before", "Envoy's jwt_authn, RS256, verified before", "jwt_auth, RS256, verified before"),
    ("jwt_auth, RS256, a new token each time", "Envoy's jwt_authn, RS256, a new token each time", "jwt_auth, RS256, a new token each time"),
    ("jwt_auth, ES512, a new token each time", "Envoy's jwt_authn, ES512, a new token each time", "jwt_auth, ES512, a new token each time"),
    ("session, live cookie", None, "session, live cookie"),
    ("rate_limiting, local", "Envoy's local_ratelimit", "rate_limiting, local"),
    ("ip_restriction, 10,000 networks", "Envoy's rbac, 10,000 networks", "ip_restriction, 10,000 networks"),
    ("bot_detection", "Envoy's lua, 35 names", "bot_detection"),
    ("cors", "Envoy's cors", "cors"),
    ("cors, 50 expressions", "Envoy's cors, 50 expressions", "cors, 50 expressions"),
    ("request_transformer, one header", "Envoy's header_mutation", "request_transformer, one header"),
    ("request_transformer, templates, 1 KB of JSON", None, "request_transformer, templates, 1 KB of JSON"),
    ("five filters, one module", None, "five filters, a file each"),
]


def over(all_, figure):
    """A processor time over that of no filter. None if it was not measured."""
    floor = all_.figure(NONE, "processor_us")
    return None if figure is None or floor is None else {key: value - floor["median"] for key, value in figure.items()}


def alternatives(all_, name):
    return [case for case in all_.cases if name in case.get("instead_of", [])]


def whole(figure):
    return "–" if figure is None else f"{figure['median']:,.0f}"


def row(all_, case, label):
    figures = case["figures"]
    busy = figures.get("busy")
    return [
        label,
        thousands(all_.instructions(case["name"])),
        spread(over(all_, figures.get("processor_us")), 1, 0),
        *(whole(figures.get(name)) for name in ("rate", "p50_us", "p99_us")),
        "–" if busy is None else f"{busy['median'] * 100:.0f} %",
    ]


def compared(all_, kinds):
    """Each case of ours, and under it what a user could take in its place."""
    rows = []
    for case in all_.kinds(*kinds):
        if case.get("instead_of"):
            continue
        rows.append(row(all_, case, case["name"]))
        rows += [row(all_, other, f"↳ {other['name']}") for other in alternatives(all_, case["name"])]
    return table(["", "instructions", "processor, µs", "requests/s", "p50, µs", "p99, µs", "busy"], rows)


def better(ours, theirs, text):
    """Two cells. The lesser one is bold if the ranges are apart."""
    cells = [text(ours), text(theirs)]
    if ours is not None and theirs is not None:
        if ours["max"] < theirs["min"]:
            cells[0] = f"**{cells[0]}**"
        elif theirs["max"] < ours["min"]:
            cells[1] = f"**{cells[1]}**"
    return cells


def counted(all_, name):
    count = all_.instructions(name) if name else None
    return None if count is None else {"median": count, "min": count, "max": count}


def summary(envoy, kong):
    """The table of the README."""
    def instructions(figure):
        return "–" if figure is None else thousands(figure["median"])

    def times(name):
        found = over(kong, kong.figure(name, "processor_us")) if kong else None
        plugins = alternatives(kong, name) if kong else []
        theirs = over(kong, plugins[0]["figures"].get("processor_us")) if plugins else None
        return better(found, theirs, whole)

    rows = [
        [ours, *better(counted(envoy, ours), counted(envoy, native), instructions), *times(in_kong)]
        for ours, native, in_kong in SUMMARY
    ]
    one = "a Wasm filter that reads one header and sets one"
    rows.append([one, instructions(counted(envoy, ONE_HEADER)), "–", times(ONE_HEADER)[0], "–"])
    header = ["a request adds", "on Envoy, instructions", "Envoy's own filter", "on Kong, µs", "Kong's Lua plugin"]
    return table(header, rows)


def shown():
    results, kong = committed(), optional("kong")
    envoy = Results(results)
    in_kong = Results(kong) if kong else None
    return Shown(blocks={
        "summary": summary(envoy, in_kong),
        "alternatives": compared(envoy, ["floor", "filter", "chain"]),
        "worst": compared(envoy, ["worst"]),
        "kong_machine": where(kong, f"Kong {kong['kong']}") if kong else NO_KONG,
        "kong": compared(in_kong, ["floor", "filter", "chain"]) if kong else NO_KONG,
        "kong_worst": compared(in_kong, ["worst"]) if kong else NO_KONG,
    })
