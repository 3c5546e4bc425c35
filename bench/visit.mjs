#!/usr/bin/env node
// What a visitor notices of the page, beyond the speed of the model: layout shifts, answers to keys, the first pattern against
// another build, and sweeps of patches on a model of 124 million weights.
//
//     node bench/visit.mjs [--base FOLDER] [ROUNDS [PART...]]    PART: shift, typing, pattern or sweep; default: all
//
// Prints a table. Needs a quiet machine: on a busy one the numbers are meaningless. FOLDER: an earlier build, a copy of dist/.

import { createReadStream, statSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

import { serve } from "../scripts/serve.mjs";
import { firstPattern } from "./browser/first-pattern.mjs";
import { makeModel } from "./browser/lab-model.mjs";
import { median } from "./browser/statistics.mjs";
import { layoutShift, sweep, typing } from "./browser/visit.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const given = process.argv.slice(2);
const base = given[0] === "--base" ? given.splice(0, 2)[1] : undefined;
const [rounds = "5", ...asked] = given;
const count = Number(rounds);
const isAsked = (part) => asked.length === 0 || asked.includes(part);
const MODEL = "bench/build/lab";
const SIZES = [
  { width: 1440, height: 900 },
  { width: 1024, height: 768 },
  { width: 390, height: 844 },
];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
/** Serves a build, with the large model as models/lab. */
const serveBuild = (root) =>
  serve({
    root,
    handle: (request, response) => {
      const name = /^\/models\/lab\/(\w+\.\w+)$/.exec(request.url ?? "")?.[1];
      if (!name) return false;
      sendFile(join(MODEL, name), response);
      return true;
    },
  });
const site = await serveBuild("dist");
/** @type {[name: string, value: string, limit: string][]} */
const rows = [];
const ms = (value) => `${value.toFixed(0)} ms`;
try {
  if (isAsked("shift")) {
    for (const size of SIZES) {
      const found = [];
      for (let round = 0; round < count; round++)
        found.push(await layoutShift(browser, site.url, size));
      const worst = found.sort((a, b) => b.score - a.score)[0];
      rows.push([
        `layout shift of a load at ${size.width} × ${size.height}, the worst of ${count}`,
        `${worst.score.toFixed(4)} (moved: ${worst.moved})`,
        "below 0.1",
      ]);
    }
  }
  if (isAsked("typing")) {
    const found = [];
    for (let round = 0; round < count; round++) found.push(await typing(browser, site.url));
    const name = `from a key to the next paint while ${found[0].tokens} tokens are typed`;
    rows.push([
      `${name}, 98th percentile`,
      ms(median(found.map((one) => one.p98))),
      "below 200 ms",
    ]);
    rows.push([`${name}, longest`, ms(median(found.map((one) => one.longest))), ""]);
    rows.push([`${name}, median`, ms(median(found.map((one) => one.median))), ""]);
  }
  if (isAsked("pattern")) {
    const former = base ? await serveBuild(base) : null;
    const times = { before: [], now: [] };
    for (let round = -1; round < count; round++) {
      for (const [side, server] of Object.entries({ before: former, now: site })) {
        if (!server) continue;
        const context = await browser.newContext({ viewport: SIZES[0] });
        const { ms } = await firstPattern(context, server.url);
        await context.close();
        if (round >= 0) times[side].push(ms);
      }
    }
    await former?.close();
    const limit = former ? `before: ${ms(median(times.before))}` : "";
    rows.push(["from navigation to the first pattern, new profile", ms(median(times.now)), limit]);
  }
  if (isAsked("sweep")) {
    makeModel(MODEL);
    const found = await sweep(browser, site.url, "models/lab", count);
    const line = ({ median, longest }) => `${ms(median)} (longest ${ms(longest)})`;
    rows.push(["patches on 124M weights: until the first progress", line(found.first), "200 ms"]);
    rows.push([
      "patches on 124M weights: from abort to the rejection",
      line(found.stopped),
      "200 ms",
    ]);
    rows.push(["patches on 124M weights: from abort to the next answer", line(found.free), ""]);
  }
} finally {
  await browser.close();
  await site.close();
}
console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores, Chromium ${browser.version()}, ${new Date().toISOString().slice(0, 10)}\n`,
);
console.log("| measurement | value | target |\n| --- | --- | --- |");
for (const row of rows) console.log(`| ${row.join(" | ")} |`);

/** @param {string} path @param {import("node:http").ServerResponse} response */
function sendFile(path, response) {
  response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
  try {
    response.writeHead(200, { "Content-Length": statSync(path).size });
    createReadStream(path).pipe(response);
  } catch {
    response.writeHead(404).end();
  }
}
