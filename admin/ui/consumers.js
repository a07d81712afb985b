// The list of consumers, the search, and new consumers.

import { call, path } from "./api.js";
import { Problem, Table, Time, draw, html, say, valuesOf } from "./parts.js";

const PAGE = 50;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const state = { column: "username", text: "", pages: [], items: [], next: null, problem: "", making: "" };
// Answers can come in another order than their questions; only that to the last one counts.
let question = 0;
let timer;

export const consumers = { title: "Consumers", enter: search, leave: () => clearTimeout(timer), view };

async function search() {
  state.pages = [];
  await load(address());
}

function address() {
  const { column, text } = state;
  if (text === "") return `/consumers?size=${PAGE}`;
  return path`/consumers?${`${column}_prefix`}=${text}&size=${PAGE}`;
}

async function load(target) {
  const mine = ++question;
  try {
    const found = UUID.test(state.text) ? await byId(state.text) : await call("GET", target);
    if (mine !== question) return;
    Object.assign(state, { items: found.data, next: found.next, problem: "" });
    if (state.pages.at(-1) !== target) state.pages.push(target);
  } catch (error) {
    if (mine !== question) return;
    Object.assign(state, { items: [], next: null, problem: error.message });
  }
  draw();
}

async function byId(id) {
  try {
    return { data: [await call("GET", path`/consumers/${id}`)], next: null };
  } catch (error) {
    if (error.status === 404) return { data: [], next: null };
    throw error;
  }
}

function typed(event) {
  const form = new FormData(event.currentTarget);
  state.column = form.get("column");
  state.text = form.get("text").trim();
  clearTimeout(timer);
  timer = setTimeout(search, 200);
}

function previous() {
  state.pages.pop();
  load(state.pages.pop());
}

async function create(event) {
  const form = event.target;
  const { username, custom_id } = valuesOf(event);
  const body = { ...(username && { username }), ...(custom_id && { custom_id }) };
  try {
    const made = await call("POST", "/consumers", body);
    state.making = "";
    form.reset();
    say(`Consumer ${made.username ?? made.custom_id} was created.`);
    location.hash = path`#/consumers/${made.id}`;
  } catch (error) {
    state.making = error.message;
    draw();
  }
}

function row(it) {
  const link = html`<a href=${path`#/consumers/${it.id}`}>${it.username ?? it.custom_id}</a>`;
  return { key: it.id, cells: [link, it.custom_id ?? "–", html`<${Time} at=${it.created_at} />`] };
}

function view() {
  const { items, next, pages, problem, making, column, text } = state;
  return html`
    <search><form class="search" onInput=${typed} onSubmit=${(event) => event.preventDefault()}>
      <label>Begins with
        <input type="search" name="text" value=${text} maxlength="255" autocomplete="off" spellcheck=${false} />
      </label>
      <label>Kind of name
        <select name="column" value=${column}>
          <option value="username">Username</option>
          <option value="custom_id">Custom id</option>
        </select>
      </label>
    </form></search>
    <${Problem} text=${problem} />
    <${Table} label="Consumers" heads=${["Username", "Custom id", "Created"]} rows=${items.map(row)}
      empty=${text === "" ? "There are no consumers yet." : "No consumer has a name that begins so."} />
    <nav class="pages" aria-label="Pages">
      <button type="button" class="secondary" disabled=${pages.length < 2} onClick=${previous}>Previous</button>
      <button type="button" class="secondary" disabled=${!next} onClick=${() => load(next)}>Next</button>
    </nav>
    <details>
      <summary role="button" class="outline">New consumer</summary>
      <form onSubmit=${create}>
        <div class="grid">
          <label>Username <input name="username" maxlength="255" autocomplete="off" spellcheck=${false} /></label>
          <label>Custom id <input name="custom_id" maxlength="255" autocomplete="off" spellcheck=${false} /></label>
        </div>
        <p class="hint">One of the two is needed.</p>
        <${Problem} text=${making} />
        <button type="submit">Create consumer</button>
      </form>
    </details>`;
}
