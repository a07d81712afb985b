// Questions before something is lost, and values that are shown once.

import { draw, html } from "./parts.js";

let open;

/** Asks a question. Resolves to true if the person agrees. */
export function ask(title, text, action) {
  return show({ title, text, action });
}

/** Shows values that cannot be shown again, and resolves when the person has closed the dialog. */
export function showOnce(title, values) {
  return show({ title, values, text: "This is shown once. Copy it now: the service cannot show it again." });
}

function show(content) {
  return new Promise((resolve) => {
    open = { ...content, resolve };
    draw();
  });
}

function close(agreed) {
  const { resolve, element } = open;
  // Closing gives the focus back to where it was.
  element.close();
  open = undefined;
  draw();
  resolve(agreed);
}

/** The dialog that is open, if one is. */
export function Dialog() {
  if (!open) return null;
  const { title, text, action, values } = open;
  const shown = (element) => {
    if (!element || element.open) return;
    open.element = element;
    element.showModal();
  };
  const cancelled = (event) => {
    event.preventDefault();
    close(false);
  };
  return html`<dialog ref=${shown} onCancel=${cancelled} aria-labelledby="dialog-title"
    aria-describedby="dialog-text">
    <article>
      <h2 id="dialog-title">${title}</h2>
      <p id="dialog-text">${text}</p>
      ${(values ?? []).map(({ label, value }) => html`<${Value} label=${label} value=${value} />`)}
      <footer>${action
        ? html`<button type="button" class="secondary" autofocus onClick=${() => close(false)}>Cancel</button>
            <button type="button" class="danger" onClick=${() => close(true)}>${action}</button>`
        : html`<button type="button" onClick=${() => close(true)}>Done</button>`}
      </footer>
    </article>
  </dialog>`;
}

function Value({ label, value }) {
  const select = (event) => event.target.select();
  return html`<label>${label}
    <input class="once" readonly value=${value} onFocus=${select} autocomplete="off" spellcheck=${false} />
  </label>`;
}
