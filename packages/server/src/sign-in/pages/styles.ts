/**
 * The look of the pages: ink, paper, a seal. One file, served by ourselves; nothing from elsewhere.
 * Contrasts: text at least 4.5:1, outlines of fields and focus at least 3:1, in light and dark (WCAG 2.2 AA).
 */
export const styles = `
:root {
  color-scheme: light dark;
  --ground: #faf8f4;
  --surface: #fffefb;
  --ink: #1b1a17;
  --ink-quiet: #635e54;
  --rule: #e3ded3;
  --outline: #8c8577;
  --seal: #9e2b25;
  --seal-pressed: #84211c;
  --on-seal: #fffaf5;
  --caution: #7a4a00;
  --caution-ground: #fbf0d9;
  --permit: #1f5c38;
  --permit-ground: #e6f1e6;
  --focus: #1f4fa8;
  --shadow: 0 1px 2px rgb(60 50 30 / 6%), 0 12px 32px -12px rgb(60 50 30 / 16%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12151c;
    --surface: #191d26;
    --ink: #e9e6df;
    --ink-quiet: #a9a698;
    --rule: #2b303b;
    --outline: #7b7f88;
    --seal: #b9473e;
    --seal-pressed: #a73b33;
    --on-seal: #fffaf5;
    --caution: #f0c67a;
    --caution-ground: #2e2616;
    --permit: #9fd4ae;
    --permit-ground: #1a2b20;
    --focus: #9dbdf5;
    --shadow: 0 1px 2px rgb(0 0 0 / 30%), 0 16px 40px -12px rgb(0 0 0 / 50%);
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0;
  min-height: 100vh;
  min-height: 100dvh;
  display: flex;
  flex-direction: column;
  background: var(--ground);
  color: var(--ink);
  font: 400 14px/22px "Inter", system-ui, -apple-system, "Segoe UI", sans-serif;
  -webkit-font-smoothing: antialiased;
}
h1, h2, p, dl, dd, ul, ol { margin: 0; padding: 0; }
h1 { font-size: 20px; line-height: 28px; font-weight: 600; letter-spacing: -0.012em; text-wrap: balance; }
p { text-wrap: pretty; overflow-wrap: anywhere; }
a { color: inherit; text-decoration: underline; text-decoration-color: var(--outline); text-underline-offset: 3px; }
a:hover { text-decoration-color: currentcolor; }
strong { font-weight: 600; }
code, .id { font: 12.5px/20px ui-monospace, "JetBrains Mono", SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }

.letter { flex: 1; width: 100%; max-width: 424px; margin: 0 auto; padding: 64px 16px 32px; display: flex; flex-direction: column; }
.letter.wide { max-width: 560px; }
.head { display: flex; flex-direction: column; align-items: center; gap: 8px; position: relative; z-index: 1; margin-bottom: -28px; }
.seal { display: block; filter: drop-shadow(0 2px 3px rgb(60 20 10 / 25%)); }
.seal-wax { fill: var(--seal); }
.seal-ring { fill: none; stroke: var(--on-seal); stroke-opacity: 0.45; stroke-width: 1; }
.seal-letter { fill: var(--on-seal); font: 600 22px/1 "Inter", system-ui, sans-serif; }
.card { background: var(--surface); border: 1px solid var(--rule); border-radius: 6px; box-shadow: var(--shadow); padding: 44px 32px 32px; }
.organization { text-align: center; font-weight: 600; letter-spacing: 0.01em; margin-bottom: 20px; }
.title { text-align: center; }
.asks { text-align: center; color: var(--ink-quiet); margin-top: 8px; }
.asks, .foot p { text-wrap: balance; }
.asks strong { color: var(--ink); }
.rule { border: 0; border-top: 1px solid var(--rule); margin: 24px 0; }

.field { margin-bottom: 16px; }
.field label, .label { display: block; font-weight: 500; margin-bottom: 4px; }
.field input {
  display: block; width: 100%; height: 44px; padding: 0 12px;
  font: inherit; font-size: 16px; color: var(--ink); background: var(--ground);
  border: 1px solid var(--outline); border-radius: 6px;
}
.field input[aria-invalid="true"] { border-color: var(--caution); }
.field input:focus { outline: 2px solid var(--focus); outline-offset: 0; border-color: var(--focus); }
.given { display: flex; align-items: baseline; justify-content: space-between; gap: 16px; }
.email { min-width: 0; }
.given a { flex: none; padding: 8px 0; margin: -8px 0; }
.notice {
  display: flex; gap: 10px; padding: 12px; margin-bottom: 20px;
  color: var(--caution); background: var(--caution-ground); border-radius: 6px;
}
.notice svg { flex: none; margin-top: 3px; }
.actions { display: flex; flex-direction: column; gap: 8px; margin-top: 24px; }
.button {
  display: flex; align-items: center; justify-content: center; width: 100%; min-height: 44px; padding: 8px 16px;
  font: inherit; font-weight: 600; text-align: center; text-decoration: none; border-radius: 6px; cursor: pointer;
  border: 1px solid transparent; transition: background-color 120ms ease-out;
}
.button.first { background: var(--seal); color: var(--on-seal); }
.button.first:hover { background: var(--seal-pressed); }
.button.second { background: transparent; color: var(--ink); }
.button.second:hover { background: var(--ground); }

.hint { color: var(--ink-quiet); font-size: 13px; line-height: 20px; margin-top: 4px; }
.hint:empty { display: none; }
.or { text-align: center; color: var(--ink-quiet); margin-bottom: 8px; }
.offer { margin-bottom: 8px; }
.offer .hint { text-align: center; }
.button.second.lined { border-color: var(--outline); }
.notice.good { color: var(--permit); background: var(--permit-ground); margin: 20px 0 0; }

h2 { font-size: 16px; line-height: 24px; font-weight: 600; letter-spacing: -0.006em; margin-bottom: 4px; }
.list { list-style: none; }
.item { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 4px 16px; padding: 12px 0; border-top: 1px solid var(--rule); }
.item:first-child { border-top: 0; }
.item > div { flex: 1 1 220px; min-width: 0; }
.name { font-weight: 500; overflow-wrap: anywhere; }
.quiet { color: var(--ink-quiet); }
.badge { font-weight: 500; font-size: 12px; line-height: 16px; padding: 2px 8px; border-radius: 10px; color: var(--permit); background: var(--permit-ground); white-space: nowrap; }
.act, .change summary {
  display: inline-block; font: inherit; font-weight: 500; color: var(--ink); background: none; border: 0; padding: 11px 0; cursor: pointer;
  text-decoration: underline; text-decoration-color: var(--outline); text-underline-offset: 3px;
}
.act:hover, .change summary:hover { text-decoration-color: currentcolor; }
.change summary { list-style: none; text-align: right; }
.change summary::-webkit-details-marker { display: none; }
.change[open] { flex: 1 0 100%; }
.change form { margin-top: 12px; }
section > form { margin-top: 16px; }
.steps { margin: 0 0 16px; padding-left: 20px; display: grid; gap: 12px; }
.qr { background: #fff; border-radius: 6px; width: 204px; margin: 12px auto; padding: 4px; }
.qr svg { display: block; width: 100%; height: auto; }
.secret { text-align: center; }
.codes { list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 8px 16px; text-align: center; }

.facts { display: grid; grid-template-columns: auto 1fr; gap: 6px 16px; }
.facts dt { color: var(--ink-quiet); }
.facts dd { text-align: right; overflow-wrap: anywhere; }
.links { list-style: none; display: grid; gap: 12px; }
.links code { display: block; color: var(--ink-quiet); }
.body { display: grid; gap: 12px; }

.foot { color: var(--ink-quiet); font-size: 13px; line-height: 20px; margin-top: 24px; display: grid; gap: 8px; padding: 0 8px; text-align: center; }
.foot strong { color: var(--ink); }
.unseen { position: absolute; width: 1px; height: 1px; margin: 0; padding: 0; border: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.whole { display: inline-block; max-width: 100%; }
.colophon { padding: 16px; text-align: center; font-size: 12px; line-height: 16px; color: var(--ink-quiet); }

@media (max-width: 480px) {
  .letter { padding: 32px 16px 16px; }
  .card { padding: 40px 20px 24px; }
}
@media (max-height: 700px) and (min-width: 481px) { .letter { padding-top: 32px; } }
@media (prefers-reduced-motion: reduce) { .button { transition: none; } }
@media (forced-colors: active) { .seal-wax { fill: CanvasText; } .seal-letter { fill: Canvas; } .button { border-color: ButtonText; } }
`;
