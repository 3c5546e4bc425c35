// The keyboard of a tree, as the WAI-ARIA tree pattern has it: https://www.w3.org/WAI/ARIA/apg/patterns/treeview/

import type { OutlineRow } from "../../session/outline-rows.js";

/** What a key asks for. */
type TreeAct =
  | { do: "focus"; row: OutlineRow }
  | { do: "open" | "close" | "press"; row: OutlineRow }
  /** every row beside it */
  | { do: "open-siblings"; row: OutlineRow }
  /** the key has a meaning, which changes nothing here */
  | { do: "nothing" };

/** Letters that follow each other within this time are one beginning of a name. */
const TYPEAHEAD_MS = 600;

export class TreeKeys {
  #typed = "";
  #typedAt = -Infinity;

  /**
   * @param at the row that has the focus
   * @param now in ms
   * @returns null for a key without meaning
   */
  actOf(key: string, rows: readonly OutlineRow[], at: number, now: number): TreeAct | null {
    const row = rows[at];
    const isLetter = /^\w$/.test(key);
    if (!isLetter) this.#typed = "";
    const to = (target: OutlineRow | undefined): TreeAct =>
      target ? { do: "focus", row: target } : { do: "nothing" };
    switch (key) {
      case "ArrowDown":
        return to(rows[at + 1]);
      case "ArrowUp":
        return to(rows[at - 1]);
      case "Home":
        return to(rows[0]);
      case "End":
        return to(rows.at(-1));
      case "ArrowRight":
        if (row.isOpen === false) return { do: "open", row };
        return row.isOpen ? to(rows[at + 1]) : { do: "nothing" };
      case "ArrowLeft":
        if (row.isOpen && !row.isHeld) return { do: "close", row };
        return to(rows.find((one) => one.key === row.parent));
      case "Enter":
      case " ":
        return { do: "press", row };
      case "*":
        return { do: "open-siblings", row };
    }
    return isLetter ? to(this.#named(key, rows, at, now)) : null;
  }

  /** The next row whose name begins with the letters that were typed. One letter again and again goes through its rows. */
  #named(key: string, rows: readonly OutlineRow[], at: number, now: number) {
    const letter = key.toLowerCase();
    const goesOn = now - this.#typedAt < TYPEAHEAD_MS && this.#typed !== letter;
    this.#typed = goesOn ? this.#typed + letter : letter;
    this.#typedAt = now;
    const first = this.#typed.length > 1 ? at : at + 1;
    const after = [...rows.slice(first), ...rows.slice(0, first)];
    return after.find(({ node }) => node.label.toLowerCase().startsWith(this.#typed));
  }
}
