// The styles of a cell of the notebook.

import { css } from "lit";

export const cellStyles = css`
  :host {
    padding: 1.6rem 0 1.8rem;
    border-top: 1px solid var(--line);
  }
  h2 {
    display: flex;
    align-items: baseline;
    gap: 0.7rem;
    margin: 0 0 0.3rem;
    font-size: 1.18rem;
    font-weight: 600;
  }
  .number {
    min-width: 1.2em;
    color: var(--flame);
    font-variant-numeric: tabular-nums;
  }
  .prose {
    max-width: 46rem;
    margin: 0 0 0.8rem;
  }
  .sides {
    display: grid;
    grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
    gap: 0.6rem 1.6rem;
  }
  section {
    min-width: 0;
  }
  .results {
    grid-column: 1 / -1;
  }
  .side {
    display: flex;
    align-items: baseline;
    gap: 0.5rem;
    margin: 0 0 0.25rem;
    color: var(--soft);
    font-size: 0.85rem;
  }
  .side strong {
    color: var(--ink);
    font-weight: 600;
  }
  .count {
    margin-left: auto;
    white-space: nowrap;
  }
  pre,
  textarea {
    margin: 0;
    font-family: var(--mono);
    font-size: 0.8rem;
    line-height: 1.5;
    tab-size: 2;
  }
  .python pre,
  textarea {
    display: block;
    width: 100%;
    padding: 0.6rem 0.8rem;
    border: 1px solid var(--line);
    border-radius: 5px;
    white-space: pre;
    overflow-x: auto;
    overflow-y: hidden;
    scrollbar-width: thin;
  }
  .python pre {
    color: var(--soft);
  }
  textarea {
    background: var(--sheet);
    color: var(--ink);
    resize: none;
    field-sizing: content;
  }
  .buttons {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 0.35rem 0.7rem;
    margin-top: 0.45rem;
    font-size: 0.85rem;
  }
  .buttons button {
    font-size: 0.85rem;
    padding: 0.12em 0.9em;
  }
  .status {
    color: var(--soft);
    font-variant-numeric: tabular-nums;
  }
  .status.failed,
  .status.stale {
    color: var(--flame);
  }
  .lab {
    margin-left: auto;
    color: inherit;
  }
  .results.stale .output,
  .results.waiting .output {
    opacity: 0.6;
  }
  .output {
    margin-top: 0.5rem;
    padding-left: 0.9rem;
    border-left: 2px solid var(--glow);
    overflow-wrap: anywhere;
  }
  .output pre {
    white-space: pre-wrap;
  }
  .output.error {
    padding: 0.45rem 0.9rem;
    border-left-color: var(--flame);
    border-radius: 3px;
    background: var(--glow);
  }
  .what {
    margin: 0 0 0.3rem;
    color: var(--soft);
    font-size: 0.85rem;
  }
  .quoted {
    margin-top: 0.2rem;
    color: var(--soft);
  }
  @media (max-width: 899px) {
    .sides {
      grid-template-columns: minmax(0, 1fr);
    }
    .python {
      order: 1;
    }
  }
`;
