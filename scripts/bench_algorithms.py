"""Each signature algorithm by itself, natively and as Wasm in Envoy: the results of `scripts/bench --algorithms`.

    bench_algorithms.py keep NATIVE WASM    writes the results from what the two programs printed
"""

import json
import re
import sys
from pathlib import Path

from bench_results import now, write
from bench_tables import table
from shown import Shown

RESULTS = Path("bench/results/algorithms.json")
LINE = re.compile(r"^(.+?) +([0-9.]+) us$", re.MULTILINE)


def keep(native, wasm):
    times = {
        kind: {name: float(us) for name, us in LINE.findall(Path(printed).read_text())}
        for kind, printed in (("native", native), ("wasm", wasm))
    }
    if not times["native"] or times["native"].keys() != times["wasm"].keys():
        sys.exit("the two programs do not measure the same algorithms")
    write(RESULTS, {**now(), "us": times})


def milliseconds(us):
    return f"{us / 1000:.1f} ms" if us >= 1000 else f"{us / 1000:.2g} ms"


def shown():
    us = json.loads(RESULTS.read_text())["us"]
    native, wasm = us["native"], us["wasm"]
    rows = []
    for name in [name for name in native if name.endswith("sign")]:
        checked = next(f"{name[:-4]}{verb}" for verb in ("parse + verify", "verify") if f"{name[:-4]}{verb}" in native)
        figures = [native[name], native[checked], wasm[name], wasm[checked]]
        rows.append([re.sub("crate (\\w+)", "the crate `\\1`", name[:-5]), *(f"{us:,.1f}" for us in figures)])
    header = ["", "native: sign", "verify", "Wasm in Envoy: sign", "verify"]
    ours = {"sign": wasm["RS256 sign"], "verify": wasm["RS256 parse + verify"]}
    crate = {"sign": wasm["crate rsa 0.9 RS256 sign"], "verify": wasm["crate rsa 0.9 RS256 verify"]}
    values = {}
    for act in ours:
        values[f"rsa-{act}"] = milliseconds(ours[act])
        values[f"crate-rsa-{act}"] = milliseconds(crate[act])
        values[f"rsa-{act}-ratio"] = f"{crate[act] / ours[act]:.0f}"
    values["es256-ratio"] = f"{wasm['crate p256 0.14 ES256 verify'] / wasm['ES256 parse + verify']:.1f}"
    return Shown(blocks={"algorithms": table(header, rows)}, values=values)


if __name__ == "__main__":
    if sys.argv[1:2] != ["keep"] or len(sys.argv) != 4:
        sys.exit(__doc__)
    keep(*sys.argv[2:])
