// The code panel of the page: runs what the visitor writes on the model in use. Loaded when the panel is opened. Code comes from
// the visitor, or from what the page shows; never from an address.

import "../elements/define/code-panel.js";
import type { CodePanel, CodePanelEvents } from "../elements/code-panel.js";
import type { Printed } from "../session/printed.js";
import { inOneLine } from "../session/literal.js";
import { runCode } from "../session/run-code.js";
import { viewCode } from "./shown.js";
import { query, session, store } from "./state.js";

const panel = query<CodePanel>("code-panel");
/** The run that goes on. */
let running: AbortController | null = null;
/** More is dropped, because each one is an element. */
const MAX_PRINTED = 500;

/** Connects the panel. */
export function openCode() {
  on("code-enable", async () => {
    panel.enabled = true;
    if (panel.code === "") panel.code = await currentCode();
  });
  on("code-current", async () => panel.replace(await currentCode()));
  on("code-run", run);
  on("code-stop", () => running?.abort());
}

function on<Name extends keyof CodePanelEvents>(
  name: Name,
  act: (detail: CodePanelEvents[Name]) => unknown,
) {
  panel.addEventListener(name, (event) => act((event as CustomEvent).detail));
}

/** The calls whose results the page shows. */
async function currentCode(): Promise<string> {
  const { model } = session;
  if (!model) return "// No model is loaded yet.\n";
  try {
    return await viewCode(model, "panel");
  } catch (error) {
    return `// What the page shows cannot be written as code: ${inOneLine((error as Error).message)}\n`;
  }
}

/** Runs code; what it prints appears at once. */
async function run(code: string) {
  if (running) return;
  const { signal } = (running = new AbortController());
  Object.assign(panel, { running: true, results: [] });
  let results: readonly Printed[] = [];
  const show = (one: Printed) => {
    if (results.length > MAX_PRINTED) return;
    const isLast = results.length === MAX_PRINTED && one.kind !== "error";
    results = [
      ...results,
      isLast
        ? {
            kind: "text",
            text: `More than ${MAX_PRINTED} values were printed: the rest is not shown.`,
          }
        : one,
    ];
    panel.results = results;
  };
  try {
    const { model, reading } = session;
    const variables = { model, reading, state: store.state };
    const failure = await runCode(code, variables, { signal, onPrint: show });
    if (failure) panel.results = [...results, failure];
  } finally {
    running = null;
    panel.running = false;
  }
}
