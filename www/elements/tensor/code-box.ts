// "Copy as code" of <tensor-view>: the expressions of the cell and of what is visible, to be copied.

import { css, html } from "lit";

import type { Side } from "../../draw/panel-plot.js";
import { COPY_REFUSED, copyToClipboard } from "../clipboard.js";
import { codeOfCell, codeOfView, type Source } from "./code.js";
import type { Drawing } from "./drawing.js";
import { positionOf } from "./words.js";

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
 * The expressions of the pinned value and of what is visible.
 * @param given what the tensor is in code; null for its name
 * @param announce gets what became of a copy
 */
export function renderCode(
  drawing: Drawing,
  given: Source | null,
  announce: (text: string) => void,
) {
  const { tensor, arrangement, locked } = drawing;
  // The indices of a part are not those of what its name says.
  const source = given ?? (tensor.isPart ? null : tensor.name) ?? null;
  if (source === null) return tensor.name === undefined ? "" : renderPartNote(tensor.name);
  const pinned = locked ?? (arrangement.columns ? null : drawing.start);
  const cell = pinned && codeOfCell(source, tensor, positionOf(drawing, pinned));
  // A visible part of what is sorted is no range.
  const along = (side: Side) =>
    drawing.orderOf(side) === "" ? drawing.window(side) : { first: 0, count: drawing.length(side) };
  const visible = { rows: along("rows"), columns: along("columns") };
  const view = codeOfView(source, tensor, arrangement, visible);
  const line = (what: string, code: string | null) =>
    code === null
      ? ""
      : html`<p class="expression"><span class="what">${what}</span>
          <button aria-label="copy ${what}" @click=${async () => announce(await copied(code, what))}>copy</button>
          <code>${code}</code></p>`;
  return html`<details class="code"><summary>copy as code</summary>
    ${
      cell
        ? html`${line("the pinned value", cell.javascript)}${line("in TransformerLens", cell.python)}`
        : html`<p class="expression soft">A click or Enter pins a value; its expression is then here.</p>`
    }
    ${line("what is shown", view.javascript)}${line("shown, in TransformerLens", view.python)}
  </details>`;
}

/** Instead of code, if it would name the whole of which this is a part. */
function renderPartNote(name: string) {
  return html`<details class="code"><summary>copy as code</summary>
    <p class="expression soft">This is a part of ${name}. Its indices are not those of the whole, so there is no expression here.</p>
  </details>`;
}

/** Copies an expression. @returns what became of it */
async function copied(code: string, what: string): Promise<string> {
  return (await copyToClipboard(code))
    ? `copied ${what}`
    : `${COPY_REFUSED}: select the expression`;
}
