// Pieces that all views use.

import { h, render } from "./vendor/preact.mjs";
import htm from "./vendor/htm.mjs";

/** Makes elements of a template. Every inserted value becomes text or an attribute, never markup. */
export const html = htm.bind(h);

let root;
let queued = false;

/** Says which function draws the page. */
export function drawWith(whole) {
  root = whole;
  draw();
}

/** Draws the page soon. Several calls at once draw it once. */
export function draw() {
  if (queued) return;
  queued = true;
  queueMicrotask(() => {
    queued = false;
    render(root(), document.getElementById("app"));
  });
}

let said = "";

/** Tells everybody, also those who listen to a screen reader, what has happened. */
export function say(text) {
  said = text;
  draw();
}

/** The last message, which screen readers read out when it changes. */
export function Said() {
  return html`<p role="status" class="said">${said}</p>`;
}

/** A problem, which screen readers read out at once. */
export function Problem({ text }) {
  return text ? html`<p role="alert" class="problem">${text}</p>` : null;
}

/** A table that a narrow window can scroll. `rows` are lists of cells. */
export function Table({ label, heads, rows, empty }) {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  return html`<div class="scroll" role="region" aria-label=${label} tabindex="0">
    <table>
      <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
      <tbody>${rows.map(({ key, cells }) => html`<tr key=${key}>
        ${cells.map((cell, n) => (n === 0 ? html`<th scope="row">${cell}</th>` : html`<td>${cell}</td>`))}
      </tr>`)}</tbody>
    </table>
  </div>`;
}

/** A pair of a name and a value, for a list of facts. */
export function Fact({ name, children }) {
  return html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
}

/** A time in milliseconds since 1970, in the reader's own zone. */
export function Time({ at }) {
  if (at === null || at === undefined) return "–";
  const date = new Date(at);
  return html`<time datetime=${date.toISOString()}>${date.toLocaleString()}</time>`;
}

/** A number of seconds in words, such as "3 h 20 min". */
export function span(seconds) {
  const [days, hours] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24];
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${Math.floor(seconds) % 60} s` : `${Math.floor(seconds)} s`;
}

/** A long id or digest, of which the beginning is enough for a table. */
export function Short({ text }) {
  return html`<code title=${text}>${text.length > 13 ? `${text.slice(0, 12)}…` : text}</code>`;
}

/** The values of a form that has been submitted, by name, without spaces around them. */
export function valuesOf(event) {
  event.preventDefault();
  const values = Object.fromEntries(new FormData(event.target));
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim()]));
}

/**
 * Calls `work` now and again every `milliseconds` after its end, while the page is visible and
 * updates are not paused. Returns a function that ends it.
 */
export function repeat(milliseconds, work) {
  let timer;
  let ended = false;
  const turn = async (first) => {
    if (first || (!document.hidden && !paused)) await work();
    if (!ended) timer = setTimeout(turn, milliseconds, false);
  };
  turn(true);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

let paused = false;

/** The button that stops what moves by itself. */
export function Pause() {
  const toggle = () => {
    paused = !paused;
    say(paused ? "Updates are paused." : "Updates go on.");
  };
  return html`<button type="button" class="secondary outline small" aria-pressed=${String(paused)}
    onClick=${toggle}>Pause updates</button>`;
}
