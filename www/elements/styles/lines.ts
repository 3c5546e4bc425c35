// The styles of <attention-lines>.

import { css } from "lit";

/** --pitch: from one token to the next */
export const linesStyles = css`
  .titles,
  .board {
    display: grid;
    grid-template-columns: minmax(0, max-content) minmax(5rem, 34rem) minmax(0, max-content);
    justify-content: start;
  }
  .titles {
    grid-template-columns: auto auto;
    justify-content: space-between;
    max-width: 50rem;
    font-size: 0.78rem;
    font-style: italic;
    color: var(--soft);
  }
  .board {
    font-size: min(0.8rem, calc(var(--pitch) * 0.78));
    user-select: none;
  }
  .column {
    display: flex;
    flex-direction: column;
    min-width: 0;
  }
  .token {
    display: flex;
    align-items: center;
    gap: 0.35em;
    height: var(--pitch);
    min-width: 0;
    cursor: pointer;
  }
  .queries .token {
    flex-direction: row;
    justify-content: flex-end;
  }
  .keys .token {
    flex-direction: row-reverse;
    justify-content: space-between;
  }
  .text {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: pre;
    padding: 0 0.3em;
    border-radius: 3px;
    line-height: calc(var(--pitch) - 2px);
    print-color-adjust: exact;
  }
  .value {
    flex: none;
    width: 2.6em;
    font-size: 0.72rem;
    color: var(--soft);
  }
  .queries .value {
    text-align: right;
  }
  .token.here .text {
    background: var(--glow);
    font-weight: 600;
    box-shadow: 0 0 0 1px var(--flame);
  }
  .token.locked .text {
    box-shadow: 0 0 0 2px var(--flame);
  }
  .token.masked .text {
    color: var(--soft);
    font-style: italic;
  }
  .bars {
    display: flex;
    align-items: flex-end;
    gap: 1px;
    height: calc(var(--pitch) - 4px);
    border-bottom: 1px solid var(--line);
  }
  .bars i {
    width: 5px;
    print-color-adjust: exact;
    forced-color-adjust: none;
  }
  svg {
    display: block;
    width: 100%;
    forced-color-adjust: none;
    print-color-adjust: exact;
  }
  line {
    stroke-width: 2px;
    vector-effect: non-scaling-stroke;
  }
  .many .all line {
    stroke-width: 1px;
  }
  line.broken {
    stroke-dasharray: 4 3;
  }
  svg.focused .all {
    opacity: 0.1;
  }
  .lit line {
    stroke-width: 3px;
  }
  .readout {
    min-height: 1.6em;
    margin: 0.45rem 0 0;
    font-size: 0.86rem;
    overflow-wrap: anywhere;
  }
  .readout .line {
    display: block;
  }
  .swatch {
    display: inline-block;
    width: 0.7em;
    height: 0.7em;
    border-radius: 2px;
    forced-color-adjust: none;
  }
  .window {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem 0.6rem;
    margin: 0.4rem 0 0;
    font-size: 0.85rem;
    color: var(--soft);
  }
  .window button {
    font-size: 0.8rem;
    padding: 0.12em 0.65em;
  }
  .legend {
    display: inline-flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem;
    color: var(--soft);
  }
  .ramp {
    width: 7rem;
    height: 0.72rem;
    border-radius: 2px;
    box-shadow: 0 0 0 1px var(--line);
    print-color-adjust: exact;
    forced-color-adjust: none;
  }
  .table {
    max-height: 22rem;
  }
`;
