// Where the parts of <scope-figure> stand: the text, the tabs of views, and below them heads, one or two views, and the owner's
// part at the right. Narrow figures stack them.

import { css, unsafeCSS } from "lit";

/** Two views stand side by side from this width of the figure on, in CSS pixels. */
export const MIN_WIDTH_OF_TWO = 1320;

/** A compact figure has room for the heads beside the view from this width on. */
export const MIN_WIDTH_OF_GRID = 420;

export const figureLayout = css`
  :host {
    container: figure / inline-size;
  }
  .frame {
    transition: opacity 150ms;
  }
  :host([stale]) .frame {
    opacity: 0.55;
  }
  /* The owner's text box and the tokens share one cell, so that nothing moves when one replaces the other. */
  .text {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
  }
  .text > .strip,
  ::slotted([slot="text"]) {
    grid-area: 1 / 1;
    min-width: 0;
  }
  .text > .strip {
    isolation: isolate; /* a highlighted token stays below the text box */
  }
  .views,
  .tools,
  .end {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem 0.7rem;
  }
  .views {
    margin-top: 0.6rem;
  }
  .views button {
    font-size: 0.82rem;
    padding-inline: 0.65em;
  }
  /* The owner's changes stand in the row of the tools while they need no more than a button. */
  .row {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem 0.7rem;
    margin-top: 0.45rem;
  }
  .tools {
    flex: 1 1 0;
    min-width: 70%;
    font-size: 0.85rem;
  }
  /* As high as the choices, so that nothing moves when a place is locked. */
  .tools > button {
    padding-block: 0.14em;
  }
  .end {
    margin-left: auto;
  }
  .beside {
    display: none;
    font-size: 0.85rem;
    color: var(--soft);
  }
  .board {
    margin-top: 0.7rem;
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 1.2rem;
    align-items: start;
  }
  .board > * {
    min-width: 0;
  }
  /* The place of the first picture, so that nothing moves when it comes. */
  .unread .view {
    min-height: 70vh;
  }
  /* Says what was changed in the model, whatever the owner shows. A page with the list of interventions says it there. */
  .changed {
    margin: 0.5rem 0 0;
    padding: 0.15rem 0.6rem;
    border-left: 3px solid var(--flame);
    font-size: 0.88rem;
    font-weight: 600;
    overflow-wrap: anywhere;
  }
  :host(:not([compact])) .changed {
    display: none;
  }
  h2 {
    margin: 0 0 0.35rem;
    font-size: 1rem;
    font-weight: 600;
  }
  .title button {
    font-size: 0.8rem;
    font-weight: 400;
    padding: 0.1em 0.7em;
  }
  .board:not(.with-aside) .aside {
    display: none;
  }
  @container figure (max-width: 619px) {
    .heads h2 {
      display: none;
    }
    .tools {
      flex-basis: 100%;
    }
    .views,
    .tools {
      flex-wrap: nowrap;
      white-space: nowrap;
      overflow-x: auto;
      scrollbar-width: thin;
      padding-bottom: 0.2rem;
    }
    .views .choice,
    .tools .choice,
    .end {
      flex: none;
      flex-wrap: nowrap;
    }
  }
  @container figure (min-width: 620px) {
    .with-heads {
      grid-template-columns: minmax(9rem, 25%) minmax(0, 1fr);
    }
    .aside {
      grid-column: 1 / -1;
    }
  }
  @container figure (min-width: 960px) {
    .with-aside {
      grid-template-columns: minmax(0, 1fr) 17rem;
      gap: 1.4rem;
    }
    .with-heads.with-aside {
      grid-template-columns: minmax(9rem, 22%) minmax(0, 1fr) 17rem;
    }
    .aside {
      grid-column: auto;
      padding-left: 1.2rem;
      border-left: 1px solid var(--line);
      align-self: stretch;
    }
  }
  @container figure (min-width: ${unsafeCSS(MIN_WIDTH_OF_TWO)}px) {
    .beside {
      display: block;
    }
    .two {
      grid-template-columns: repeat(2, minmax(0, 1fr));
    }
    .two.with-aside {
      grid-template-columns: repeat(2, minmax(0, 1fr)) 18.5rem;
    }
    .two.with-heads {
      grid-template-columns: minmax(9rem, 15rem) repeat(2, minmax(0, 1fr));
    }
    .two.with-heads.with-aside {
      grid-template-columns: minmax(9rem, 15rem) repeat(2, minmax(0, 1fr)) 18.5rem;
    }
  }
  /* A figure on another page: less room for everything, and parts of it may be hidden. */
  :host([compact]) {
    --sentence-size: 0.88rem;
    --evidence-size: 0.82rem;
    --sentence-gap: 0.45rem;
  }
  :host([compact]) .unread .view {
    min-height: 0;
  }
  /* They keep their place, and choose nothing while there is no picture. */
  :host([compact][unread]) :is(.views, .row) {
    visibility: hidden;
  }
  /* As high as the picture will be, so that nothing moves when it comes; "pending" is the second prompt. */
  :host([compact]:is(:not([settled]), [pending])) .board {
    min-height: var(--reserved, 0);
    /* What is left of it stands below the picture, not between its parts. */
    align-content: start;
  }
  :host([compact]) .views {
    flex-wrap: nowrap;
    overflow-x: auto;
    scrollbar-width: none;
    white-space: nowrap;
    margin-top: 0.4rem;
  }
  :host([compact]) .views .choice {
    flex: none;
  }
  :host([compact]) .board {
    margin-top: 0.5rem;
  }
  :host([compact]) .heads h2 {
    display: none;
  }
  @container figure (min-width: ${unsafeCSS(MIN_WIDTH_OF_GRID)}px) {
    :host([compact]) .with-heads {
      grid-template-columns: minmax(8rem, 25%) minmax(0, 1fr);
    }
  }
  :host([hide~="tokens"]) .text,
  :host([hide~="tabs"]) .views,
  :host([hide~="tools"]) .row,
  :host([hide~="heads"]) .heads,
  :host([hide~="pattern"]) .view {
    display: none;
  }
  :host([hide~="heads"]) .board,
  :host([hide~="pattern"]) .board {
    grid-template-columns: minmax(0, 1fr);
  }
  :host([hide~="pattern"][hide~="heads"]) .board {
    display: none;
  }
  :host([hide~="sentence"]) {
    --sentence: none;
  }
  :host([hide~="choices"]) {
    --choices: none;
  }
  :host([hide~="choices"]:not([hide~="sentence"])) {
    --title: none;
  }
  :host([hide~="buttons"]) {
    --buttons: none;
  }
  @media (prefers-reduced-motion: reduce) {
    .frame {
      transition: none;
    }
  }
  /* Canvases keep their size when a page is printed, so each part has the whole width. */
  @media print {
    :host(:not([compact])) .changed {
      display: block;
    }
    .board,
    :host([compact]:is(:not([settled]), [pending])) .board {
      display: block;
      min-height: 0;
    }
    .board > * + * {
      margin-top: 1.2rem;
    }
  }
`;
