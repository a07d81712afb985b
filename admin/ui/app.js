// The frame of the page: the token, the navigation, and the view that is open.

import { call, hasToken, useToken } from "./api.js";
import { appIds } from "./appids.js";
import { changes } from "./changes.js";
import { consumer } from "./consumer.js";
import { consumers } from "./consumers.js";
import { counters } from "./counters.js";
import { Dialog } from "./dialogs.js";
import { gateways } from "./gateways.js";
import { Problem, Said, draw, drawWith, html, say, valuesOf } from "./parts.js";
import { service } from "./service.js";
import { sessions } from "./sessions.js";

// The views by the first part of the address. The gateways' token opens only some.
const VIEWS = { consumers, appids: appIds, sessions, counters, changes, gateways, service };
const GATEWAY_VIEWS = ["appids", "changes", "gateways", "service"];

const state = { role: "", asking: false, problem: "", view: null, name: "" };

async function begin() {
  try {
    const { role } = await call("GET", "/status");
    Object.assign(state, { role, asking: false, problem: "" });
    go();
  } catch (error) {
    const refused = error.status === 401;
    const problem = refused && hasToken() ? "The service does not accept this token." : error.message;
    if (refused) useToken("");
    // The first question carries no token; that it is refused is no problem to tell of.
    const silent = refused && !state.asking;
    Object.assign(state, { role: "", asking: refused || state.asking, problem: silent ? "" : problem });
  }
  draw();
}

function names() {
  return state.role === "admin" ? Object.keys(VIEWS) : GATEWAY_VIEWS;
}

// Opens the view that the address names.
function go() {
  if (state.role === "") return;
  const [wanted, ...rest] = location.hash.replace(/^#\//, "").split("/").map(decoded);
  const name = names().includes(wanted) ? wanted : names()[0];
  state.view?.leave();
  state.name = name;
  state.view = wanted === "consumers" && name === wanted && rest.length > 0 ? consumer : VIEWS[name];
  state.view.enter(rest);
  draw();
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

function enterToken(event) {
  useToken(valuesOf(event).token);
  event.target.reset();
  begin();
}

function forget() {
  useToken("");
  state.view?.leave();
  // Nothing that the token has opened stays in the memory of the page.
  location.reload();
}

function TokenForm() {
  return html`<main id="main" class="container narrow">
    <h1>Gatehouse</h1>
    <form onSubmit=${enterToken}>
      <label>Token
        <input type="password" name="token" required autocomplete="off" spellcheck=${false} aria-describedby="token-hint" />
      </label>
      <p id="token-hint" class="hint">The admin's token, or the gateways' one to look only. It stays in the memory of this page.</p>
      <${Problem} text=${state.problem} />
      <button type="submit">Open</button>
    </form>
  </main>`;
}

function Frame() {
  const links = names().map((name) => html`<li key=${name}><a href=${`#/${name}`}
    aria-current=${name === state.name ? "page" : undefined}>${VIEWS[name].title}</a></li>`);
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to content</a>
    <header class="container">
      <nav aria-label="Main"><strong class="brand">Gatehouse</strong><ul>${links}</ul></nav>
      ${state.role === "gateway" && html`<p class="hint">This token may only look.</p>`}
      ${hasToken() && html`<button type="button" class="secondary outline small" onClick=${forget}>Forget the token</button>`}
    </header>
    <main id="main" class="container" tabindex="-1">
      <h1 id="title" tabindex="-1">${state.view.title}</h1>
      <${Said} />
      ${state.view.view()}
    </main>
    <${Dialog} />`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Page() {
  document.title = state.view ? `${state.view.title} – Gatehouse` : "Gatehouse";
  if (state.view) return html`<${Frame} />`;
  if (state.asking) return html`<${TokenForm} />`;
  return html`<main class="container narrow"><h1>Gatehouse</h1><${Problem} text=${state.problem} />
    ${state.problem ? html`<button type="button" onClick=${begin}>Try again</button>` : html`<p aria-busy="true">Loading</p>`}</main>`;
}

addEventListener("hashchange", () => {
  go();
  // A person who hears the page must learn that another view has opened.
  queueMicrotask(() => queueMicrotask(() => document.getElementById("title")?.focus()));
});
say("");
drawWith(() => html`<${Page} />`);
begin();
