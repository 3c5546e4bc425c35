// The script of an HTML file that has a model in it. Nothing is requested: the worker, the wasm modules and the model are in the
// file, because a page from a disk can read no others.

import { loadModel } from "../../api/candlescope.js";
import { platform, usePlatform } from "../../api/platform.js";
import { CandleScope } from "../../elements/candle-scope.js";
import "../../elements/define/candle-scope.js";
import type { Load } from "../../elements/scope/model.js";
import { contentsIn, MODEL, OPTIONS, readContents } from "./contents.js";

/** What the worker finds in place of pkg/ (scripts/bundle.mjs). */
const WASM = ["primary", "secondary"] as const;

/**
 * The address of the worker's script: a classic one, because browsers start no module from such an address on a disk. It has the wasm
 * modules in it, because a worker of a page from a disk cannot read an address that the page made.
 */
async function workerAddress() {
  const lines = await Promise.all(
    WASM.map(async (name) => {
      const address = await dataAddress(await readContents(`${name}.wasm`, "application/wasm"));
      return `${name}: new URL(${JSON.stringify(address)}),\n`;
    }),
  );
  const script = await readContents("worker.js");
  const wasm = ["self.candlescopeWasm = {\n", ...lines, "};\n"];
  return URL.createObjectURL(new Blob([...wasm, script], { type: "text/javascript" }));
}

function dataAddress(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

async function modelFiles() {
  const read = async (name: string) =>
    new File([await readContents(name)], name.slice(MODEL.length));
  return Promise.all(
    contentsIn(MODEL)
      .filter((name) => name !== MODEL + OPTIONS)
      .map(read),
  );
}

async function answered(): Promise<{ config?: object }> {
  if (!contentsIn(MODEL).includes(MODEL + OPTIONS)) return {};
  return JSON.parse(await (await readContents(MODEL + OPTIONS)).text());
}

let address: Promise<string> | undefined;

CandleScope.load = async (_source, options) => {
  const [worker, files, answer] = await Promise.all([
    (address ??= workerAddress()),
    modelFiles(),
    answered(),
  ]);
  usePlatform({
    ...platform,
    startWorker: () => ({
      thread: new Worker(worker, { name: "candlescope" }),
      address: worker,
    }),
  });
  return (loadModel as unknown as (files: File[], options: unknown) => ReturnType<Load>)(files, {
    ...options,
    ...answer,
  });
};
