// The styles of <candle-scope>.

import { css } from "lit";

export const scopeStyles = css`
  :host {
    --token-size: 0.88rem;
    position: relative;
    margin-block: 1rem;
    padding: 0.6rem 1rem;
    border: 1px solid var(--line);
    border-radius: 8px;
    background: var(--paper);
  }
  /* Over the place of the picture, so that nothing moves when it comes and goes. */
  load-progress {
    position: absolute;
    inset: auto 1rem 1rem;
    z-index: 1;
  }
  /* The frame is this element's. */
  candle-snapshot {
    margin: 0;
    padding: 0;
    border: 0;
  }
  .words {
    font-family: var(--mono);
    font-size: var(--token-size);
    line-height: 1.85;
    white-space: pre-wrap;
    overflow-wrap: anywhere;
  }
  .start {
    border-color: var(--flame);
    background: var(--glow);
  }
  .why {
    min-height: 1.4em;
    margin: 0.15rem 0 0;
    font-size: 0.82rem;
    color: var(--soft);
  }
  .why button {
    padding: 0 0.7em;
    font-size: inherit;
  }
  .caption {
    font-size: 0.92rem;
  }
  ::slotted([slot="caption"]) {
    margin-block: 0.4rem 0;
  }
  /* The page's own words have the page's direction. */
  :host(:dir(rtl)) ::slotted([slot="caption"]) {
    direction: rtl;
  }
  textarea {
    display: block;
    width: 100%;
    margin-bottom: 0.6rem;
    padding: 0.4rem 0.6rem;
    border: 1px solid var(--line);
    border-radius: 5px;
    background: var(--sheet);
    field-sizing: content;
    resize: vertical;
  }
  .problems {
    margin: 0 0 0.6rem;
    padding: 0.35rem 0.7rem;
    border-left: 3px solid var(--flame);
    border-radius: 3px;
    background: var(--glow);
    font-size: 0.92rem;
    list-style: none;
    overflow-wrap: anywhere;
  }
`;
