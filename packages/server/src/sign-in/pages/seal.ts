import { html } from "hono/html";

/**
 * The seal, with the organization's initial pressed into the wax. Decoration: the name stands beside it as text.
 *
 * @param name - The organization's name.
 */
export function seal(name: string) {
  const initial = [...name.trim()][0]?.toLocaleUpperCase() ?? "C";
  return html`<svg class="seal" viewBox="0 0 64 64" width="56" height="56" aria-hidden="true" focusable="false">
<path class="seal-wax" d="${WAX}"/>
<circle class="seal-ring" cx="32" cy="32" r="20.5"/>
<text class="seal-letter" x="32" y="32" dy="0.36em" text-anchor="middle">${initial}</text>
</svg>`;
}

/** Wax runs: a circle with a dozen and one soft waves, not quite even. */
const WAX = wax();

function wax(): string {
  const points: string[] = [];
  const steps = 120;
  for (let i = 0; i < steps; i++) {
    const angle = (2 * Math.PI * i) / steps;
    const radius = 28.4 + 1.1 * Math.sin(13 * angle) + 0.7 * Math.sin(5 * angle + 1);
    points.push(`${(32 + radius * Math.cos(angle)).toFixed(2)} ${(32 + radius * Math.sin(angle)).toFixed(2)}`);
  }
  return `M${points.join("L")}Z`;
}
