// The styles of <query-key-products>.

import { css } from "lit";

/** --row: the height of a row */
export const productsStyles = css`
  .board {
    display: grid;
    column-gap: 12px;
    font-size: 0.76rem;
    overflow-x: auto;
    scrollbar-width: thin;
  }
  .side,
  .title {
    font-family: var(--prose);
    font-style: italic;
    font-size: 0.82rem;
    color: var(--soft);
  }
  .label {
    display: block;
    height: var(--row);
    line-height: var(--row);
    overflow: hidden;
    white-space: pre;
  }
  .label .at {
    color: var(--soft);
    font-size: 0.68rem;
  }
  .label.here,
  .numbers.here {
    background: var(--glow);
    font-weight: 600;
  }
  .cells {
    position: relative;
    cursor: crosshair;
    box-shadow: 0 0 0 1px var(--line);
    margin-bottom: 4px;
  }
  canvas {
    display: block;
    image-rendering: pixelated;
    print-color-adjust: exact;
  }
  .cells i {
    position: absolute;
    pointer-events: none;
    box-shadow: 0 0 0 1px var(--ink);
    opacity: 0.55;
  }
  .cells i.row {
    box-shadow: 0 0 0 1px var(--flame);
    opacity: 1;
  }
  .numbers {
    display: grid;
    grid-template-columns: 3.6rem 3.6rem minmax(3.6rem, 9rem);
    gap: 0.3rem;
    height: var(--row);
    line-height: var(--row);
    font-variant-numeric: tabular-nums;
  }
  .narrow .numbers {
    grid-template-columns: minmax(2.6rem, 1fr);
  }
  .narrow .numbers > :not(:last-child) {
    display: none;
  }
  .numbers.heads {
    font-family: var(--prose);
    font-style: italic;
    font-size: 0.82rem;
    color: var(--soft);
  }
  .numbers.changed {
    color: var(--flame);
  }
  .numbers > span {
    text-align: right;
    white-space: nowrap;
  }
  .numbers > :last-child {
    text-align: left;
    padding-left: 0.2rem;
  }
  .numbers .share {
    position: relative;
    text-align: left;
    padding-left: 0.2rem;
  }
  .share i {
    position: absolute;
    left: 0;
    bottom: 0;
    height: 3px;
    background: var(--flame);
    print-color-adjust: exact;
  }
  .readout {
    min-height: 3.2em;
    margin: 0.45rem 0 0;
    font-size: 0.86rem;
    overflow-wrap: anywhere;
  }
  .readout .line {
    display: block;
  }
  .readout b {
    font-weight: 600;
    background: var(--glow);
    border-radius: 3px;
    padding: 0 0.2em;
    white-space: pre-wrap;
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
  .notice {
    margin: 0.4rem 0 0;
    font-size: 0.88rem;
  }
  .below {
    --ramp-width: 6rem;
  }
  .push {
    flex-wrap: wrap;
  }
  .table {
    max-height: 22rem;
  }
`;
