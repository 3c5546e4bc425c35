// The styles of <tensor-view>.

import { css } from "lit";

export const tensorStyles = css`
  :host {
    --ramp-width: 10rem;
  }
  .plot {
    cursor: crosshair;
    /* A finger scrolls the page and two zoom the plot; one moves what is zoomed. */
    touch-action: pan-x pan-y;
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
  .plot.zoomed-rows {
    touch-action: none;
  }
  .problem {
    margin: 0.4rem 0;
    padding: 0.25rem 0.7rem;
    border-left: 3px solid var(--flame);
    background: var(--glow);
    font-size: 0.9rem;
    overflow-wrap: anywhere;
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
  .more {
    display: flex;
    flex-wrap: wrap;
    gap: 0 1.5rem;
    margin-top: 0.3rem;
    font-size: 0.85rem;
  }
  .more > details[open] {
    flex-basis: 100%;
  }
`;
