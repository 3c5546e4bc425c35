// One HTML file with everything in it: a snapshot with the script that draws it, or also the model and what computes it. The scripts are
// those that scripts/bundle.mjs leaves in standalone/.

import { createError, messageOf } from "../../api/errors.js";
import { listFiles, type ModelFile } from "../../api/model-files.js";
import { resolveSource } from "../../api/source.js";
import type { Snapshot } from "../../api/snapshot/format.js";
import { formatBytes } from "../../draw/format.js";
import { escapeMarkup } from "../../draw/markup.js";
import { dataScript } from "./data-script.js";

/** The views whose code is in the small script (scripts/entries.mjs). */
const FEW = ["attention", "lines", "log-probability", "heads", "lens", ""];

/** A larger file is slow to open, because a browser reads it as a page. */
const MAX_MODEL_BYTES = 100e6;

/** @throws NetworkError */
export async function figurePage(snapshot: Snapshot): Promise<Blob> {
  const { view = "", beside = "" } = snapshot.state;
  const isFew = [view, beside, ...Object.keys(snapshot.results)].every((one) => FEW.includes(one));
  const script = await textOf(`standalone/${isFew ? "figure" : "figure-all"}.js`);
  return page(snapshot, [
    `<candle-snapshot live="none" loading="eager">${dataScript(snapshot)}${fallback(snapshot)}</candle-snapshot>\n`,
    inlineScript(script),
  ]);
}

/** @throws NetworkError; InputError if the model is too large or lies in several files of weights */
export async function livePage(snapshot: Snapshot): Promise<Blob> {
  const script = textOf("standalone/live.js");
  const contents = [
    fileScript("worker.js", bytesOf("standalone/worker.js")),
    ...["primary", "secondary"].map((name) =>
      fileScript(`${name}.wasm`, bytesOf(`pkg/candlescope_${name}.wasm`)),
    ),
    ...(await modelFiles(snapshot.model.source ?? "")).map(({ name, bytes }) =>
      fileScript(`model/${name}`, bytes),
    ),
  ];
  const name = escapeMarkup(snapshot.model.name);
  return page(snapshot, [
    `<candle-scope live="auto" loading="eager" model="${name}">${dataScript(snapshot)}${fallback(snapshot)}</candle-scope>\n`,
    ...(await Promise.all(contents)),
    inlineScript(await script),
  ]);
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

async function fileScript(name: string, bytes: Promise<Blob>) {
  const compressed = (await bytes).stream().pipeThrough(new CompressionStream("gzip"));
  const text = await base64(await new Response(compressed).blob());
  return `<script type="application/octet-stream" data-file="${escapeMarkup(name)}">${text}</script>\n`;
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

async function textOf(path: string) {
  return (await bytesOf(path)).text();
}

/** A file of this page. @throws NetworkError */
async function bytesOf(path: string): Promise<Blob> {
  const found = await request(new URL(path, document.baseURI).href);
  if (found) return found.blob();
  throw createError("NetworkError", `${path} is missing beside this page: build it again`);
}

/** @returns null if the server does not have the file @throws NetworkError */
async function request(address: string): Promise<Response | null> {
  try {
    const response = await fetch(address);
    return response.ok ? response : null;
  } catch (error) {
    throw createError(
      "NetworkError",
      `${address} cannot be put into the file (${messageOf(error)}): check the connection, then export again`,
    );
  }
}

/** The files of a model, under the names that `loadModel` knows them by. @throws NetworkError, InputError */
async function modelFiles(source: string) {
  const files = resolveSource(source, document.baseURI);
  const { config, tokenizer, weights } = files;
  const sets = [
    ...config.slice(0, 1).map((file) => [file]),
    ...tokenizer,
    ...weights.map((one) => ("index" in one ? [one.index] : one.files)),
  ];
  const isPart = (file: ModelFile) =>
    listFiles({ ...files, config: [], tokenizer: [] }).includes(file);
  const found: { name: string; bytes: Promise<Blob> }[] = [];
  let hasTokenizer = false;
  for (const set of sets) {
    const isTokenizer = tokenizer.includes(set);
    if (isTokenizer && hasTokenizer) continue;
    const [first, ...others] = set;
    const response = await request(first.address ?? "");
    if (!response) continue;
    if (isTokenizer) hasTokenizer = true;
    found.push(contentOf(first, response));
    for (const other of others) {
      const next = await request(other.address ?? "");
      if (next) found.push(contentOf(other, next));
    }
    if (isPart(first)) {
      if (/\.index\.json$/.test(first.address ?? ""))
        throw createError(
          "InputError",
          "the model's weights are in several files, and an HTML file can have a model in one file: export the HTML file without the model",
        );
      return found;
    }
  }
  throw createError(
    "NetworkError",
    `the weights of ${source} cannot be found again: load the model again`,
  );
}

function contentOf({ address = "" }: ModelFile, response: Response) {
  const bytes = Number(response.headers.get("content-length") ?? 0);
  if (bytes > MAX_MODEL_BYTES) {
    response.body?.cancel();
    throw createError(
      "InputError",
      `the model has ${formatBytes(bytes)}, and an HTML file can have one of at most ${formatBytes(MAX_MODEL_BYTES)}: export the HTML file without the model`,
    );
  }
  const name = decodeURIComponent(new URL(address).pathname.split("/").at(-1) ?? "");
  return { name, bytes: response.blob() };
}
