// The styles of <tensor-view>.

import { css } from "lit";

export const tensorStyles = css`
  :host {
    --ramp-width: 10rem;
  }
  .plot {
    cursor: crosshair;
  }
  .cells {
    box-shadow: 0 0 0 1px var(--line);
  }
  .readout {
    overflow-wrap: anywhere;
  }
  .readout b {
    white-space: pre-wrap;
  }
  .table {
    max-height: 20rem;
  }
  .plot.zoomed {
    touch-action: pan-y;
  }
  .summary {
    display: flex;
    flex-wrap: wrap;
    gap: 0.1rem 1rem;
    margin: 0.45rem 0 0;
    font-size: 0.85rem;
    color: var(--soft);
  }
  .summary b {
    font-weight: 400;
    color: var(--ink);
  }
  .scalar {
    margin: 0;
    font-size: 1.6rem;
  }
  .order {
    margin: 0 0 0.5rem;
    font-size: 0.85rem;
    color: var(--soft);
  }
  .order label {
    display: inline-flex;
    align-items: center;
    gap: 0.4rem;
  }
  .order select {
    font-size: 0.8rem;
    color: var(--ink);
  }
`;
