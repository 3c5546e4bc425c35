// Styles that elements share: the palette, the basic controls, and what stands below a figure.

import { css, unsafeCSS } from "lit";

import { SCREEN_ONLY } from "./screen-only.js";

/** Printed figures are whole, without controls. */
const print = css`
  @media print {
    :host {
      print-color-adjust: exact;
      break-inside: avoid;
    }
    .axes,
    .list,
    .row,
    svg {
      break-inside: avoid;
    }
    :is(${unsafeCSS(SCREEN_ONLY)}) {
      display: none !important;
    }
    .scroll,
    .grid,
    .table,
    .tokens,
    .board {
      overflow: visible;
      max-height: none;
    }
  }
`;

// Host pages may set --cs-*. Without them, light-dark() follows the color-scheme around the element.
export const base = css`
  ${print}
  :host {
    --paper: var(--cs-paper, light-dark(oklch(0.985 0.009 88), oklch(0.192 0.012 62)));
    --sheet: var(--cs-sheet, light-dark(oklch(0.998 0.004 90), oklch(0.222 0.013 62)));
    --ink: var(--cs-ink, light-dark(oklch(0.27 0.03 52), oklch(0.915 0.028 86)));
    --soft: var(--cs-soft, light-dark(oklch(0.49 0.03 58), oklch(0.725 0.028 80)));
    --line: var(--cs-line, light-dark(oklch(0.895 0.018 82), oklch(0.318 0.018 66)));
    --flame: var(--cs-flame, light-dark(oklch(0.555 0.148 43), oklch(0.795 0.135 72)));
    --glow: var(--cs-glow, light-dark(oklch(0.945 0.046 84), oklch(0.302 0.045 66)));
    --prose: var(--cs-prose, "Iowan Old Style", Palatino, "Palatino Linotype", P052, Georgia, ui-serif, serif);
    --mono: var(--cs-mono, ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace);
    display: block;
    direction: ltr; /* on a page in Arabic too, numbers keep their signs and matrices their order */
    color: var(--ink);
    font-family: var(--prose);
    font-size: 1rem;
    line-height: 1.45;
  }
  :host([hidden]) {
    display: none;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :focus-visible {
    outline: 2px solid var(--flame);
    outline-offset: 2px;
    border-radius: 3px;
  }
  /* Tokens in any script stand in a sentence without changing the order of its words. */
  .mono,
  .chip,
  b {
    unicode-bidi: isolate;
  }
  .mono {
    font-family: var(--mono);
    font-variant-numeric: tabular-nums;
    font-variant-ligatures: none;
  }
  .soft {
    color: var(--soft);
  }
  .readout {
    overflow-wrap: anywhere;
  }
  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  button,
  input,
  select,
  textarea {
    font: inherit;
    color: inherit;
  }
  button {
    padding: 0.25em 0.8em;
    border: 1px solid var(--line);
    border-radius: 999px;
    background: var(--sheet);
    cursor: pointer;
  }
  button:hover:not(:disabled) {
    border-color: var(--flame);
  }
  button:disabled {
    opacity: 0.5;
    cursor: default;
  }
  button[aria-pressed="true"],
  button.lit {
    border-color: var(--flame);
    background: var(--glow);
  }
  input,
  select {
    padding: 0.22em 0.5em;
    border: 1px solid var(--line);
    border-radius: 5px;
    background: var(--sheet);
    min-width: 0;
  }
  /* Forced colours leave out backgrounds and shadows, which show what is chosen otherwise. */
  @media (forced-colors: active) {
    button[aria-pressed="true"],
    button.lit {
      forced-color-adjust: none;
      border-color: Highlight;
      background: Highlight;
      color: HighlightText;
    }
    [aria-selected="true"],
    [aria-current="step"] {
      outline: 2px solid Highlight;
    }
    :is([aria-selected="true"], [aria-current="step"]):focus-visible {
      outline-width: 5px;
    }
  }
  @media (prefers-reduced-motion: no-preference) {
    button {
      transition: border-color 120ms, background-color 120ms;
    }
  }
`;

/** The row below a figure, and its table. */
export const figure = css`
  .below {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem 1rem;
    margin-top: 0.6rem;
    font-size: 0.85rem;
  }
  .below button {
    font-size: 0.8rem;
    padding: 0.12em 0.65em;
  }
  .push {
    margin-left: auto;
    display: var(--buttons, flex);
    gap: 0.35rem;
  }
  .table {
    overflow: auto;
    margin-top: 0.6rem;
    border: 1px solid var(--line);
    border-radius: 4px;
  }
  table {
    border-collapse: collapse;
    font-size: 0.8rem;
  }
  caption {
    text-align: left;
    padding: 0.4rem 0.6rem;
    color: var(--soft);
    font-family: var(--prose);
  }
  th,
  td {
    padding: 0.12rem 0.6rem;
    text-align: left;
    font-weight: 400;
    white-space: pre;
    border-top: 1px solid var(--line);
  }
`;

/** Code in a message. */
export const code = css`
  code {
    font-family: var(--mono);
    font-size: 0.86em;
  }
  code.command {
    display: block;
    margin: 0.4rem 0;
    padding: 0.35rem 0.6rem;
    border: 1px solid var(--line);
    border-radius: 4px;
    background: var(--sheet);
    overflow-wrap: anywhere;
    user-select: all;
  }
`;
