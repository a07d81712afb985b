// The gateways that ask this service for changes.

import { call } from "./api.js";
import { Chart } from "./charts.js";
import { Fact, Pause, Problem, draw, html, repeat, span } from "./parts.js";

const INTERVAL = 5000;
// Filters ask every few seconds while requests come. Longer silence is worth a word.
const SILENT = 60;

const CACHE = [{ name: "hits", key: "hits" }, { name: "stale", key: "stale" }, { name: "misses", key: "misses" }];
const FAILURES = [{ name: "failed callouts", key: "failures" }];

const state = { items: null, now: 0, problem: "" };
let end = () => {};

export const gateways = { title: "Gateways", enter, leave: () => end(), view };

function enter() {
  end = repeat(INTERVAL, async () => {
    try {
      const { data } = await call("GET", "/gateways");
      Object.assign(state, { items: data, now: Date.now(), problem: "" });
    } catch (error) {
      state.problem = error.message;
    }
    draw();
  });
}

function Gateway({ it, now }) {
  const silence = Math.max(0, (now - it.seen_at) / 1000);
  const title = it.id ? `${it.address} (${it.id.slice(0, 8)})` : it.address;
  return html`<article class="gateway">
    <h2>${title}</h2>
    <dl class="facts">
      <${Fact} name="Last asked">${silence > SILENT ? html`<strong>${span(silence)} ago</strong>` : `${span(silence)} ago`}</${Fact}>
      <${Fact} name="Behind">${behind(it)}</${Fact}>
      <${Fact} name="Filters">${it.filters.join(", ") || "–"}</${Fact}>
      <${Fact} name="Version">${it.version ?? "–"}</${Fact}>
    </dl>
    ${it.minutes.length > 0 && html`<div class="charts">
      <${Chart} title="Cache" series=${CACHE} minutes=${it.minutes} now=${now} />
      <${Chart} title="Failures" series=${FAILURES} minutes=${it.minutes} now=${now} />
    </div>`}
  </article>`;
}

function behind({ behind: changes }) {
  if (changes === null) return "starts over";
  if (changes === 0) return "nothing";
  return html`<strong>${changes.toLocaleString()} ${changes === 1 ? "change" : "changes"}</strong>`;
}

function view() {
  const { items, now, problem } = state;
  return html`<${Pause} />
    <p class="hint">A gateway asks while requests come, and is forgotten after a day of silence.</p>
    <${Problem} text=${problem} />
    ${items?.length === 0 && html`<p class="empty">No gateway has asked this service for changes since it started.</p>`}
    ${(items ?? []).map((it) => html`<${Gateway} key=${`${it.address} ${it.id}`} it=${it} now=${now} />`)}`;
}
