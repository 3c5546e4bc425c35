// One HTML file with everything in it: a snapshot with the script that draws it, or also the model and what computes it. The scripts are
// those that scripts/bundle.mjs leaves in standalone/.

import { createError } from "../../api/errors.js";
import type { Snapshot } from "../../api/snapshot/format.js";
import { escapeMarkup } from "../../draw/markup.js";
import { FILE, MODEL } from "../standalone/contents.js";
import { dataScript } from "./data-script.js";
import { modelContents, type ModelInUse } from "./model-contents.js";
import { request } from "./requests.js";

/** The views whose code is in the small script (scripts/entries.mjs). */
const FEW = ["attention", "lines", "log-probability", "heads", "lens", ""];

/** @throws NetworkError */
export async function figurePage(snapshot: Snapshot): Promise<Blob> {
  return figureWith(snapshot, (await figureScript(snapshot)).markup);
}

/** How many bytes `figurePage` has. @throws NetworkError */
export async function figurePageBytes(snapshot: Snapshot): Promise<number> {
  const script = await figureScript(snapshot);
  return figureWith(snapshot, "").size + script.bytes;
}

function figureWith(snapshot: Snapshot, script: string) {
  return page(snapshot, [
    `<candle-snapshot live="none" loading="eager">${dataScript(snapshot)}${fallback(snapshot)}</candle-snapshot>\n`,
    script,
  ]);
}

/** The script that draws what a snapshot shows. */
function figureScript({ state, results }: Snapshot) {
  const { view = "", beside = "" } = state;
  const isFew = [view, beside, ...Object.keys(results)].every((one) => FEW.includes(one));
  return scriptOf(`standalone/${isFew ? "figure" : "figure-all"}.js`);
}

/** @throws NetworkError; InputError if the model is too large */
export async function livePage(snapshot: Snapshot, model: ModelInUse): Promise<Blob> {
  const controller = new AbortController();
  const { signal } = controller;
  try {
    const [contents, worker, primary, secondary, script] = await Promise.all([
      modelContents(model, signal),
      bytesOf("standalone/worker.js", signal),
      bytesOf("pkg/candlescope_primary.wasm", signal),
      bytesOf("pkg/candlescope_secondary.wasm", signal),
      scriptOf("standalone/live.js"),
    ]);
    const name = escapeMarkup(snapshot.model.name);
    return page(snapshot, [
      `<candle-scope live="auto" loading="eager" model="${name}">${dataScript(snapshot)}${fallback(snapshot)}</candle-scope>\n`,
      await fileScript("worker.js", worker),
      await fileScript("primary.wasm", primary),
      await fileScript("secondary.wasm", secondary),
      ...(await Promise.all(contents.map(({ name, blob }) => fileScript(MODEL + name, blob)))),
      script.markup,
    ]);
  } catch (error) {
    controller.abort(); // the other downloads
    throw error;
  }
}

// ---- the page ----

const STYLE = "body{margin:0 auto;max-width:75rem;padding:0.5rem 1rem}";

function page({ caption, model }: Snapshot, body: readonly string[]) {
  const title = escapeMarkup(caption || model.name);
  const head = [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${title}</title>`,
    `<style>${STYLE}</style>`,
  ];
  const parts = ['<!doctype html>\n<html lang="en">\n', head.join("\n"), "\n<body>\n", ...body];
  return new Blob([...parts, "</body>\n</html>\n"], { type: "text/html" });
}

/** What is seen without JavaScript. */
function fallback({ reading: { text } }: Snapshot) {
  return `<p>${escapeMarkup(text)}</p><p>This figure needs JavaScript.</p>`;
}

/** In strings, templates and regular expressions, where a minified script has these characters, the escape is the same. */
function inlineScript(script: string) {
  return `<script>${script.replace(/<(?=\/script|!--)/gi, "\\x3c")}</script>\n`;
}

async function fileScript(name: string, bytes: Blob) {
  const compressed = bytes.stream().pipeThrough(new CompressionStream("gzip"));
  const text = await base64(await new Response(compressed).blob());
  return `<script type="application/octet-stream" ${FILE}="${escapeMarkup(name)}">${text}</script>\n`;
}

function base64(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

// ---- what is in it ----

/** A script of this page's folder as the markup has it, with its size there. */
interface InlineScript {
  markup: string;
  bytes: number;
}

const scripts: Map<string, Promise<InlineScript>> = new Map();

/** Each script is requested once. @throws NetworkError */
function scriptOf(path: string): Promise<InlineScript> {
  const known = scripts.get(path);
  if (known) return known;
  const found = bytesOf(path)
    .then((blob) => blob.text())
    .then((text) => {
      const markup = inlineScript(text);
      return { markup, bytes: new Blob([markup]).size };
    });
  scripts.set(path, found);
  found.catch(() => scripts.delete(path)); // the next export tries again
  return found;
}

/** A file of this page. @throws NetworkError */
async function bytesOf(path: string, signal?: AbortSignal): Promise<Blob> {
  const found = await request(new URL(path, document.baseURI).href, signal);
  if (found) return found.blob();
  throw createError("NetworkError", `${path} is missing beside this page: build it again`);
}
