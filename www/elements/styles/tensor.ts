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
  .window {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem 0.6rem;
    margin: 0 0 0.5rem;
    font-size: 0.85rem;
    color: var(--soft);
  }
  .window button {
    font-size: 0.8rem;
    padding: 0.12em 0.65em;
  }
`;
