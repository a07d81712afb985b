// One consumer: what it owns, and deleting it.

import { call, path } from "./api.js";
import { ask, showOnce } from "./dialogs.js";
import { Fact, Problem, Short, Table, Time, draw, html, say, span, valuesOf } from "./parts.js";

const SYMMETRIC = ["HS256", "HS384", "HS512"];
const ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

// The collections of a consumer: the path in the API, the words for it, and how an item is shown.
const KINDS = [
  {
    name: "acls", title: "Groups", one: "group", heads: ["Group", "Since"],
    label: (it) => it.group, cells: (it) => [it.group, html`<${Time} at=${it.created_at} />`],
    form: () => html`<label>Group <input name="group" required maxlength="255" autocomplete="off" /></label>`,
    body: ({ group }) => ({ group }), action: "Add group",
  },
  {
    name: "appids", title: "App IDs", one: "App ID", heads: ["App ID", "Since"],
    label: (it) => it.appid, cells: (it) => [it.appid, html`<${Time} at=${it.created_at} />`],
    form: () => html`<label>App ID <input name="appid" required maxlength="100" autocomplete="off" spellcheck=${false} /></label>`,
    body: ({ appid }) => ({ appid }), action: "Add App ID",
  },
  {
    name: "key-auth", title: "API keys", one: "API key", heads: ["SHA-256", "Since", "Ends in"],
    label: (it) => it.key_digest.slice(0, 12),
    cells: (it) => [html`<${Short} text=${it.key_digest} />`, html`<${Time} at=${it.created_at} />`,
      it.ttl === null ? "never" : span(it.ttl)],
    form: () => html`<label>Ends in days (empty: never) <input name="days" type="number" min="1" max="1157" /></label>`,
    body: ({ days }) => (days ? { ttl: Number(days) * 86400 } : {}), action: "Make a key",
    once: (it) => [{ label: "API key", value: it.key }],
  },
  {
    name: "jwt", title: "JWT credentials", one: "JWT credential", heads: ["Key", "Algorithm", "Since"],
    label: (it) => it.key, cells: (it) => [it.key, it.algorithm, html`<${Time} at=${it.created_at} />`],
    form: jwtForm, body: jwtBody, action: "Make a credential",
    once: (it) => [{ label: "Key", value: it.key },
      ...(SYMMETRIC.includes(it.algorithm) ? [{ label: "Secret", value: it.secret }] : [])],
  },
];

const nameOf = (it) => it.username ?? it.custom_id;

const state = { id: "", consumer: null, problem: "", lists: {} };

export const consumer = {
  get title() {
    return state.consumer ? `Consumer ${nameOf(state.consumer)}` : "Consumer";
  },
  enter,
  leave: () => {},
  view,
};

async function enter([id]) {
  const lists = Object.fromEntries(KINDS.map(({ name }) => [name, { items: [], next: null, problem: "" }]));
  Object.assign(state, { id, consumer: null, problem: "", lists });
  try {
    const found = await call("GET", path`/consumers/${id}`);
    if (state.id !== id) return;
    state.consumer = found;
    draw();
    await Promise.all(KINDS.map(({ name }) => load(name, path`/consumers/${id}/` + name)));
  } catch (error) {
    if (state.id === id) state.problem = error.status === 404 ? "There is no such consumer." : error.message;
  }
  draw();
}

async function load(name, target, add = false) {
  const list = state.lists[name];
  try {
    const page = await call("GET", target);
    list.items = add ? [...list.items, ...page.data] : page.data;
    Object.assign(list, { next: page.next ?? null, problem: "" });
  } catch (error) {
    list.problem = error.message;
  }
  draw();
}

async function create(kind, event) {
  const form = event.target;
  const list = state.lists[kind.name];
  const collection = path`/consumers/${state.id}/` + kind.name;
  try {
    const made = await call("POST", collection, kind.body(valuesOf(event)));
    form.reset();
    if (kind.once) await showOnce(`New ${kind.one}`, kind.once(made));
    say(`${kind.title}: ${kind.label(made)} was added.`);
    await load(kind.name, collection);
  } catch (error) {
    list.problem = error.message;
    draw();
  }
}

async function remove(kind, it) {
  const label = kind.label(it);
  const text = "Gateways refuse it within their poll interval. This cannot be undone.";
  if (!(await ask(`Delete ${kind.one} ${label}?`, text, "Delete"))) return;
  const collection = path`/consumers/${state.id}/` + kind.name;
  try {
    await call("DELETE", collection + path`/${it.id}`);
    say(`${kind.title}: ${label} was deleted.`);
    await load(kind.name, collection);
    document.getElementById(`title-${kind.name}`)?.focus();
  } catch (error) {
    state.lists[kind.name].problem = error.message;
    draw();
  }
}

async function removeConsumer() {
  const name = nameOf(state.consumer);
  const text = "All of its groups, App IDs, API keys and JWT credentials are deleted with it. This cannot be undone.";
  if (!(await ask(`Delete consumer ${name}?`, text, "Delete consumer"))) return;
  try {
    await call("DELETE", path`/consumers/${state.id}`);
    say(`Consumer ${name} was deleted.`);
    location.hash = "#/consumers";
  } catch (error) {
    state.problem = error.message;
    draw();
  }
}

function Owned({ kind }) {
  const { items, next, problem } = state.lists[kind.name];
  const row = (it) => ({
    key: it.id,
    cells: [...kind.cells(it), html`<button type="button" class="secondary outline small"
      aria-label=${`Delete ${kind.one} ${kind.label(it)}`} onClick=${() => remove(kind, it)}>Delete</button>`],
  });
  return html`<section aria-labelledby=${`title-${kind.name}`}>
    <h2 id=${`title-${kind.name}`} tabindex="-1">${kind.title}</h2>
    <${Table} label=${`${kind.title}, table`} heads=${[...kind.heads, "Action"]} rows=${items.map(row)} empty="None." />
    ${next && html`<button type="button" class="secondary" onClick=${() => load(kind.name, next, true)}>Show more</button>`}
    <form class="add" aria-label=${kind.action} onSubmit=${(event) => create(kind, event)}>
      ${kind.form()}
      <button type="submit">${kind.action}</button>
    </form>
    <${Problem} text=${problem} />
  </section>`;
}

function jwtForm() {
  const names = [...SYMMETRIC, ...ASYMMETRIC];
  return html`
    <label>Algorithm
      <select name="algorithm">${names.map((name) => html`<option>${name}</option>`)}</select>
    </label>
    <label>Key (empty: at random) <input name="key" maxlength="512" autocomplete="off" spellcheck=${false} /></label>
    <label>Public key, as PEM (not for HS)
      <textarea name="rsa_public_key" rows="2" autocomplete="off" spellcheck=${false}></textarea>
    </label>`;
}

function jwtBody({ algorithm, key, rsa_public_key }) {
  return { algorithm, ...(key && { key }), ...(rsa_public_key && { rsa_public_key: `${rsa_public_key}\n` }) };
}

function view() {
  const { consumer: it, problem } = state;
  const back = html`<p><a href="#/consumers">All consumers</a></p>`;
  if (!it) return html`${back}<${Problem} text=${problem} />${problem ? null : html`<p aria-busy="true">Loading</p>`}`;
  return html`${back}
    <${Problem} text=${problem} />
    <dl class="facts">
      <${Fact} name="Username">${it.username ?? "–"}</${Fact}>
      <${Fact} name="Custom id">${it.custom_id ?? "–"}</${Fact}>
      <${Fact} name="Id"><code>${it.id}</code></${Fact}>
      <${Fact} name="Created"><${Time} at=${it.created_at} /></${Fact}>
      <${Fact} name="Tags">${(it.tags ?? []).join(", ") || "–"}</${Fact}>
    </dl>
    ${KINDS.map((kind) => html`<${Owned} key=${kind.name} kind=${kind} />`)}
    <section><h2>Delete</h2>
      <button type="button" class="danger" onClick=${removeConsumer}>Delete consumer</button>
    </section>`;
}
