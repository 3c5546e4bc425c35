// The notebook without its page: the state of each cell, and running them in an order in which their variables exist. Every cell
// sees what the cells before it declared, as in Jupyter.

import { runCode, unwatched } from "../session/run-code.js";
import type { Cell } from "./cell.js";
import { disposeOfReplaced, isModel, modelsIn } from "./models.js";
import { type Output, outputOf, type ShowOptions, withOutput } from "./outputs.js";
import { type CellProgram, KEEP, readCell } from "./program.js";

/**
 * fresh: it has not run; waiting: it will run; done and failed: its outputs are those of its code; stale: it, or a cell before it
 * whose variables it uses, has changed since
 */
export type Status = "fresh" | "waiting" | "running" | "done" | "failed" | "stale";

export interface CellState {
  readonly cell: Cell;
  code: string;
  status: Status;
  outputs: readonly Output[];
  /** of the last run, in ms */
  took: number | null;
}

/** More is dropped, because each one is an element. */
const MAX_OUTPUTS = 200;

export class Notebook {
  readonly cells: readonly CellState[];
  /** called when a cell has changed */
  onChange: (cell: CellState) => void = () => {};
  #scope: Record<string, unknown> = {};
  /** the program of each cell that has run */
  #ran: Map<CellState, CellProgram> = new Map();
  #abort: AbortController | null = null;

  constructor(cells: readonly Cell[]) {
    this.cells = cells.map((cell) => ({
      cell,
      code: cell.code,
      status: "fresh",
      outputs: [],
      took: null,
    }));
  }

  /** The value of a variable. */
  variable(name: string): unknown {
    return this.#scope[name];
  }

  get isRunning() {
    return this.#abort !== null;
  }

  /** Variables that no cell declares. */
  define(variables: Readonly<Record<string, unknown>>) {
    Object.assign(this.#scope, variables);
  }

  edit(cell: CellState, code: string) {
    if (cell.code === code) return;
    cell.code = code;
    if (this.#ran.has(cell)) this.#update(cell, { status: "stale" });
  }

  stop() {
    this.#abort?.abort();
  }

  /** Runs a cell, after those before it whose variables it uses and which have not run as they are. */
  async run(cell: CellState): Promise<void> {
    await this.#runInOrder([...this.#needed(cell), cell]);
  }

  async runAll(): Promise<void> {
    await this.#runInOrder(this.cells);
  }

  /** It ends at the first cell that fails, because later ones may need its variables. */
  async #runInOrder(cells: readonly CellState[]) {
    if (this.#abort) return;
    const abort = (this.#abort = new AbortController());
    const before = new Map(cells.map((cell) => [cell, cell.status]));
    for (const cell of cells) this.#update(cell, { status: "waiting" });
    try {
      for (const cell of cells) {
        await this.#runOne(cell, abort.signal);
        if (cell.status === "failed") break;
      }
    } finally {
      this.#abort = null;
      for (const cell of cells) {
        if (cell.status === "waiting")
          this.#update(cell, { status: before.get(cell) === "fresh" ? "fresh" : "stale" });
      }
      this.onChange(cells[0]);
    }
  }

  async #runOne(cell: CellState, signal: AbortSignal) {
    const start = performance.now();
    this.#update(cell, { status: "running", outputs: [], took: null });
    const add = (output: Output) => {
      if (cell.outputs.length < MAX_OUTPUTS || output.kind === "error")
        this.#update(cell, { outputs: withOutput(cell.outputs, output) });
    };
    const failure = await this.#execute(cell, signal, add);
    if (failure) add(failure);
    this.#update(cell, {
      status: failure ? "failed" : "done",
      took: performance.now() - start,
    });
    this.#markDependents(cell);
  }

  async #execute(cell: CellState, signal: AbortSignal, add: (output: Output) => void) {
    let program: CellProgram;
    try {
      program = readCell(cell.code, Object.keys(this.#scope));
    } catch (error) {
      const { name, message, loc } = error as Error & { loc?: { line: number } };
      const line = loc?.line ?? null;
      return { kind: "error", name, message: message.replace(/ \(\d+:\d+\)$/, ""), line } as const;
    }
    this.#ran.set(cell, program);
    const scope = this.#scope;
    const missing = this.#missing(cell, program);
    const own = new Set(program.declares);
    const variables = {
      ...Object.fromEntries(Object.entries(scope).filter(([name]) => !own.has(name))),
      show: (value: unknown, options?: ShowOptions) => {
        signal.throwIfAborted();
        add(outputOf(value, options));
      },
      write: (text: unknown) => {
        signal.throwIfAborted();
        add({ kind: "written", text: String(text) });
      },
      [KEEP]: (values: Record<string, unknown>) => {
        for (const [name, value] of Object.entries(values)) scope[name] = unwatched(value);
      },
    };
    const models = modelsIn(scope);
    const failure = await runCode(program.body, variables, {
      signal,
      onPrint: (_, value) => add(outputOf(value)),
      watches: isModel,
    });
    disposeOfReplaced(models, scope);
    if (failure?.kind === "error" && failure.name === "ReferenceError" && missing)
      return { ...failure, message: `${failure.message}: ${missing}` };
    return failure;
  }

  /** The cells before this one whose variables it uses, and what those use, if they have to run first. */
  #needed(cell: CellState): CellState[] {
    const programs = this.cells.map(programOf);
    /** By cell: whether it has to run. A cell that has run must run again after a cell whose variables it uses. */
    const due: Map<number, boolean> = new Map();
    const visit = (index: number): boolean => {
      const known = due.get(index);
      if (known !== undefined) return known;
      const uses = [...(programs[index]?.mentions ?? [])].map((name) =>
        programs
          .slice(0, index)
          .map((other) => other?.declares.includes(name))
          .lastIndexOf(true),
      );
      const areDue = uses.filter((at) => at >= 0).map(visit);
      const isDue = this.cells[index].status !== "done" || areDue.includes(true);
      due.set(index, isDue);
      return isDue;
    };
    visit(this.cells.indexOf(cell));
    return this.cells.filter((one, at) => one !== cell && due.get(at));
  }

  /** Which later cell declares a name that is missing. */
  #missing(cell: CellState, { mentions }: CellProgram): string | null {
    const later = this.cells.slice(this.cells.indexOf(cell) + 1);
    const found = later.find((other) =>
      programOf(other)?.declares.some((name) => mentions.has(name)),
    );
    return found ? `the later cell “${found.cell.title}” declares it` : null;
  }

  /** The results of later cells were computed with the variables of an earlier run. */
  #markDependents(cell: CellState) {
    const changed = new Set(this.#ran.get(cell)?.declares ?? []);
    for (const other of this.cells.slice(this.cells.indexOf(cell) + 1)) {
      const program = this.#ran.get(other);
      if (!program || ![...changed].some((name) => program.mentions.has(name))) continue;
      for (const name of program.declares) changed.add(name);
      if (other.status === "done") this.#update(other, { status: "stale" });
    }
  }

  #update(cell: CellState, changes: Partial<CellState>) {
    Object.assign(cell, changes);
    this.onChange(cell);
  }
}

/** Null if the code has an error. */
function programOf({ code }: CellState): CellProgram | null {
  try {
    return readCell(code);
  } catch {
    return null;
  }
}
