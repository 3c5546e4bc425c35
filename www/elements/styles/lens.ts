// The styles of <logit-lens>.

import { css } from "lit";

/** @param width CSS pixels of a cell @param height CSS pixels of a cell */
export const lensStyles = (width: number, height: number) => css`
  .board {
    display: flex;
    font-size: 0.78rem;
  }
  .layers {
    flex: none;
    width: 3.4rem;
    color: var(--soft);
  }
  .layers > *,
  .row {
    height: ${height}px;
  }
  .layers > * {
    display: flex;
    align-items: center;
  }
  .layers .title {
    font-family: var(--prose);
    font-style: italic;
    line-height: 1.1;
  }
  .scroll {
    overflow-x: auto;
    scrollbar-width: thin;
    flex: 1;
    min-width: 0;
    border-radius: 3px;
    padding-bottom: 4px;
  }
  .row {
    display: flex;
  }
  .cell {
    flex: none;
    position: relative;
    width: ${width}px;
    height: ${height}px;
    padding: 0 0.35em;
    display: flex;
    align-items: center;
    overflow: hidden;
    white-space: pre;
    border: 1px solid var(--paper);
    border-radius: 4px;
    cursor: pointer;
    print-color-adjust: exact;
  }
  .numbers .cell {
    justify-content: flex-end;
  }
  .cell .rank {
    margin-left: 0.4em;
    font-size: 0.68rem;
  }
  .cell.right::after {
    content: "";
    position: absolute;
    right: 3px;
    top: 3px;
    width: 5px;
    height: 5px;
    border-radius: 50%;
    background: currentColor;
  }
  .broken {
    padding: 0 0.3em;
    border-radius: 3px;
    background: var(--paper);
  }
  .head,
  .foot {
    cursor: default;
    color: var(--ink);
    gap: 0.4em;
  }
  .head .at {
    color: var(--soft);
    font-size: 0.68rem;
  }
  .foot {
    color: var(--soft);
  }
  .cell[data-here] {
    box-shadow: inset 0 0 0 2px var(--flame);
  }
  .head[data-here],
  .foot[data-here] {
    background: var(--glow);
    box-shadow: none;
  }
  .detail {
    min-height: 11.2rem;
    margin-top: 0.8rem;
    font-size: 0.9rem;
  }
  @media print {
    .detail {
      min-height: 0;
    }
  }
  .detail p {
    margin: 0 0 0.4rem;
  }
  .detail b {
    font-weight: 500;
    background: var(--glow);
    border-radius: 3px;
    padding: 0.05em 0.25em;
    white-space: pre;
  }
  ol {
    list-style: none;
    margin: 0 0 0.5rem;
    padding: 0;
    max-width: 30rem;
  }
  li {
    display: grid;
    grid-template-columns: 8rem 1fr 4.4rem;
    align-items: center;
    gap: 0.5rem;
    font-size: 0.84rem;
    padding: 0.06rem 0.3rem;
    border-radius: 4px;
  }
  li.true {
    background: var(--glow);
  }
  li .name {
    white-space: pre;
    overflow: hidden;
    text-overflow: ellipsis;
  }
  .bar {
    display: block;
    height: 0.6rem;
    min-width: 1px;
    border-radius: 1px;
    background: var(--flame);
    print-color-adjust: exact;
  }
  .value {
    text-align: right;
    color: var(--soft);
  }
  .tools {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem 1rem;
    margin-bottom: 0.5rem;
    font-size: 0.85rem;
  }
  .tools span {
    display: inline-flex;
    flex-wrap: wrap;
    gap: 0.3rem;
  }
  .tools button {
    font-size: 0.8rem;
    padding: 0.12em 0.65em;
  }
  .below {
    margin-top: 0.5rem;
  }
  /* Narrow cells, so that the sheet has all of them. */
  @media print {
    .scroll {
      overflow: visible;
    }
    .row {
      display: grid;
      grid-auto-flow: column;
      grid-auto-columns: minmax(0, ${width}px);
      width: auto !important;
      padding: 0 !important;
    }
    .cell {
      width: auto;
      padding: 0 0.1em;
    }
  }
`;
