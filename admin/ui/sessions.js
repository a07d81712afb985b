// The sessions of a subject: listing them, ending one, ending all.

import { call, path } from "./api.js";
import { ask } from "./dialogs.js";
import { Problem, Short, Table, draw, html, say, span, valuesOf } from "./parts.js";

const state = { subject: "", audience: "", items: null, next: null, problem: "" };

export const sessions = { title: "Sessions", enter: () => {}, leave: () => {}, view };

// The address of the selected sessions.
function selected() {
  const { subject, audience } = state;
  return path`/sessions?subject=${subject}` + (audience && path`&audience=${audience}`);
}

function search(event) {
  Object.assign(state, valuesOf(event));
  return load(selected(), []);
}

async function load(target, before) {
  try {
    const page = await call("GET", target);
    Object.assign(state, { items: [...before, ...page.data], next: page.next, problem: "" });
  } catch (error) {
    Object.assign(state, { items: null, next: null, problem: error.message });
  }
  draw();
}

async function end(title, text, target, done) {
  if (!(await ask(title, text, "End"))) return;
  try {
    await call("DELETE", target);
    say(done);
    await load(selected(), []);
    document.getElementById("title")?.focus();
  } catch (error) {
    state.problem = error.message;
    draw();
  }
}

function endOne(it) {
  const text = "The person has to sign in again. A session with several audiences ends as a whole.";
  return end(`End the session ${it.id.slice(0, 12)}?`, text, path`/sessions/${it.id}`, "The session was ended.");
}

function endAll() {
  const { subject, audience } = state;
  const whose = audience ? `${subject} for ${audience}` : subject;
  const text = "To be sure, end them once more after the poll interval of the gateways: until then a gateway may renew one.";
  return end(`End all sessions of ${whose}?`, text, selected(), `All sessions of ${whose} were ended.`);
}

function view() {
  const { items, next, problem, subject } = state;
  const row = (it) => ({
    key: `${it.id} ${it.audience}`,
    cells: [html`<${Short} text=${it.id} />`, it.audience, span(it.ttl), html`<button type="button"
      class="secondary outline small" aria-label=${`End session ${it.id.slice(0, 12)}`} onClick=${() => endOne(it)}>End</button>`],
  });
  return html`
    <search><form class="search" onSubmit=${search}>
      <label>Subject <input name="subject" required maxlength="256" autocomplete="off" spellcheck=${false} /></label>
      <label>Audience (empty: all) <input name="audience" maxlength="256" autocomplete="off" spellcheck=${false} /></label>
      <button type="submit">Find</button>
    </form></search>
    <${Problem} text=${problem} />
    ${items && html`
      <${Table} label=${`Sessions of ${subject}`} heads=${["Session", "Audience", "Ends in", "Action"]}
        rows=${items.map(row)} empty=${`${subject} has no sessions that gateways have stored with their subject.`} />
      ${next && html`<button type="button" class="secondary" onClick=${() => load(next, items)}>Show more</button>`}
      ${items.length > 0 && html`<button type="button" class="danger" onClick=${endAll}>End all</button>`}`}`;
}
