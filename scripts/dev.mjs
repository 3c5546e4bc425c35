#!/usr/bin/env node
// The development server: `node scripts/dev.mjs`. It builds, serves dist/, watches src/ and www/, rebuilds what a change affects,
// and reloads the page. Rust is built incrementally, without link-time optimisation, splitting or profiling: the page loads
// one wasm module and computes in one thread. `make serve` serves the complete build.

import { spawn } from "node:child_process";
import { appendFileSync, watch } from "node:fs";
import { fileURLToPath } from "node:url";
import { serve } from "./serve.mjs";

const RELOAD = "/reload";
const SCRIPT = `<script>new EventSource("${RELOAD}").onmessage = () => location.reload();</script>\n`;
/** Editors write a file in several steps; one build serves all of them. */
const DEBOUNCE_MS = 60;

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
/** @type {Set<import("node:http").ServerResponse>} */
const pages = new Set();
const changed = new Set(["rust"]);
let isBuilding = false;

await build();
for (const [folder, kind] of /** @type {const} */ ([
  ["src", "rust"],
  ["www", "javascript"],
])) {
  let timer = setTimeout(() => {}, 0);
  watch(folder, { recursive: true }, () => {
    changed.add(kind);
    clearTimeout(timer);
    timer = setTimeout(build, DEBOUNCE_MS);
  });
}
const { url } = await serve({
  root: "dist",
  port: Number(process.env.PORT ?? 8080),
  handle: subscribe,
});
console.log(`Candlescope is at ${url}; it reloads when www/ or src/ changes (Ctrl+C stops it)`);

/** Builds what has changed. A change during a build starts another build. */
async function build() {
  if (isBuilding) return;
  isBuilding = true;
  while (changed.size > 0) {
    const kinds = [...changed];
    changed.clear();
    const start = performance.now();
    const isBuilt =
      (!kinds.includes("rust") || (await run("scripts/wasm.sh", "dev"))) &&
      (await run("node", "scripts/bundle.mjs"));
    console.log(
      `${kinds.join(" and ")}: ${isBuilt ? "built" : "failed"} in ${((performance.now() - start) / 1000).toFixed(1)} s`,
    );
    if (!isBuilt) continue;
    appendFileSync("dist/index.html", SCRIPT);
    for (const page of pages) page.write("data: reload\n\n");
  }
  isBuilding = false;
}

/** @param {string} command @param {string[]} args @returns {Promise<boolean>} whether it succeeded */
function run(command, ...args) {
  return new Promise((done) =>
    spawn(command, args, { stdio: "inherit" })
      .on("exit", (code) => done(code === 0))
      .on("error", () => done(false)),
  );
}

/** Keeps a page's event stream open. @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response @returns {boolean} whether the request was one */
function subscribe(request, response) {
  if (request.url !== RELOAD) return false;
  response
    .writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" })
    .write("\n");
  pages.add(response);
  response.on("close", () => pages.delete(response));
  return true;
}
