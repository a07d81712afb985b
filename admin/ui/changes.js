// The log of changes, as they happen.

import { call, path } from "./api.js";
import { Pause, Problem, Short, Table, Time, draw, html, repeat } from "./parts.js";

const SHOWN = 100;
const INTERVAL = 2000;

const WORDS = {
  consumers: "consumer", acls: "group", appids: "App ID", keyauth_credentials: "API key",
  jwt_secrets: "JWT credential", sessions: "session", revocations: "revocation",
};

const state = { items: [], since: null, epoch: "", problem: "" };
let end = () => {};

export const changes = { title: "Changes", enter, leave: () => end(), view };

function enter() {
  Object.assign(state, { items: [], since: null, problem: "" });
  end = repeat(INTERVAL, poll);
}

async function poll() {
  try {
    if (state.since === null) await begin();
    const page = await call("GET", path`/changes?since=${state.since}&epoch=${state.epoch}&limit=1000`);
    if (page.reset) {
      state.since = null;
    } else {
      const seen = state.watching ? Date.now() : null;
      const news = page.data.map((it) => ({ ...it, seen })).reverse();
      state.items = [...news, ...state.items].slice(0, SHOWN);
      state.since = page.next;
      state.watching = true;
    }
    state.problem = "";
  } catch (error) {
    state.problem = error.message;
  }
  draw();
}

// Finds the end of the log, and goes back a little.
async function begin() {
  const { next, epoch } = await call("GET", "/changes");
  Object.assign(state, { items: [], epoch, watching: false });
  const since = Math.max(0, next - SHOWN);
  const page = await call("GET", path`/changes?since=${since}&epoch=${epoch}&limit=1`);
  // A log that was cut short does not reach back.
  state.since = page.reset ? next : since;
}

function view() {
  const row = (it) => ({
    key: it.seq,
    cells: [it.seq, `${WORDS[it.entity] ?? it.entity}, ${it.operation}`,
      it.key.length > 40 ? html`<${Short} text=${it.key} />` : it.key,
      it.consumer_id === "" ? "–" : html`<${Short} text=${it.consumer_id} />`,
      it.seen === null ? "before" : html`<${Time} at=${it.seen} />`],
  });
  return html`<${Pause} />
    <${Problem} text=${state.problem} />
    <${Table} label="Changes, newest first" heads=${["Number", "What", "Key", "Consumer", "Seen here"]}
      rows=${state.items.map(row)} empty="There are no changes yet." />`;
}
