// Styles of <intervention-panel>.

import { css } from "lit";

export const panelStyles = css`
  :host {
    container: panel / inline-size;
  }
  form {
    border: 1px solid var(--line);
    border-radius: 8px;
    padding: 0.7rem 0.9rem 0.8rem;
    background: var(--sheet);
    font-size: 0.88rem;
  }
  h2 {
    margin: 0 0 0.4rem;
    font-size: 1rem;
    font-weight: 600;
  }
  .columns {
    display: grid;
    gap: 0.7rem 1.6rem;
  }
  .fields {
    display: grid;
    grid-template-columns: repeat(2, minmax(0, 1fr));
    gap: 0.45rem 0.8rem;
    align-content: start;
  }
  @container panel (min-width: 46rem) {
    .columns {
      grid-template-columns: repeat(2, minmax(0, 1fr));
    }
  }
  .field {
    display: grid;
    gap: 0.12rem;
    align-content: start;
    min-width: 0;
  }
  .wide,
  .tokens {
    grid-column: 1 / -1;
  }
  label {
    color: var(--soft);
  }
  input:not([type="checkbox"], [type="range"]),
  select,
  textarea {
    width: 100%;
    min-width: 0;
    border: 1px solid var(--line);
    border-radius: 5px;
    background: var(--paper);
    padding: 0.22em 0.5em;
  }
  input[type="range"],
  input[type="checkbox"] {
    accent-color: var(--flame);
  }
  [aria-invalid="true"] {
    border-color: var(--flame) !important;
    border-style: dashed !important;
  }
  .slider {
    display: grid;
    grid-template-columns: minmax(0, 1fr) 5rem;
    gap: 0.6rem;
    align-items: center;
  }
  .slider input[type="range"] {
    width: 100%;
    padding: 0;
  }
  .hint {
    color: var(--soft);
    font-size: 0.8rem;
  }
  .code .hint {
    border-left: 3px solid var(--flame);
    background: var(--glow);
    color: var(--ink);
    padding: 0.15rem 0.5rem;
  }
  .found {
    margin: 0;
    font-size: 0.84rem;
    overflow-wrap: anywhere;
  }
  .found button {
    font-family: var(--mono);
    font-size: 0.8rem;
    padding: 0.05em 0.6em;
    margin: 0.1rem 0.2rem 0.1rem 0;
  }
  .problem,
  .refused {
    color: var(--flame);
    font-size: 0.84rem;
    overflow-wrap: anywhere;
  }
  .refused {
    margin: 0.5rem 0 0;
  }
  .refused:empty {
    margin: 0;
  }
  .tokens {
    display: flex;
    flex-wrap: wrap;
    gap: 2px;
    max-height: 6.5rem;
    overflow: auto;
    padding: 3px;
    border: 1px solid var(--line);
    border-radius: 5px;
  }
  .token {
    white-space: pre;
    border-radius: 3px;
    padding: 0 0.2em;
    font-size: 0.8rem;
    border-color: transparent;
  }
  details {
    margin-top: 0.5rem;
  }
  summary {
    cursor: pointer;
    color: var(--soft);
  }
  .buttons {
    display: flex;
    gap: 0.5rem;
    margin-top: 0.7rem;
  }
`;
