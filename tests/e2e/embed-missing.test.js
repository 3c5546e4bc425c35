// What a figure says when it cannot do something: code that does not arrive, a snapshot that lacks what the model needs.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { eventually, settled, visit } from "./browser.js";
import { useHost } from "./host.js";
import { randomModel } from "./small-models.js";
import { readSnapshot } from "../../www/session/snapshot/read.ts";
import { whyNotLive } from "../../www/elements/snapshot/live.ts";
import { address } from "./lab-helpers.js";
import { frozen, takeSnapshots } from "./snapshots.js";

/** @typedef {import("playwright-core").Page} Page */

const TEXT = "the moon, the moon";

const { site, host, open } = useHost();

test("code that cannot be loaded is said in the figure, and can be asked for again", async () => {
  const { "tokenizer.json": _, ...files } = randomModel({
    n_layer: 1,
    n_head: 2,
    n_embd: 8,
    n_positions: 16,
  });
  for (const [name, bytes] of Object.entries(files))
    host.pages[`/ids/${name}`] = /** @type {any} */ (bytes);
  const body = '<candle-scope model="/ids" ids="[1,2,3,1,2]"></candle-scope>';
  await open(
    body,
    async (page) => {
      await page
        .getByText(/part of the figure that adds a tokenizer could not be loaded/)
        .waitFor();
      assert.equal(await page.getByRole("button", { name: "try again" }).count(), 1);
    },
    {
      expect: /ERR_FAILED|404/,
      before: (page) => page.route("**/elements/add-tokenizer.js", (route) => route.abort()),
    },
  );
});

test("a snapshot that is removed ends its request, and one that comes back is drawn", async () => {
  const [snapshot] = await takeSnapshots(site, [{ text: TEXT }]);
  host.pages["/figure.json"] = JSON.stringify(snapshot);
  /** @type {(() => void)[]} */
  const held = [];
  let isHeld = true;
  await open(
    '<candle-snapshot src="/figure.json" loading="eager"></candle-snapshot>',
    async (page) => {
      await eventually(async () => assert.equal(held.length, 1));
      const failed = page.waitForEvent("requestfailed", (request) =>
        /figure\.json/.test(request.url()),
      );
      await page.evaluate(() => {
        const one = /** @type {Element} */ (document.querySelector("candle-snapshot"));
        Object.assign(globalThis, { one });
        one.remove();
      });
      await failed;
      isHeld = false;
      await page.evaluate(() => document.body.append(/** @type {any} */ (globalThis).one));
      await frozen(page);
    },
    {
      script: "/cs/snapshot.js",
      before: (page) =>
        page.route("**/figure.json", async (route) => {
          if (!isHeld) return route.fallback();
          await new Promise((done) => held.push(() => done(undefined)));
        }),
    },
  );
});

test("run live is refused with the reason if the file lacks the second prompt", async () => {
  const [snapshot] = await takeSnapshots(site, [{ text: TEXT }]);
  const one = { at: "blocks.1.hook_mlp_out", do: { from: "corrupted" } };
  Object.assign(snapshot.state, { interventions: [one] });
  host.pages["/patched.json"] = JSON.stringify(snapshot);
  await open('<candle-scope src="/patched.json" loading="eager"></candle-scope>', async (page) => {
    await frozen(page);
    await page
      .getByText(/takes values from a second prompt, which the file does not have/)
      .waitFor();
    assert.ok(await page.getByRole("button", { name: "run live" }).isDisabled());
  });
});

test("a snapshot has the second prompt if an intervention takes values from it", async () => {
  const one = { at: "blocks.1.hook_mlp_out", do: { from: "corrupted" } };
  const state = { prompt: TEXT, corrupted: "the night, the moon", interventions: [one] };
  await visit(site, { path: address(state) }, async (page) => {
    await settled(page);
    await page.locator("#share").click();
    const button = page.locator('export-menu button[name="snapshot"]');
    const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
    const text = await readFile(await download.path(), "utf8");
    const { corrupted } = JSON.parse(text);
    assert.equal(corrupted.text, state.corrupted);
    assert.deepEqual(new Set(corrupted.patterns), new Set([null]));
    assert.equal(whyNotLive(readSnapshot(text)), "");
  });
});
