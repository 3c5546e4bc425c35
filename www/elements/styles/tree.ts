// The styles of <model-tree>.

import { css } from "lit";

export const treeStyles = css`
  :host {
    font-size: 0.9rem;
    container: tree / inline-size;
  }
  .total {
    margin: 0 0 0.6rem;
    max-width: 46rem;
  }
  .tools {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem 0.6rem;
    margin-bottom: 0.5rem;
  }
  .tools input {
    width: 16rem;
    max-width: 100%;
  }
  .tools button,
  .line button {
    font-size: 0.78rem;
    padding: 0.08em 0.6em;
  }
  .body {
    display: grid;
    gap: 1rem;
    max-width: 62rem;
  }
  .body[data-beside] {
    max-width: none;
  }
  @container tree (min-width: 62rem) {
    .body[data-beside] {
      grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
      align-items: start;
    }
    .panel {
      position: sticky;
      top: 0.5rem;
      max-height: calc(100vh - 1rem);
      overflow: auto;
    }
  }
  .panel {
    min-width: 0;
    border: 1px solid var(--line);
    border-radius: 6px;
    padding: 0.5rem 0.8rem 0.8rem;
  }
  .panel p {
    margin: 0 0 0.5rem;
    overflow-wrap: anywhere;
  }
  .panel .head {
    display: flex;
    flex-wrap: wrap;
    gap: 0.3rem 0.8rem;
    align-items: baseline;
  }
  .panel .push {
    margin-left: auto;
    display: flex;
    gap: 0.35rem;
  }
  .panel button {
    font-size: 0.78rem;
    padding: 0.08em 0.6em;
  }
  [role="tree"] {
    min-width: 0;
    border: 1px solid var(--line);
    border-radius: 6px;
    padding: 0.25rem 0;
  }
  .row {
    --depth: calc(var(--level) * clamp(0.7rem, 2.4cqi, 1.25rem));
    padding: 0 0.5rem 0 calc(0.35rem + var(--depth));
  }
  .row[aria-level="1"] {
    --level: 0;
  }
  .row[aria-level="2"] {
    --level: 1;
  }
  .row[aria-level="3"] {
    --level: 2;
  }
  .row[aria-level="4"] {
    --level: 3;
  }
  .row[aria-level="5"] {
    --level: 4;
  }
  .row:hover,
  .row:focus-visible {
    background: var(--glow);
  }
  .row:focus-visible {
    outline-offset: -2px;
  }
  .row[aria-selected="true"] {
    background: var(--glow);
    box-shadow: inset 3px 0 0 var(--flame);
  }
  @media (forced-colors: active) {
    .row[aria-selected="true"] {
      outline: 2px solid Highlight;
      outline-offset: -2px;
    }
  }
  .line {
    position: relative;
    display: flex;
    align-items: baseline;
    gap: 0.15rem 0.7rem;
    min-height: 1.75rem;
    cursor: default;
  }
  .row[data-shows] > .line,
  .row[aria-expanded] > .line {
    cursor: pointer;
  }
  .arrow {
    flex: none;
    width: 0.8em;
    color: var(--soft);
  }
  .name {
    overflow-wrap: anywhere;
  }
  .weight .name {
    font-weight: 600;
  }
  .name mark {
    background: var(--glow);
    color: inherit;
    border-bottom: 2px solid var(--flame);
  }
  .badge {
    border: 1px dashed var(--soft);
    border-radius: 4px;
    padding: 0 0.35em;
  }
  .facts {
    flex: 1;
    display: flex;
    flex-wrap: wrap;
    gap: 0 0.7rem;
    color: var(--soft);
    font-size: 0.84rem;
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .count {
    flex: none;
    min-width: 5.5rem;
    text-align: right;
    color: var(--soft);
    font-size: 0.84rem;
  }
  .actions {
    position: absolute;
    right: 6rem;
    top: 0;
    display: flex;
    align-items: center;
    gap: 0.25rem;
    min-height: 1.75rem;
    padding-left: 0.5rem;
    background: var(--glow);
    visibility: hidden;
  }
  .row:hover .actions,
  .row:focus .actions,
  .row:focus-within .actions {
    visibility: visible;
  }
  .picture {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.3rem 0.8rem;
    padding: 0.2rem 0 0.5rem 1.5rem;
    color: var(--soft);
    font-size: 0.84rem;
  }
  .picture canvas {
    border: 1px solid var(--line);
    image-rendering: pixelated;
    max-width: 100%;
  }
  .actions select {
    padding: 0 0.2em;
    font-size: 0.84rem;
  }
  .layers .actions {
    position: static;
    min-height: 0;
    background: none;
    visibility: visible;
  }
  @container tree (max-width: 40rem) {
    .line {
      flex-wrap: wrap;
      padding: 0.2rem 0;
    }
    .facts {
      flex-basis: 100%;
      order: 1;
      padding-left: 1.5rem;
    }
    .count {
      margin-left: auto;
    }
    .actions {
      position: static;
      display: none;
      order: 2;
      flex-basis: 100%;
      padding-left: 1.5rem;
    }
    .row:hover .actions,
    .row:focus .actions,
    .row:focus-within .actions,
    .layers .actions {
      display: flex;
    }
  }
`;
