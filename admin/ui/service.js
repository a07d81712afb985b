// The health of the service itself.

import { call, read } from "./api.js";
import { Fact, Pause, Problem, Table, draw, html, repeat } from "./parts.js";

const INTERVAL = 10000;

const state = { status: null, metrics: [], problem: "" };
let end = () => {};

export const service = { title: "Service", enter, leave: () => end(), view };

function enter() {
  end = repeat(INTERVAL, async () => {
    try {
      state.status = await call("GET", "/status");
      state.metrics = samples(await read("/metrics"));
      state.problem = "";
    } catch (error) {
      state.problem = error.message;
    }
    draw();
  });
}

// Reads the samples of Prometheus's text format: the name, the labels as text, and the number.
function samples(text) {
  const lines = text.split("\n").map((line) => /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)).filter(Boolean);
  return lines.map(([, name, labels = "", value]) => ({ name, labels, value: Number(value) }));
}

const named = (name) => state.metrics.filter((it) => it.name === `gatehouse_admin_${name}`);
const label = (it, name) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(it.labels)?.[1] ?? "";
const sum = (items) => items.reduce((total, it) => total + it.value, 0).toLocaleString();

function view() {
  const { status, problem } = state;
  const requests = named("requests_total");
  const errors = requests.filter((it) => label(it, "status").startsWith("5"));
  const rows = named("entities").map((it) => {
    const entity = label(it, "entity");
    return { key: entity, cells: [entity, it.value.toLocaleString()] };
  });
  return html`<${Pause} />
    <${Problem} text=${problem} />
    ${status && html`<dl class="facts">
      <${Fact} name="Version">${status.version}</${Fact}>
      <${Fact} name="Database">${reach(status.database)}</${Fact}>
      <${Fact} name="Counters">${reach(status.counters)}</${Fact}>
      <${Fact} name="Newest change">${status.seq ?? "–"}</${Fact}>
      <${Fact} name="Epoch"><code>${status.epoch ?? "–"}</code></${Fact}>
      <${Fact} name="Open connections">${sum(named("connections"))}</${Fact}>
      <${Fact} name="Refused connections">${sum(named("connections_turned_away_total"))}</${Fact}>
      <${Fact} name="Requests">${sum(requests)}</${Fact}>
      <${Fact} name="Answers with status 5xx">${sum(errors)}</${Fact}>
    </dl>
    <h2>Stored</h2>
    <${Table} label="Stored" heads=${["What", "How many"]} rows=${rows} empty="The database cannot be reached." />`}`;
}

function reach({ engine, reachable }) {
  return reachable ? `${engine}, reachable` : html`<strong>${engine}, not reachable</strong>`;
}
