// The view of the requests that rate_limiting has counted for a caller.

import { call, path } from "./api.js";
import { Problem, Table, Time, draw, html, valuesOf } from "./parts.js";

const KINDS = [["consumer", "Consumer"], ["credential", "Credential, by id"], ["ip", "Address"],
  ["header", "Value of a header"], ["path", "Path"], ["service", "Service"]];

const state = { items: null, problem: "" };

export const counters = { title: "Rate limits", enter: () => {}, leave: () => {}, view };

async function search(event) {
  const { namespace, kind, text } = valuesOf(event);
  try {
    const found = await call("GET", path`/counters?namespace=${namespace}&${kind}=${text}`);
    Object.assign(state, { items: found.data, problem: "" });
  } catch (error) {
    const problem = error.status === 404 ? "There is no such consumer." : error.message;
    Object.assign(state, { items: null, problem });
  }
  draw();
}

function row(it, number) {
  const name = it.current ? `This ${it.period}` : `The ${it.period} before`;
  return {
    // Gateways with another token have counters of their own.
    key: number,
    cells: [name, it.total.toLocaleString(), html`<${Time} at=${it.window_start * 1000} />`,
      html`<${Time} at=${it.window_end * 1000} />`],
  };
}

function view() {
  const { items, problem } = state;
  return html`
    <search><form class="search" onSubmit=${search}>
      <label>Namespace of the filter <input name="namespace" required maxlength="1024" autocomplete="off" spellcheck=${false} /></label>
      <label>Counted by
        <select name="kind">${KINDS.map(([kind, name]) => html`<option value=${kind}>${name}</option>`)}</select>
      </label>
      <label>Whose <input name="text" required maxlength="1024" autocomplete="off" spellcheck=${false} /></label>
      <button type="submit">Show</button>
    </form></search>
    <p class="hint">These are the counters that gateways share (<code>policy: cluster</code>).</p>
    <${Problem} text=${problem} />
    ${items && html`<${Table} label="Counters" heads=${["Window", "Requests", "From", "To"]} rows=${items.map(row)}
      empty="Nothing has been counted." />`}`;
}
