// App IDs by consumer or by name. This view changes nothing, so the gateways' token is enough.

import { call, path } from "./api.js";
import { Problem, Short, Table, Time, draw, html, valuesOf } from "./parts.js";

const state = { items: null, total: 0, next: null, problem: "" };

export const appIds = { title: "App IDs", enter: () => {}, leave: () => {}, view };

async function search(event) {
  const { by, text } = valuesOf(event);
  const target = by === "appid" ? path`/appids?appid=${text}` : path`/consumers/${text}/appids`;
  // An address cannot hold these two as a name.
  if (by === "consumer" && [".", ".."].includes(text)) return show({ data: [], total: 0 });
  await load(target, []);
}

async function load(target, before) {
  try {
    const page = await call("GET", target);
    show({ ...page, data: [...before, ...page.data] });
  } catch (error) {
    const missing = error.status === 404;
    Object.assign(state, { items: missing ? [] : null, next: null, problem: missing ? "" : error.message });
    draw();
  }
}

function show({ data, total, next }) {
  Object.assign(state, { items: data, total, next: next ?? null, problem: "" });
  draw();
}

function view() {
  const { items, total, next, problem } = state;
  const row = (it) => ({
    key: it.id,
    cells: [it.appid, html`<${Short} text=${it.consumer_id} />`, html`<${Time} at=${it.created_at} />`],
  });
  return html`
    <search><form class="search" onSubmit=${search}>
      <label>Find by
        <select name="by"><option value="consumer">Consumer</option><option value="appid">App ID</option></select>
      </label>
      <label>Exact name or id <input name="text" required maxlength="255" autocomplete="off" spellcheck=${false} /></label>
      <button type="submit">Find</button>
    </form></search>
    <${Problem} text=${problem} />
    ${items && html`<p>${total} in all.</p>
      <${Table} label="App IDs" heads=${["App ID", "Consumer", "Since"]} rows=${items.map(row)} empty="None." />`}
    ${next && html`<button type="button" class="secondary" onClick=${() => load(next, items)}>Show more</button>`}`;
}
