// The code panel of the page: runs what the visitor writes on the model in use. Loaded when the panel is opened. Code comes from
// the visitor, or from what the page shows; never from an address.

import "../elements/define/code-panel.js";
import type { CodePanel, CodePanelEvents } from "../elements/code-panel.js";
import { entryOf } from "../elements/views/index.js";
import { settingsOf } from "../elements/views/view.js";
import { codeOf } from "../session/code.js";
import { resolveEach } from "../session/interventions.js";
import type { Printed } from "../session/printed.js";
import { runCode } from "../session/run-code.js";
import { currentIds } from "./input.js";
import { page, query, session, state, store } from "./state.js";

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
  const { figure } = page;
  const entry = entryOf(store.state.view);
  const { layer, head, hook } = figure;
  const settings = settingsOf(entry, store.state.views[store.state.view]);
  try {
    const at = model.config.attn_only ? "blocks.0.attn.hook_z" : "blocks.0.mlp.hook_post";
    const shown = { methods: entry.methods, settings, layer, head, hook, at, input: inputOf() };
    const resolved = await steering();
    return codeOf(store.state, { ...shown, resolved }, { kind: "panel" });
  } catch (error) {
    return `// What the page shows cannot be written as code: ${(error as Error).message.replaceAll("\n", " ")}\n`;
  }
}

/** The text, or the ids that the model has read of it. */
function inputOf() {
  const { reading } = session;
  const text = page.prompt.value;
  const isCurrent = reading !== null && reading.text === text;
  if (isCurrent && (reading.dropped > 0 || reading.isIds)) return reading.ids;
  return state.isIds ? (currentIds() ?? []) : text;
}

/** The numbers of steering vectors, if there are any. */
async function steering() {
  const { model } = session;
  const { interventions, corrupted } = store.state;
  const isSteering = interventions.some(
    ({ do: recipe, disabled }) => !disabled && typeof recipe === "object" && "add" in recipe,
  );
  if (!model || !isSteering) return undefined;
  const ids = inputOf();
  const input = typeof ids === "string" ? ids : Uint32Array.from(ids);
  return resolveEach(model, interventions, { input, corrupted });
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
