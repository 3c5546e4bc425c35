// The notebook's page: makes the cells, runs them once, and connects the controls.

import "../elements/define/tensor-view.js";
import { filesWithPaths } from "../api/candlescope.js";
import { define } from "../elements/base.js";
import { CELLS } from "./cells.js";
import { NotebookAttention } from "./notebook-attention.js";
import { NotebookCell } from "./notebook-cell.js";
import { type CellState, Notebook } from "./notebook.js";
import { watchThemeButton } from "../page/theme-button.js";

define("notebook-attention", NotebookAttention);
define("notebook-cell", NotebookCell);

const notebook = new Notebook(CELLS);
const query = <Found extends HTMLElement>(selector: string) => {
  const found = document.querySelector<Found>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
};
const page = {
  cells: query("#cells"),
  all: query<HTMLButtonElement>("#run-all"),
  reset: query<HTMLButtonElement>("#reset-all"),
  files: query<HTMLInputElement>("#files"),
  status: query("#notebook-status"),
};

const elements = new Map(
  notebook.cells.map((state, at) => {
    const element = document.createElement("notebook-cell");
    element.id = `cell-${state.cell.id}`; // the names of cells are also those of parts of the lab, which style.css knows
    Object.assign(element, { state, number: at + 1 });
    element.addEventListener("cell-run", ({ detail }) => run(state, detail.next));
    element.addEventListener("cell-edit", ({ detail }) => edit(state, detail));
    element.addEventListener("cell-reset", () => edit(state, state.cell.code));
    element.addEventListener("cell-stop", () => notebook.stop());
    return [state, element] as const;
  }),
);
page.cells.append(...elements.values());

notebook.onChange = (state) => {
  const element = elements.get(state);
  if (element) element.lab = labAddress(state);
  element?.requestUpdate();
  update();
};

function update() {
  const { isRunning, cells } = notebook;
  for (const element of elements.values()) element.busy = isRunning;
  page.all.textContent = isRunning ? "stop" : "run all";
  page.reset.disabled = isRunning || cells.every(({ code, cell }) => code === cell.code);
  const done = cells.filter(({ status }) => status === "done").length;
  page.status.textContent = isRunning
    ? `running cell ${cells.findIndex(({ status }) => status === "running") + 1}`
    : `${done} of ${cells.length} cells have run`;
}

function edit(state: CellState, code: string) {
  notebook.edit(state, code);
  elements.get(state)?.requestUpdate();
  update();
}

async function run(state: CellState, goesOn: boolean) {
  if (goesOn) {
    const next = notebook.cells[notebook.cells.indexOf(state) + 1];
    if (next) elements.get(next)?.edit();
  }
  await notebook.run(state);
}

/** Where the lab shows the same text. */
function labAddress({ cell, status }: CellState): string {
  const text = notebook.variable("text");
  if (cell.lab === undefined || status !== "done" || typeof text !== "string") return "";
  return `./#${new URLSearchParams({ prompt: text, ...cell.lab })}`;
}

/** Runs the notebook on files of the visitor. The first cell says so. */
async function useFiles(files: readonly File[]) {
  if (files.length === 0 || notebook.isRunning) return;
  notebook.define({ files });
  const [load] = notebook.cells;
  edit(load, load.cell.code.replace(/loadModel\(.*\)/, "loadModel(files)"));
  await notebook.runAll();
}

page.all.addEventListener("click", () =>
  notebook.isRunning ? notebook.stop() : notebook.runAll(),
);
page.reset.addEventListener("click", () => {
  for (const state of notebook.cells) edit(state, state.cell.code);
});
page.files.addEventListener("change", () => useFiles([...(page.files.files ?? [])]));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", async (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  await useFiles(await filesWithPaths(event.dataTransfer));
});
watchThemeButton(query("#theme"));

update();
await notebook.runAll();
