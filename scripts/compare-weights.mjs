#!/usr/bin/env node
// Compares the bundled model's two files, f16 and q8, on texts: `node --import tsx scripts/compare-weights.mjs TEXT.txt …`. It runs
// the built page's API in headless Chromium and prints how far logits and attention are apart.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { openApi, start } from "../tests/e2e/browser.js";

export const F16 = "models/shakespeare";
export const Q8 = "models/shakespeare/shakespeare-q8.gguf";

/**
 * @typedef {object} Difference
 * @property {number} tokens
 * @property {number} kl nats: the mean over positions of the divergence of the second model's prediction from the first's
 * @property {number} maxKl the largest of one position
 * @property {number} sameFirst the share of positions with the same most likely token
 * @property {number} lead nats: where the most likely tokens differ, the largest lead of the first model's over the second's
 * @property {number} loss nats a token: the second model's minus the first's
 * @property {number} attention the largest difference of a number of any pattern
 */

/**
 * @param {import("playwright-core").Page} page of openApi @param {string} text
 * @param {{ first?: string, second?: string }} [models]
 * @returns {Promise<Difference>}
 */
export function compareOn(page, text, { first = F16, second = Q8 } = {}) {
  return page.evaluate(
    async ([text, ...sources]) => {
      const { loadModel } = /** @type {any} */ (globalThis).api;
      const models = [await loadModel(sources[0]), await loadModel(sources[1])];
      const { ids } = await models[0].tokenize(text);
      const context = models[0].config.n_positions;
      const vocabulary = models[0].config.vocab_size;
      const names = ["blocks.*.attn.hook_pattern"];
      const sum = { kl: 0, same: 0, loss: 0, targets: 0 };
      const max = { kl: 0, lead: 0, attention: 0 };
      /** Log-probabilities of one position. @param {Float32Array} logits @param {number} at */
      const logProbs = (logits, at) => {
        const row = logits.subarray(at * vocabulary, (at + 1) * vocabulary);
        const largest = row.reduce((a, b) => Math.max(a, b));
        const total = Math.log(row.reduce((all, one) => all + Math.exp(one - largest), 0));
        return Float64Array.from(row, (one) => one - largest - total);
      };
      /** @param {Float64Array} row */
      const first = (row) => row.reduce((best, one, at) => (one > row[best] ? at : best), 0);
      for (let start = 0; start < ids.length; start += context) {
        const row = ids.slice(start, start + context);
        const [a, b] = [
          await models[0].runWithCache(row, { names }),
          await models[1].runWithCache(row, { names }),
        ];
        for (let at = 0; at < row.length; at++) {
          const [p, q] = [logProbs(a.logits.data, at), logProbs(b.logits.data, at)];
          const kl = p.reduce((all, one, id) => all + Math.exp(one) * (one - q[id]), 0);
          sum.kl += kl;
          max.kl = Math.max(max.kl, kl);
          const [chosen, other] = [first(p), first(q)];
          sum.same += chosen === other ? 1 : 0;
          max.lead = Math.max(max.lead, p[chosen] - p[other]);
          if (at + 1 === row.length) continue;
          sum.loss += p[row[at + 1]] - q[row[at + 1]];
          sum.targets += 1;
        }
        for (const name of a.cache.names()) {
          const [one, other] = [a.cache.get(name).data, b.cache.get(name).data];
          for (let i = 0; i < one.length; i++)
            if (Number.isFinite(one[i]))
              max.attention = Math.max(max.attention, Math.abs(one[i] - other[i]));
        }
      }
      for (const model of models) model.dispose();
      return {
        tokens: ids.length,
        kl: sum.kl / ids.length,
        maxKl: max.kl,
        sameFirst: sum.same / ids.length,
        lead: max.lead,
        loss: sum.loss / sum.targets,
        attention: max.attention,
      };
    },
    /** @type {const} */ ([text, first, second]),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const paths = process.argv.slice(2);
  if (paths.length === 0) throw new Error("expected files of text");
  const site = await start();
  try {
    const page = await openApi(site);
    for (const path of paths) {
      const found = await compareOn(page, await readFile(path, "utf8"));
      console.log(
        `${path}: ${found.tokens} tokens; KL ${found.kl.toExponential(1)} nats, at most ${found.maxKl.toExponential(1)}; ` +
          `same first token ${(100 * found.sameFirst).toFixed(2)} %, else it led by at most ${found.lead.toExponential(1)} nats; loss ${found.loss.toExponential(1)} nats; ` +
          `attention at most ${found.attention.toExponential(1)}`,
      );
    }
  } finally {
    await site.stop();
  }
}
