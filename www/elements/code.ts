// Messages in which parts are code.

import { html } from "lit";

/**
 * A message as a sentence, whose parts in backticks are code. A command stands in a line of its own, which one click selects;
 * the style of `code.command` is the owner's.
 */
export function withCode(message: string): unknown[] {
  const parts = message.replace(/[.!]?$/, ".").split("`");
  return parts.map((part, i) => {
    if (i % 2 === 0) return part;
    if (i === parts.length - 1) return `\`${part}`; // a backtick that is not closed
    return html`<code class=${/^(python3?|pip|make) /.test(part) ? "command" : ""}>${part}</code>`;
  });
}
