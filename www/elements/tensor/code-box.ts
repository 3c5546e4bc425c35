// "Copy as code" of <tensor-view>: the expressions of the cell and of what is visible, to be copied.

import { css, html } from "lit";

import type { Expressions } from "./code.js";

export const codeStyles = css`
  details > summary {
    cursor: pointer;
    color: var(--soft);
    width: fit-content;
  }
  .expression {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.3rem 0.6rem;
    margin: 0.35rem 0 0;
  }
  .expression .what {
    flex: 0 0 11rem;
    color: var(--soft);
  }
  .expression code {
    font-family: var(--mono);
    font-size: 0.8rem;
    overflow-wrap: anywhere;
    user-select: all;
  }
  .expression button {
    font-size: 0.78rem;
    padding: 0.1em 0.6em;
  }
`;

/**
 * @param cell null if no cell is locked or under the pointer
 * @param announce gets what became of a copy
 */
export function renderCode(
  { cell, view }: { cell: Expressions | null; view: Expressions },
  announce: (text: string) => void,
) {
  const line = (what: string, code: string | null) =>
    code === null
      ? ""
      : html`<p class="expression"><span class="what">${what}</span>
          <button aria-label="copy ${what}" @click=${async () => announce(await copied(code, what))}>copy</button>
          <code>${code}</code></p>`;
  return html`<details class="code"><summary>copy as code</summary>
    ${
      cell
        ? html`${line("the locked value", cell.javascript)}${line("in TransformerLens", cell.python)}`
        : html`<p class="expression soft">A click or Enter locks a value; its expression is then here.</p>`
    }
    ${line("what is shown", view.javascript)}${line("shown, in TransformerLens", view.python)}
  </details>`;
}

/** Copies an expression. @returns what became of it */
function copied(code: string, what: string): Promise<string> {
  return navigator.clipboard.writeText(code).then(
    () => `copied ${what}`,
    () => "the browser does not let this page copy: select the expression",
  );
}
