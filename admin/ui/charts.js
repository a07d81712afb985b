// Small charts of the last hour, a bar for each minute.

import { html } from "./parts.js";

const MINUTES = 60;
const [WIDTH, HEIGHT] = [4, 48];

/**
 * Draws the numbers `series` (lists of `{name, key}`) of the minutes before `now` on top of each
 * other, and says the sums in words.
 */
export function Chart({ title, series, minutes, now }) {
  const last = Math.floor(now / 60000);
  const byAge = new Map(minutes.map((it) => [last - it.minute / 60000, it]));
  const total = (it) => series.reduce((sum, { key }) => sum + it[key], 0);
  const most = Math.max(1, ...minutes.map(total));
  const sums = series.map(({ name, key }) => {
    const sum = minutes.reduce((whole, it) => whole + it[key], 0);
    return { name, key, text: `${sum.toLocaleString()} ${name}` };
  });
  const bars = [];
  for (let age = 0; age < MINUTES; age += 1) {
    let base = 0;
    for (const { key } of series) {
      const height = ((byAge.get(age)?.[key] ?? 0) / most) * HEIGHT;
      const x = (MINUTES - 1 - age) * WIDTH;
      if (height > 0) {
        bars.push(html`<rect class=${key} x=${x} y=${HEIGHT - base - height} width=${WIDTH - 1} height=${height} />`);
      }
      base += height;
    }
  }
  const words = sums.map(({ text }) => text).join(", ");
  return html`<figure class="chart">
    <svg viewBox=${`0 0 ${MINUTES * WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img"
      aria-label=${`${title} in the last hour: ${words}. At most ${most.toLocaleString()} in a minute.`}>
      <line x1="0" x2=${MINUTES * WIDTH} y1=${HEIGHT - 0.5} y2=${HEIGHT - 0.5} />${bars}
    </svg>
    <figcaption>${title}: ${sums.map(({ key, text }, n) => html`${n > 0 ? ", " : ""}<span class=${`key ${key}`}></span>${text}`)}</figcaption>
  </figure>`;
}
