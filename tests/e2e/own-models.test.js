// A visitor's own models on the built page in headless Chromium: files and folders that are picked or dropped, what the page
// asks, token ids, the report, the gallery and the progress of a load.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";

import { DIST, eventually, figureState, settled, start, visit } from "./browser.js";
import { gpt2Tensors, joined } from "./safetensors.js";
import { byteLevelTokenizer } from "./tokenizer-file.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ n_layer: number, n_head: number, n_embd: number, n_positions: number, vocab_size: number }} Sizes */

const SMALL = { n_layer: 2, n_head: 3, n_embd: 12, n_positions: 24, vocab_size: 256 };

/** Small pseudo-random weights, the same for the same seed. @param {number} count @param {number} seed */
function weights(count, seed) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 32 - 0.5) * 0.8;
  });
}

/** The files of a model: their names and bytes. @param {Sizes} sizes @returns {Record<string, Buffer>} */
function modelFiles(sizes, seed = 1) {
  const tensors = gpt2Tensors(sizes).map(([name, shape], at) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return {
      name,
      entry: { dtype: "F32", shape },
      part: Buffer.from(weights(count, seed + at).buffer),
    };
  });
  return {
    "config.json": Buffer.from(JSON.stringify({ model_type: "gpt2", ...sizes })),
    "model.safetensors": joined(tensors),
  };
}

/** The tokenizer whose token of id n is the byte n. @returns {Buffer} */
function tokenizerFile() {
  const isPlain = (/** @type {number} */ byte) =>
    (byte > 32 && byte < 127) || (byte > 160 && byte < 256 && byte !== 173);
  let next = 256;
  const vocab = Array.from({ length: 256 }, (_, byte) => [
    String.fromCharCode(isPlain(byte) ? byte : next++),
    byte,
  ]);
  return Buffer.from(JSON.stringify(byteLevelTokenizer(Object.fromEntries(vocab))));
}

/** @param {Record<string, Buffer>} files */
const picked = (files) =>
  Object.entries(files).map(([name, buffer]) => ({
    name,
    mimeType: "application/octet-stream",
    buffer,
  }));

/** Picks files in the chooser. @param {Page} page @param {Record<string, Buffer>} files */
async function pick(page, files) {
  await page.locator("#choose").click();
  await page.locator("model-chooser input[name=files]").setInputFiles(picked(files));
}

/** Waits until a model of this name is read. @param {Page} page @param {string} name */
async function opened(page, name) {
  await page.waitForFunction(
    (name) => document.querySelector("#model-name")?.textContent?.startsWith(`${name},`),
    name,
  );
  await settled(page);
}

/** What the figure holds. @param {Page} page */
const reading = (page) =>
  page.evaluate(() => {
    const { reading } = /** @type {any} */ (document.querySelector("scope-figure"));
    return {
      ids: [...reading.ids],
      tokens: reading.tokens,
      text: reading.text,
      isIds: reading.isIds,
    };
  });

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {string} */
let folder;
before(async () => {
  site = await start();
  folder = mkdtempSync(join(tmpdir(), "candlescope-own-"));
});
after(async () => {
  await site?.stop();
  rmSync(folder, { recursive: true });
});

describe("a model without a tokenizer", () => {
  test("opens on ids that repeat, shows them as ⟨3⟩, and every view works", async () => {
    await visit(site, {}, async (page) => {
      await settled(page);
      await pick(page, modelFiles(SMALL));
      await opened(page, "your files");
      const { ids, tokens, text, isIds } = await reading(page);
      assert.ok(isIds);
      assert.equal(ids.join(" "), text);
      assert.deepEqual(ids.slice(0, ids.length / 2), ids.slice(ids.length / 2));
      assert.deepEqual(
        tokens,
        ids.map((id) => `⟨${id}⟩`),
      );
      assert.match(
        await page.locator("add-tokenizer p").innerText(),
        /no tokenizer: write token ids from 0 to 255/,
      );
      for (const view of ["log-probability", "lens", "scores", "activations"]) {
        await page.getByRole("button", { name: view, exact: true }).first().click();
        await page.waitForFunction(
          () => !(/** @type {any} */ (document.querySelector("scope-figure")).needs),
        );
      }
      await page.getByRole("button", { name: "lens", exact: true }).click();
      await eventually(async () =>
        assert.match(await page.locator("logit-lens .cell").first().innerText(), /⟨\d+⟩/),
      );
      assert.equal(await page.locator("error-notice .notice").count(), 0);
    });
  });

  test("wrong ids are named in place, the last figure stays, and typing on corrects them", async () => {
    await visit(site, {}, async (page) => {
      await settled(page);
      await pick(page, modelFiles(SMALL));
      await opened(page, "your files");
      const error = page.locator("#prompt-error");
      const before = (await reading(page)).text;
      for (const [text, message] of /** @type {const} */ ([
        ["1 5 x", /^"x", at position 2, is not a token id: expected whole numbers from 0 to 255/],
        ["1 256", /^"256", at position 1/],
        [", ,", /^there are no token ids/],
      ])) {
        await page.locator("#prompt").fill(text);
        await eventually(async () => assert.match(await error.innerText(), message));
        assert.equal(await page.locator("#prompt").getAttribute("aria-invalid"), "true");
        assert.equal((await reading(page)).text, before);
        assert.equal(await page.locator("error-notice .notice").count(), 0, "said once");
      }
      await page.locator("#prompt").fill("[7, 8,9]");
      await settled(page);
      await eventually(async () => assert.equal(await error.isHidden(), true));
      assert.deepEqual((await reading(page)).ids, [7, 8, 9]);
      assert.equal(await page.locator("#prompt").getAttribute("aria-invalid"), null);
      // Of more ids than the context holds, the end is read.
      await page.locator("#prompt").fill("5 ".repeat(30));
      await settled(page);
      await eventually(async () =>
        assert.match(await page.locator("#count").innerText(), /^the last 24 of 30 tokens/),
      );
    });
  });

  test("generates ids with a head switched off, takes a chosen token, and copies ids", async () => {
    await visit(site, {}, async (page) => {
      await settled(page);
      await pick(page, modelFiles(SMALL));
      await opened(page, "your files");
      await page.locator("#prompt").fill("1, 2, 3");
      await settled(page);
      await page.keyboard.press("Escape"); // leave the box
      await page.keyboard.press("x");
      await page.locator("intervention-list li").first().waitFor();
      await settled(page);
      await page.getByLabel("sample").uncheck();
      await page.getByLabel("tokens", { exact: true }).fill("4");
      await page.getByRole("button", { name: "Generate" }).click();
      await eventually(async () => assert.equal((await reading(page)).ids.length, 7));
      await page.getByRole("button", { name: "Generate" }).waitFor();
      await settled(page);
      const { ids, text, tokens } = await reading(page);
      assert.equal(text, ids.join(", "));
      assert.deepEqual(
        tokens,
        ids.map((id) => `⟨${id}⟩`),
      );
      await page.locator("next-tokens .one").nth(1).waitFor();
      const second = await page.evaluate(
        () => /** @type {any} */ (document.querySelector("next-tokens")).alternatives[1].id,
      );
      await page.locator("next-tokens .one").nth(1).click();
      await settled(page);
      await eventually(async () => assert.deepEqual((await reading(page)).ids, [...ids, second]));
      await page.locator("#share").click();
      await page.getByRole("button", { name: "copy as JSON" }).click();
      await eventually(async () => {
        const copied = JSON.parse(await page.locator("#copy").inputValue());
        assert.deepEqual(copied.input, [...ids, second]);
        assert.equal(copied.interventions.length, 1);
      });
    });
  });

  test("takes a tokenizer afterwards, and keeps the weights and what was chosen", async () => {
    await visit(site, {}, async (page) => {
      await settled(page);
      await pick(page, modelFiles(SMALL));
      await opened(page, "your files");
      await page.locator("#prompt").fill("84 111 32 98 101");
      await settled(page);
      await page.locator('[data-layer="1"][data-head="2"]').click();
      const patterns = () =>
        page.evaluate(() =>
          [
            .../** @type {any} */ (document.querySelector("scope-figure")).reading.patterns[1].data,
          ].join(),
        );
      const before = { ids: (await reading(page)).ids, patterns: await patterns() };
      await page
        .locator("add-tokenizer input")
        .setInputFiles(picked({ "tokenizer.json": tokenizerFile() }));
      await page.waitForFunction(
        () => !document.querySelector("#prompt")?.classList.contains("ids"),
      );
      await settled(page);
      const { ids, isIds, tokens, text } = await reading(page);
      assert.equal(isIds, false);
      assert.deepEqual(ids, before.ids);
      assert.equal(await patterns(), before.patterns);
      assert.equal(tokens.join(""), text);
      const { layer, head } = await figureState(page);
      assert.deepEqual([layer, head], [1, 2]);
      assert.equal(await page.locator("add-tokenizer").isHidden(), true);
    });
  });

  test("a file that is no tokenizer is refused, and the ids stay", async () => {
    await visit(site, {}, async (page) => {
      await settled(page);
      await pick(page, modelFiles(SMALL));
      await opened(page, "your files");
      const { text } = await reading(page);
      await page
        .locator("add-tokenizer input")
        .setInputFiles(picked({ "tokenizer.json": Buffer.from("{}") }));
      await page.locator("error-notice .notice").waitFor();
      assert.match(await page.locator("error-notice p").innerText(), /tokenizer/i);
      assert.equal((await reading(page)).text, text);
      await page.locator("#prompt").fill("1 2");
      await settled(page);
    });
  });
});

describe("models of unusual sizes", () => {
  /** @type {[string, Sizes][]} */
  const sizes = [
    [
      "one layer and one head of four, vocabulary 3, context 8",
      { n_layer: 1, n_head: 1, n_embd: 4, n_positions: 8, vocab_size: 3 },
    ],
    ["48 heads of four", { n_layer: 2, n_head: 48, n_embd: 192, n_positions: 16, vocab_size: 64 }],
  ];
  for (const [name, size] of sizes)
    for (const width of [1440, 390])
      test(`${name}, at ${width} pixels`, async () => {
        await visit(site, { width }, async (page) => {
          await settled(page);
          await pick(page, modelFiles(size));
          await opened(page, "your files");
          for (const view of ["pattern", "log-probability", "lens", "scores", "activations"]) {
            await page.getByRole("button", { name: view, exact: true }).first().click();
            await page.waitForFunction(
              () => !(/** @type {any} */ (document.querySelector("scope-figure")).needs),
            );
            const overflow = await page.evaluate(
              () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
            );
            assert.equal(overflow, 0, view);
          }
          await page.getByRole("button", { name: "scores", exact: true }).first().click();
          await page.getByRole("button", { name: "random tokens" }).click();
          await page.waitForFunction(
            () => !(/** @type {any} */ (document.querySelector("scope-figure")).needs),
          );
          await page.locator("#parameters summary").first().click();
          assert.match(
            await page.locator("model-tree .total").innerText(),
            /^[\d,]+ parameters in/,
          );
          assert.equal(await page.locator("error-notice .notice").count(), 0);
        });
      });

  test("a context shorter than the opening text shows its end and says so", async () => {
    await visit(site, {}, async (page) => {
      await settled(page);
      const files = modelFiles(SMALL);
      await pick(page, { ...files, "tokenizer.json": tokenizerFile() });
      await opened(page, "your files");
      const { tokens, text } = await reading(page);
      assert.equal(tokens.length, 24);
      assert.ok(text.endsWith(tokens.join("")));
      await eventually(async () =>
        assert.match(await page.locator("#count").innerText(), /^the last 24 of \d+ tokens/),
      );
      assert.equal(await page.locator("error-notice .notice").count(), 0);
    });
  });
});

/** Writes the files of models to a new folder. @param {string} name @param {Record<string, Buffer>} files by path @returns {string} its path */
function written(name, files) {
  const root = mkdtempSync(join(folder, "case-"));
  for (const [path, bytes] of Object.entries(files)) {
    const file = join(root, name, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
  return join(root, name);
}

/** Drops files or folders of the disk on the middle of the page, as a file manager does. @param {Page} page @param {string[]} paths */
async function drop(page, paths) {
  const devtools = await page.context().newCDPSession(page);
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  for (const type of /** @type {const} */ (["dragEnter", "dragOver", "drop"]))
    await devtools.send("Input.dispatchDragEvent", { type, x: 300, y: 400, data });
}

describe("files and folders", () => {
  test("a folder that is picked opens under its name", async () => {
    const path = written("pirate-run", {
      ...modelFiles(SMALL),
      "logs/events.txt": Buffer.from("x"),
    });
    await visit(site, {}, async (page) => {
      await settled(page);
      await page.locator("#choose").click();
      await page.locator("model-chooser input[name=directory]").setInputFiles(path);
      await opened(page, "pirate-run");
    });
  });

  test("a folder and files that are dropped open", async () => {
    const path = written("dropped-run", {
      ...modelFiles(SMALL),
      "sub/notes.txt": Buffer.from("x"),
    });
    await visit(site, {}, async (page) => {
      await settled(page);
      await drop(page, [path]);
      await opened(page, "dropped-run");
      await drop(
        page,
        ["config.json", "model.safetensors"].map((name) => join(path, name)),
      );
      await opened(page, "your files");
    });
  });

  test("a dropped text does nothing", async () => {
    await visit(site, {}, async (page) => {
      await settled(page);
      await page.evaluate(() => {
        const data = new DataTransfer();
        data.setData("text/plain", "to be");
        document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
      });
      assert.equal(await page.locator("#chooser").isHidden(), true);
    });
  });
});

describe("the report and the gallery", () => {
  test("a report groups what matters and filters the rest, by keyboard", async () => {
    await visit(site, {}, async (page) => {
      await settled(page);
      await page.evaluate(() => {
        const report = /** @type {any} */ (document.querySelector("main model-report"));
        const renamed = Array.from({ length: 148 }, (_, i) => ({
          ...{ kind: "renamed", name: `h.${i}.weight`, from: [`blocks_${i}/kernel`] },
          message: "The file calls it otherwise.",
        }));
        report.notices = [
          ...renamed,
          { kind: "assumed", name: "n_head", message: "It was given." },
        ];
        report.hidden = false;
      });
      const report = page.locator("main model-report");
      await eventually(async () =>
        assert.match(
          await report.locator("summary").first().innerText(),
          /1 assumed\s+148 renamed/,
        ),
      );
      await report.locator("summary").first().focus();
      await page.keyboard.press("Enter");
      await eventually(async () => assert.equal(await report.locator("li").count(), 1));
      await report.locator("details.all > summary").focus();
      await page.keyboard.press("Enter");
      await eventually(async () => assert.equal(await report.locator("tbody tr").count(), 149));
      await report.locator("input").fill("blocks_147");
      await eventually(async () => assert.equal(await report.locator("tbody tr").count(), 1));
      assert.equal(await report.locator("[role=status]").innerText(), "1 of 149");
    });
  });

  test("lists what was opened, also after a reload; reopens, reports and forgets it", async () => {
    await visit(site, {}, async (page) => {
      await settled(page);
      const { "config.json": config, "model.safetensors": file } = modelFiles(SMALL);
      await pick(page, { "config.json": config, "pirate.safetensors": file });
      await opened(page, "pirate");
      await page.locator("#prompt").fill("1 2 1 2");
      await settled(page);
      await eventually(() => assert.match(page.url(), /ids=1%2C2%2C1%2C2/));
      await eventually(async () => {
        const addresses = await page.evaluate(async () => {
          const { storedModels } = await import(new URL("candlescope.js", location.href).href);
          const all = await storedModels();
          return all.map((/** @type {any} */ { address }) => address ?? "from disk");
        });
        assert.ok(addresses.includes("from disk"), addresses.join());
      });
      await page.reload(); // opens the copy that the browser holds
      await opened(page, "pirate");
      assert.deepEqual((await reading(page)).ids, [1, 2, 1, 2]);
      await page.locator("#choose").click();
      await page.getByRole("button", { name: "open Shakespeare" }).click();
      await opened(page, "Shakespeare (f16)");
      assert.equal((await reading(page)).isIds, false);
      await page.locator("#choose").click();
      const rows = page.locator("model-gallery li");
      await eventually(async () => assert.equal(await rows.count(), 2));
      const pirate = rows.filter({ hasText: "pirate" });
      await pirate.getByText("kept in this browser").waitFor();
      assert.match(
        await pirate.innerText(),
        /Hugging Face GPT-2, safetensors · [\d.]+k parameters · f32 · \d+ kB · from disk · kept in this browser · (just now|\d+ min ago)/,
      );
      assert.match(await rows.filter({ hasText: "Shakespeare" }).innerText(), /in use/);
      await page.getByRole("button", { name: "report of pirate" }).click();
      assert.match(
        await pirate.locator("model-report dl").innerText(),
        /2 layers of 3 heads, 12 wide, 4 a head/,
      );
      // The browser holds a copy of the files; without it, they must be chosen again.
      await page.getByRole("button", { name: "open pirate" }).click();
      await opened(page, "pirate");
      await page.evaluate(async () => {
        const { forgetStored } = await import(new URL("candlescope.js", location.href).href);
        await forgetStored();
      });
      await page.locator("#choose").click();
      await page
        .getByLabel("choose the files of pirate again")
        .setInputFiles(picked({ "config.json": config, "pirate.safetensors": file }));
      await opened(page, "pirate");
      assert.ok((await reading(page)).isIds);
      await page.locator("#choose").click();
      await page.getByRole("button", { name: "open Shakespeare" }).click();
      await opened(page, "Shakespeare (f16)");
      await page.locator("#choose").click();
      await page.getByRole("button", { name: "forget pirate" }).click();
      await eventually(async () => assert.equal(await rows.count(), 1));
      await page.reload();
      await settled(page);
      await page.locator("#choose").click();
      await eventually(async () => assert.equal(await rows.count(), 1));
    });
  });

  test("works where the page may store nothing", async () => {
    const refuse = (/** @type {Page} */ page) =>
      page.addInitScript(() => {
        Object.defineProperty(window, "localStorage", {
          get: () => {
            throw new DOMException("denied", "SecurityError");
          },
        });
      });
    await visit(site, { before: refuse }, async (page) => {
      await settled(page);
      await pick(page, modelFiles(SMALL));
      await opened(page, "your files");
      await page.locator("#choose").click();
      await eventually(async () => assert.equal(await page.locator("model-gallery li").count(), 2));
    });
  });
});

describe("addresses", () => {
  test("a shared address carries the ids of a model without a tokenizer", async () => {
    const root = mkdtempSync(join(folder, "site-"));
    for (const name of readdirSync(DIST)) symlinkSync(join(DIST, name), join(root, name));
    mkdirSync(join(root, "mute"));
    for (const [name, bytes] of Object.entries(modelFiles(SMALL)))
      writeFileSync(join(root, "mute", name), bytes);
    const own = await start(root);
    try {
      await visit(own, { path: "#model=mute&ids=5,6,7,5,6", expect: /404/ }, async (page) => {
        await opened(page, "mute");
        assert.deepEqual((await reading(page)).ids, [5, 6, 7, 5, 6]);
        await page.locator("#prompt").fill("9 8 9");
        await settled(page);
        await eventually(() => assert.match(page.url(), /ids=9%2C8%2C9/));
        await page.reload();
        await opened(page, "mute");
        assert.deepEqual((await reading(page)).ids, [9, 8, 9]);
      });
      await visit(own, { path: "#model=mute&prompt=to%20be", expect: /404/ }, async (page) => {
        await opened(page, "mute");
        assert.ok((await reading(page)).isIds);
        await eventually(async () =>
          assert.match(
            await page.locator("error-notice p").innerText(),
            /asks for a text, which this model cannot read/,
          ),
        );
      });
    } finally {
      await own.stop();
    }
  });
});
