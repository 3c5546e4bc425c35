// "Copy as code" of <tensor-view>: the expressions of the cell and of what is visible, to be copied.

import { css, html } from "lit";

import type { Side } from "../../draw/panel-plot.js";
import { COPY_REFUSED, copyToClipboard } from "../clipboard.js";
import { codeOfCell, codeOfView, type Source, sourceOfName } from "./code.js";
import type { Drawing } from "./drawing.js";
import { positionOf } from "./position.js";

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
 * @param announce gets the status message of the copy
 */
export function renderCode(
  drawing: Drawing,
  given: Source | null,
  announce: (text: string) => void,
) {
  const { tensor, arrangement, locked } = drawing;
  const named = tensor.name === undefined ? null : sourceOfName(tensor.name);
  if (given === null && named !== null && tensor.isWhole === false)
    return renderPartNote(tensor.name ?? "");
  const source = given ?? named;
  if (source === null) return "";
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

/** Instead of code, if the indices are not those of what the name says. */
function renderPartNote(name: string) {
  return html`<details class="code"><summary>copy as code</summary>
    <p class="expression soft">These numbers were taken from ${name}, and their axes or indices may be others. So there is no expression here.</p>
  </details>`;
}

/** Copies an expression. @returns the status message of the copy */
async function copied(code: string, what: string): Promise<string> {
  return (await copyToClipboard(code))
    ? `copied ${what}`
    : `${COPY_REFUSED}: select the expression`;
}
