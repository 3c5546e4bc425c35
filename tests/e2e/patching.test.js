// The views of patches and paths: what is drawn is what the API returns, cell by cell; an applied patch gives the number of its cell;
// by mouse and by keyboard.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { serve } from "../../scripts/serve.mjs";
import { DIST, eventually, start, visit } from "./browser.js";
import { assertDrawn, cellPoint, heatTable } from "./heat-tables.js";
import { address, askModel, byKeyboard, focused, pressTo, ready, shown } from "./lab-helpers.js";
import { models } from "./small-models.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site?.stop());

const PROMPTS = {
  prompt: "ROMEO:\nO fair Juliet!\n\nBENVOLIO:\nO fair",
  corrupted: "ROMEO:\nO fair Helena!\n\nBENVOLIO:\nO fair",
};
const TASK = { ...PROMPTS, answer: " Jul", against: " Helen" };
const CONTRAST = {
  clean: TASK.prompt,
  corrupted: TASK.corrupted,
  answer: " Jul",
  against: " Helen",
};

/** @param {Record<string, unknown>} state @param {(page: Page) => Promise<void>} act */
const open = (state, act) =>
  visit(site, { path: address(state) }, async (page) => {
    await ready(page);
    await act(page);
  });

const state = (/** @type {Page} */ page) =>
  page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.slice(1))));

const exactly = (/** @type {string | null} */ text) => Number((text ?? "").replaceAll("−", "-"));

for (const [
  settings,
  options,
] of /** @type {[Record<string, unknown>, Record<string, unknown>][]} */ ([
  [{}, { at: "resid_pre" }],
  [
    { at: "z", direction: "noise", normalized: false },
    { at: "z", direction: "noise" },
  ],
  [
    { at: "pattern", eachPosition: true },
    { at: "pattern", eachPosition: true },
  ],
  [
    { at: "post", layer: 2, method: "attribution", normalized: false, eachPosition: true },
    { at: "post", layer: 2, method: "attribution", eachPosition: true },
  ],
  [
    { at: "mlp_out", loss: true },
    { at: "mlp_out", loss: true },
  ],
])) {
  test(`a map of ${JSON.stringify(settings)} is what model.patching returns`, async () => {
    const address = Object.entries(settings).map(([name, value]) => [`patching.${name}`, value]);
    await open({ ...TASK, view: "patching", ...Object.fromEntries(address) }, async (page) => {
      const { loss } = /** @type {any} */ (options);
      const given = {
        ...{ clean: CONTRAST.clean, corrupted: CONTRAST.corrupted },
        ...(!loss && { answer: " Jul", against: " Helen" }),
        ...options,
      };
      const { raw, normalized, clean, corrupted } = await askModel(
        page,
        given,
        `const { raw, normalized, ...runs } = await model.patching(given);
         return { raw: [...raw.data], normalized: [...normalized.data], ...runs };`,
      );
      const isNormalized = settings.normalized !== false;
      const isNoise = settings.direction === "noise";
      const middle = isNormalized ? Number(isNoise) : isNoise ? clean : corrupted;
      if (settings.eachPosition && settings.at === "post") {
        // Too many neurons to draw each: the table has them, and the list the largest.
        const { values } = await heatTable(page);
        assert.equal(values.length, raw.length);
        values.forEach((value, at) =>
          assert.ok(Math.abs(/** @type {number} */ (value) - raw[at]) < 1e-5),
        );
        const largest = Math.max(
          ...raw.map((/** @type {number} */ value) => Math.abs(value - middle)),
        );
        const first = await page.locator("patching-view ol .value").first().textContent();
        assert.ok(Math.abs(Math.abs(exactly(first)) - largest) < 1e-3 * largest + 1e-4);
      } else await assertDrawn(page, isNormalized ? normalized : raw, middle);
    });
  });
}

for (const receivers of /** @type {const} */ (["logits", "k"])) {
  test(`paths to the ${receivers} are what model.pathPatching returns`, async () => {
    const chosen = { "paths.receivers": receivers, "paths.mlps": "recomputed", layer: 2, head: 1 };
    await open({ ...TASK, view: "paths", ...chosen }, async (page) => {
      const to = receivers === "logits" ? receivers : [{ layer: 2, head: 1, input: "k" }];
      const normalized = await askModel(
        page,
        { ...CONTRAST, receivers: to, mlps: "recomputed" },
        "return [...(await model.pathPatching(given)).normalized.data];",
      );
      await assertDrawn(page, normalized, 0);
    });
  });
}

/** The metric of the text with an intervention, by the API. @param {Page} page */
function metricWith(
  page,
  /** @type {string} */ text,
  /** @type {string} */ other,
  /** @type {object} */ change,
) {
  return askModel(
    page,
    { text, other, change, answer: " Jul", against: " Helen" },
    `const { cache } = await model.runWithCache(given.other, { names: [given.change.at] });
     const interventions = [{ ...given.change, do: { from: cache } }];
     const { logits } = await model.runWithCache(given.text, { names: [], interventions });
     const last = logits.at({ batch: 0, pos: -1 }).data;
     const [answer, against] = await Promise.all([given.answer, given.against].map(async (token) => (await model.tokenize(token)).ids[0]));
     return last[answer] - last[against];`,
  );
}

test("a click on a cell of a noising map applies its patch, and the text then has the number of the cell", async () => {
  await open(
    { ...TASK, view: "patching", "patching.direction": "noise", "patching.normalized": false },
    async (page) => {
      const { values, columns } = await heatTable(page);
      const { x, y } = await cellPoint(page, 2, 14);
      await page.mouse.move(x, y);
      await page.mouse.click(x, y);
      const now = page.locator("patching-view .applied .now");
      await now.waitFor();
      const cell = /** @type {number} */ (values[2 * columns + 14]);
      await eventually(async () =>
        assert.ok(Math.abs(exactly(await now.textContent()) - cell) < 1e-4),
      );
      const { interventions, prompt } = await state(page);
      const [change] = JSON.parse(interventions);
      assert.deepEqual(change, {
        at: "blocks.2.hook_resid_pre",
        positions: [14],
        do: { from: "corrupted" },
      });
      assert.equal(prompt, TASK.prompt);
      const found = await metricWith(page, TASK.prompt, TASK.corrupted, change);
      assert.ok(Math.abs(found - cell) < 1e-4, `${found}, the cell says ${cell}`);
    },
  );
});

test("a click on a cell of a denoising map lets the prompts change places, and undo brings them back", async () => {
  await open({ ...TASK, view: "patching", "patching.at": "z" }, async (page) => {
    const raw = await askModel(
      page,
      { ...CONTRAST, at: "z" },
      "return [...(await model.patching(given)).raw.data];",
    );
    const { x, y } = await cellPoint(page, 1, 2);
    await page.mouse.move(x, y);
    await page.mouse.click(x, y);
    const now = page.locator("patching-view .applied .now");
    await now.waitFor();
    await eventually(async () =>
      assert.ok(Math.abs(exactly(await now.textContent()) - raw[1 * 4 + 2]) < 1e-4),
    );
    const after = await state(page);
    assert.deepEqual(
      [after.prompt, after.corrupted, after["patching.direction"]],
      [TASK.corrupted, TASK.prompt, "noise"],
    );
    const [change] = JSON.parse(after.interventions);
    assert.deepEqual(change, { at: "blocks.1.attn.hook_z", head: 2, do: { from: "corrupted" } });
    const found = await metricWith(page, TASK.corrupted, TASK.prompt, change);
    assert.ok(Math.abs(found - raw[6]) < 1e-4);
    // The runs are the same ones: nothing is computed again, and the map has the same numbers.
    await ready(page);
    await page.locator("patching-view").getByRole("button", { name: "raw" }).click();
    const { values } = await heatTable(page);
    values.forEach((value, at) =>
      assert.ok(Math.abs(/** @type {number} */ (value) - raw[at]) < 1e-5),
    );
    for (let step = 0; step < 3; step++) await page.locator("#undo").click();
    await eventually(async () => {
      const undone = await state(page);
      assert.deepEqual(
        [undone.prompt, undone.corrupted, undone.interventions],
        [TASK.prompt, TASK.corrupted, undefined],
      );
    });
  });
});

test("a patch is found, read and applied with the keyboard alone", async () => {
  await open({ ...TASK, view: "patching", "patching.direction": "noise" }, async (page) => {
    await heatTable(page);
    await byKeyboard(page, async () => {
      await pressTo(
        page,
        ({ path, role }) => path.includes("heat-table") && role === "application",
        { name: "the map" },
      );
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowRight");
      const readout = page.locator("heat-table .readout");
      await eventually(async () =>
        assert.match(
          (await readout.textContent()) ?? "",
          /before layer 1 at position 1, ':', corrupted into clean: .* normalized/,
        ),
      );
      await page.keyboard.press("Enter");
      await page.locator("patching-view .applied .now").waitFor();
    });
    assert.match(
      (await state(page)).interventions,
      /"blocks\.1\.hook_resid_pre","positions":\[1\]/,
    );
    assert.equal((await focused(page)).role, "application", "the focus stays on the map");
  });
});

test("a patch in a model without a tokenizer, and without MLPs, gives the number of its cell", async () => {
  const server = await serve({ root: DIST, handle: models });
  try {
    for (const model of ["models/no-tokenizer", "models/attention-only"]) {
      const task = { model, ids: "5,6,7,5,6", corrupted: "5 8 7 5 6", answer: 7, against: 3 };
      const settings = { "patching.at": "z", "patching.eachPosition": true };
      const path = address({ ...task, view: "patching", ...settings });
      await visit({ ...site, url: server.url }, { path, expect: /404/ }, async (page) => {
        await ready(page);
        const raw = await askModel(
          page,
          {
            clean: [5, 6, 7, 5, 6],
            corrupted: [5, 8, 7, 5, 6],
            answer: 7,
            against: 3,
            at: "z",
            eachPosition: true,
          },
          "return [...(await model.patching(given)).raw.data];",
          model,
        );
        const { x, y } = await cellPoint(page, 2, 3);
        await page.mouse.move(x, y);
        await page.mouse.click(x, y);
        const now = page.locator("patching-view .applied .now");
        await now.waitFor();
        await eventually(async () =>
          assert.ok(Math.abs(exactly(await now.textContent()) - raw[2 * 5 + 3]) < 1e-4),
        );
        const { ids, corrupted } = await state(page);
        assert.deepEqual([ids, corrupted], ["5,8,7,5,6", "5 6 7 5 6"]);
      });
    }
  } finally {
    await server.close();
  }
});

test("an Enter on a map that was just entered shows a cell, and applies nothing", async () => {
  await open({ ...TASK, view: "patching", "patching.direction": "noise" }, async (page) => {
    await heatTable(page);
    await page.locator("heat-table .plot").focus();
    await page.keyboard.press("Enter");
    await eventually(async () =>
      assert.match(
        (await page.locator("heat-table .readout").textContent()) ?? "",
        /layer 0 at position 0/,
      ),
    );
    assert.equal((await state(page)).interventions, undefined);
  });
});

test("what patching needs is said in place", async () => {
  const says = async (
    /** @type {Record<string, unknown>} */ given,
    /** @type {RegExp} */ expected,
  ) =>
    open({ ...given, view: "patching" }, async (page) => {
      await eventually(async () => assert.match((await shown(page)).text, expected));
      assert.equal(await page.locator("heat-table").count(), 0);
    });
  await says({ prompt: TASK.prompt }, /Choose a second prompt first/);
  await says(PROMPTS, /Choose an answer first/);
  await says({ ...TASK, corrupted: TASK.prompt }, /Both prompts are the same/);
  await says(
    { ...TASK, corrupted: "ROMEO:\nO fair Hermione!\n\nBENVOLIO:\nO fair" },
    /has 15 tokens and the corrupted one 17.*·Jul\|iet \(2 tokens\), the corrupted one has ·Her\|m\|ion\|e \(4 tokens\)/,
  );
  await says(
    { ...TASK, "patching.at": "post", "patching.layer": 9 },
    /no layer 9: its layers are 0 to 3/,
  );
  await says({ ...TASK, answer: "Romeo" }, /"Romeo" is 3 tokens/);
  await says({ ...TASK, position: 40 }, /position 40 is out of range for 15 tokens/);
});

test("a failure leaves nothing behind when its cause is gone", async () => {
  await open({ ...TASK, answer: "Romeo", view: "patching" }, async (page) => {
    const alert = page.locator("patching-view [role=alert]");
    await alert.waitFor();
    await page.getByRole("button", { name: "clear the answer" }).click();
    await eventually(async () => assert.match((await shown(page)).text, /Choose an answer first/));
    assert.equal(await alert.count(), 0);
    const box = page.locator("answer-choice input[name=answer]");
    await box.fill(TASK.answer);
    await box.press("Enter");
    await heatTable(page);
    // A picture of former prompts is not shown for prompts that cannot be compared.
    await page.locator("#corrupted").fill("too short");
    await eventually(async () =>
      assert.match((await shown(page)).text, /has 15 tokens and the corrupted one/),
    );
    assert.equal(await page.locator("heat-table").count(), 0);
    assert.doesNotMatch((await shown(page)).text, /dimmed/);
  });
});

test("a long sweep waits, reports its progress, and can be cancelled", async () => {
  const neurons = { "patching.at": "post", "patching.eachPosition": true };
  await open({ ...TASK, view: "patching", ...neurons }, async (page) => {
    const view = page.locator("patching-view");
    const button = view.getByRole("button", { name: "Compute" });
    await button.waitFor();
    assert.match((await shown(page)).text, /15360 runs, about \d+ (s|min)/);
    await button.click();
    const progress = view.locator(".work .mono");
    await eventually(async () =>
      assert.match((await progress.textContent()) ?? "", /^[1-9]\d* of 15360$/),
    );
    await view.getByRole("button", { name: "Cancel" }).click();
    await button.waitFor();
    assert.equal(await page.locator("heat-table").count(), 0);
    // The page goes on: another sweep of the same prompts.
    await view.locator("select[name=at]").selectOption("resid_pre");
    await heatTable(page);
  });
});
