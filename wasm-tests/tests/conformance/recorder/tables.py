#!/usr/bin/env python3
"""Makes tables of what the recorder noted: tables.py RECORD_DIR OUT_DIR."""

import base64
import json
import pathlib
import re
import sys

# Headers of responses that say nothing about a plugin.
REPLY = {
    "date", "connection", "server", "via", "content-length", "x-kong-upstream-latency",
    "x-kong-proxy-latency", "x-kong-response-latency", "x-kong-request-id", "keep-alive",
    "transfer-encoding", "x-powered-by",
}
# Headers of requests that Kong writes for every upstream.
UPSTREAM = {
    "x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
    "x-forwarded-path", "x-forwarded-prefix", "x-kong-request-id", "connection", "via",
    "content-length", "transfer-encoding", "keep-alive", "host", "te",
}
HOSTS = ("127.0.0.1:15555", "localhost:15555")
CREDENTIALS = (
    ("key-auths", "keyauth_credentials", ("id", "key", "tags", "ttl")),
    ("jwts", "jwt_secrets", ("id", "key", "secret", "algorithm", "rsa_public_key")),
    ("acls", "acls", ("group",)),
    ("basic-auths", "basicauth_credentials", ("username",)),
)


def clean(value):
    if isinstance(value, dict):
        return {key: clean(one) for key, one in value.items() if one is not None}
    return [clean(one) for one in value] if isinstance(value, list) else value


def text(coded):
    raw = base64.b64decode(coded)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": coded}


def chain(config, route_id, service_id):
    """The plugins and consumers of a route, and whether the router changes the path."""
    names = {one["id"]: one.get("username") or one.get("custom_id") for one in config["consumers"]}
    plugins = []
    for plugin in config["plugins"]:
        at = {kind: (plugin.get(kind) or {}).get("id") for kind in ("route", "service", "consumer")}
        if at["route"] not in (None, route_id) or at["service"] not in (None, service_id):
            continue
        if not plugin.get("enabled", True):
            continue
        one = {"name": plugin["name"], "config": clean(plugin["config"])}
        if at["consumer"]:
            one["consumer"] = names[at["consumer"]]
        one["at"] = "route" if at["route"] else "service" if at["service"] else "global"
        plugins.append(one)
    used = {one["name"] for one in plugins}
    consumers = []
    if used & {"key-auth", "jwt", "acl", "session"} or any("consumer" in one for one in plugins):
        for consumer in config["consumers"]:
            one = {key: consumer[key] for key in ("id", "username", "custom_id", "tags") if consumer.get(key)}
            for kind, name, members in CREDENTIALS:
                if (kind, "key-auth" in used) == ("key-auths", False) or (kind, "jwt" in used) == ("jwts", False):
                    continue
                own = [x for x in config[kind] if (x.get("consumer") or {}).get("id") == consumer["id"]]
                if own:
                    one[name] = [clean({key: x.get(key) for key in members}) for x in own]
            consumers.append(one)
    route = next((one for one in config["routes"] if one["id"] == route_id), {})
    service = next((one for one in config["services"] if one["id"] == service_id), {})
    found = {"plugins": plugins, "consumers": consumers}
    paths = route.get("paths") or []
    if "request-transformer" in used and any(path.startswith("~") for path in paths):
        found["paths"] = paths
    if any(one["name"] == "rate-limiting" and one["config"].get("limit_by") == "service" for one in plugins):
        found["service"] = service_id
    return found, bool(paths) or (service.get("path") or "/") != "/"


def upstream(asked, line, told, moves):
    """What differs in the request that Kong's test upstream tells."""
    seen = {}
    got = f'{told["vars"]["request_method"]} {told["vars"]["request_uri"]}'
    if moves:
        method, _, target = got.partition(" ")
        path = line.split(" ", 1)[1].split("?")[0]
        got = f"{method} {path}" + ("?" + target.split("?", 1)[1] if "?" in target else "")
    if got != line:
        seen["q"] = got
    sent = {key.lower(): value for key, value in asked["h"].items() if key.lower() not in UPSTREAM}
    there = {
        key: value
        for key, value in told["headers"].items()
        if key not in UPSTREAM and not (key == "user-agent" and str(value).startswith("lua-resty-http"))
    }
    more = {key: value for key, value in there.items() if sent.get(key) != value}
    less = [key for key in sent if key not in there]
    if more:
        seen["+"] = more
    if less:
        seen["-"] = less
    host = next((value for key, value in asked["h"].items() if key.lower() == "host"), None)
    if told["headers"].get("host") not in (*HOSTS, host):
        seen["host"] = told["headers"].get("host")
    body = (told.get("post_data") or {}).get("text")
    if (body or None) != (asked.get("b") or None):
        seen["b"] = body or ""
    return seen


def request(noted, known, config, chains):
    line = f'{noted["method"]} {noted["path"]}'
    if noted.get("query"):
        line += "?" + noted["query"]
    asked = {"t": noted["time"], "q": line}
    if noted.get("ssl"):
        asked["tls"] = True
    if noted.get("error") or noted.get("status") is None:
        return {**asked, "error": noted.get("error") or "no answer"}
    reply = noted["reply"] if isinstance(noted["reply"], dict) else {}
    met = known.get(reply.get("X-Kong-Request-Id"), {})
    moves = False
    if met.get("route") and config:
        found, moves = chain(config, met["route"], met.get("service"))
        if found not in chains:
            chains.append(found)
        asked["chain"] = chains.index(found)
        # With a new URI the path is the plugin's.
        moves = moves and not any((one["config"].get("replace") or {}).get("uri") for one in found["plugins"])
    headers = noted["headers"] if isinstance(noted["headers"], dict) else {}
    asked["h"] = {key: value for key, value in headers.items() if key.lower() != "content-length"}
    if noted.get("body"):
        asked["b"] = text(noted["body"])
    if met.get("client", "127.0.0.1") != "127.0.0.1":
        asked["ip"] = met["client"]
    asked["s"] = noted["status"]
    body = text(noted["text"] or "")
    try:
        body = json.loads(body)
    except (TypeError, ValueError):
        pass
    if body == "":
        body = None
    if met.get("upstream_status"):
        asked["up"] = int(met["upstream_status"].split(",")[-1])
        if isinstance(body, dict) and "vars" in body and "headers" in body:
            asked["u"] = upstream(asked, line, body, moves)
    elif body is not None:
        if isinstance(body, dict):
            body.pop("request_id", None)
        asked["m"] = body
    kept = {
        key: reply[key]
        for key in sorted(reply, key=str.lower)
        if key.lower() not in REPLY and not key.lower().startswith("ctx-checker")
    }
    if kept:
        asked["r"] = kept
    return asked


def settled(steps):
    """While Kong takes a change over, a test asks again and again: the last answer counts."""
    kept = []
    for step in steps:
        same = kept and all(kept[-1].get(key) == step.get(key) for key in ("q", "h", "b", "chain", "admin"))
        if same and "plugin" not in step:
            kept[-1] = step
        else:
            kept.append(step)
    return kept


def table(record, known, spec):
    folder, name = re.fullmatch(r"(\d\d-[a-z-]+?)-(\d\d-.*)", spec).groups()
    cases, chains, case, config = [], [], None, None
    for line in record.read_text().splitlines():
        noted = json.loads(line)
        if noted["kind"] == "start":
            # There the outermost name says which policy it is about.
            whole = len(noted["test"]) == 1 or spec == "23-rate-limiting-04-access"
            names = noted["test"] if whole else noted["test"][1:]
            names = [one.replace("Plugin: rate-limiting ", "") for one in names]
            names = [one.replace("#db (access) [strategy: postgres] ", "").replace(" [redis: no_ssl]", "") for one in names]
            case = {"test": " / ".join(one.strip() for one in names), "steps": []}
            again = sum(one["test"].removesuffix(f" ({n})") == case["test"] for n, one in enumerate(cases, 2))
            case["test"] += f" ({again + 1})" if again else ""
            cases.append(case)
        elif noted["kind"] == "end":
            if noted["status"] != "success":
                case["not"] = "gRPC, which the suite asks with a program of its own"
                case["steps"] = []
        elif noted["kind"] == "config":
            config = noted["config"]
        elif case and noted["kind"] == "schema":
            case["steps"].append({key: noted[key] for key in ("plugin", "config", "ok")})
        elif case and noted["kind"] == "request" and noted["port"] == 9001:
            case["steps"].append({"admin": f'{noted["method"]} {noted["path"]}'})
        elif case and noted["kind"] == "request":
            case["steps"].append(request(noted, known, config, chains))
    for case in cases:
        if not folder.startswith("23") and any("admin" in step for step in case["steps"]):
            case["steps"] = settled(case["steps"])
        times = [step["t"] for step in case["steps"] if "t" in step]
        if times:
            case["at"] = int(times[0] * 1000)
        for step in case["steps"]:
            if "t" in step:
                step["t"] = int(step["t"] * 1000) - case["at"]
                if not step["t"]:
                    del step["t"]
    write = lambda all: ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in all)
    file = json.dumps(f"spec/03-plugins/{folder}/{name}_spec.lua")
    return f'{{"file": {file},\n"chains": [\n{write(chains)}],\n"cases": [\n{write(cases)}]}}\n'


def main():
    records, out = map(pathlib.Path, sys.argv[1:])
    known = {}
    for line in (records / "kong.log").read_text().splitlines():
        noted = json.loads(line)
        known[noted.get("rid")] = noted
    for record in sorted(records.glob("*.jsonl")):
        (out / f"{record.stem}.json").write_text(table(record, known, record.stem))


main()
