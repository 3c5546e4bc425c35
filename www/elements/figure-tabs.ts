// The tabs of <scope-figure>: its views by group, which view stands beside the first, and which way tokens are coloured.

import { html } from "lit";

import { entryOf, VIEWS } from "./views/index.js";
import { GROUPS, type Choices, type FigureChoice } from "./views/view.js";

type Choose = (choice: FigureChoice) => void;

function button(label: string, isPressed: boolean, choose: () => void) {
  return html`<button aria-pressed=${isPressed} @click=${choose}>${label}</button>`;
}

/** A tab for each view, the choice of a second view, which only wide figures show, and what the owner of the figure adds. */
export function viewTabs({ view, beside }: Pick<Choices, "view" | "beside">, choose: Choose) {
  const names = Object.keys(VIEWS);
  const tab = (name: string) =>
    button(entryOf(name).title, view === name, () => choose({ view: name }));
  const group = (title: string) => {
    const members = names.filter((name) => entryOf(name).group === title);
    if (members.length === 0) return "";
    return html`<span class="group"><span class="group-name">${title}</span><span class="choice" role="group" aria-label=${title}>${members.map(tab)}</span></span>`;
  };
  const option = (name: string, title: string) =>
    html`<option value=${name} ?selected=${beside === name}>${title}</option>`;
  const others = names.filter((name) => name !== view);
  const onBeside = (event: Event) => choose({ beside: (event.target as HTMLSelectElement).value });
  return html`
    <div class="bar">
      <div class="views" role="group" aria-label="view">${GROUPS.map(group)}</div>
      <div class="end">
        <label class="beside">beside it
          <select @change=${onBeside}>
            ${option("", "nothing")}${others.map((name) => option(name, entryOf(name).title))}
          </select>
        </label>
        <slot name="tools"></slot>
      </div>
    </div>
  `;
}

/** Whether tokens show what the focused one attends to, or what attends to it. */
export function directionChoice({ direction }: Pick<Choices, "direction">, choose: Choose) {
  return html`<span class="choice" role="group" aria-label="which way">
    ${button("what a word attends to", direction === "from", () => choose({ direction: "from" }))}
    ${button("what attends to it", direction === "to", () => choose({ direction: "to" }))}
  </span>`;
}
