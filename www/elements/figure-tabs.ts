// The tabs of <scope-figure>: its views by group, which view stands beside the first, and which way tokens are coloured.

import { html } from "lit";

import { entryOf, VIEWS } from "./views/index.js";
import { GROUPS, type Choices, type FigureChoice } from "./views/view.js";

type Choose = (choice: FigureChoice) => void;

function button(label: string, isPressed: boolean, choose: () => void) {
  return html`<button aria-pressed=${isPressed} @click=${choose}>${label}</button>`;
}

/** A tab for each view. @param offered the names of those that can be drawn */
export function viewTabs(
  { view }: Pick<Choices, "view">,
  choose: Choose,
  offered: readonly string[] = Object.keys(VIEWS),
) {
  if (offered.length < 2) return "";
  const names = Object.keys(VIEWS).filter((name) => offered.includes(name));
  const tab = (name: string) =>
    button(entryOf(name).title, view === name, () => choose({ view: name }));
  const group = (title: string) => {
    const members = names.filter((name) => entryOf(name).group === title);
    if (members.length === 0) return "";
    return html`<span class="choice" role="group" aria-label=${title} title=${title}>${members.map(tab)}</span>`;
  };
  return html`<div class="views" role="group" aria-label="view">${GROUPS.map(group)}</div>`;
}

/** Scrolls the row of tabs, where it is too narrow for all of them, to the open one. */
export function showOpenTab(root: ParentNode) {
  const row = root.querySelector<HTMLElement>(".views");
  const tab = row?.querySelector<HTMLElement>("[aria-pressed=true]");
  if (!row || !tab || row.scrollWidth <= row.clientWidth) return;
  const offset = tab.getBoundingClientRect().left - row.getBoundingClientRect().left;
  row.scrollLeft += offset - (row.clientWidth - tab.offsetWidth) / 2;
}

/** The choice of a second view. */
export function besideChoice(
  { view, beside }: Pick<Choices, "view" | "beside">,
  choose: Choose,
  offered: readonly string[] = Object.keys(VIEWS),
) {
  const option = (name: string, title: string) =>
    html`<option value=${name} ?selected=${beside === name}>${title}</option>`;
  const others = Object.keys(VIEWS).filter((name) => name !== view && offered.includes(name));
  if (others.length === 0) return "";
  const onChange = (event: Event) => choose({ beside: (event.target as HTMLSelectElement).value });
  return html`<label class="beside">beside it
    <select @change=${onChange}>
      ${option("", "nothing")}${others.map((name) => option(name, entryOf(name).title))}
    </select>
  </label>`;
}

/** Whether tokens show what the focused one attends to, or what attends to it. */
export function directionChoice({ direction }: Pick<Choices, "direction">, choose: Choose) {
  return html`<span class="choice" role="group" aria-label="which way">
    ${button("what a word attends to", direction === "from", () => choose({ direction: "from" }))}
    ${button("what attends to it", direction === "to", () => choose({ direction: "to" }))}
  </span>`;
}
