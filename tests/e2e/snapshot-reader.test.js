// Figures of snapshots: drawn without a model, and the same as the live figure; what a reader can do with them, what a writer can
// choose, and what is said about a file that cannot be drawn.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, test } from "node:test";

import { level } from "../../www/draw/scale.ts";
import { decodeNumbers } from "../../www/api/snapshot/arrays.ts";
import { cellAt, DIST, drawn as cells, eventually, visit } from "./browser.js";
import { drawn, figure, pageOf, useHost } from "./host.js";
import { frozen, inlined, takeSnapshots } from "./snapshots.js";

/** @typedef {import("playwright-core").Page} Page */

const TEXT = "the moon, the moon, the moon";
const STRICT =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; require-trusted-types-for 'script'; trusted-types candlescope lit-html";

/** @type {import("../../www/api/snapshot/format.ts").Snapshot} */
let attention;
/** @type {import("../../www/api/snapshot/format.ts").Snapshot} */
let lens;
let policy = "";
const headers = () =>
  /** @type {Record<string, string>} */ (policy ? { "content-security-policy": policy } : {});
const { site, host, open } = useHost({ headers }, async () => {
  const off = [{ at: "blocks.1.attn.hook_z", head: 0, do: "zero" }];
  [attention, lens] = await takeSnapshots(site, [
    { text: TEXT, options: { layer: 1, head: 1, interventions: off, caption: "A <b>caption</b>" } },
    { text: TEXT, options: { view: "lens", layer: 0, head: 2 } },
  ]);
  for (const one of [attention, lens])
    Object.assign(one.model, { name: "Shakespeare", source: `${host.url}cs/models/shakespeare` });
  host.pages["/figure.json"] = JSON.stringify(attention);
  host.pages["/lens.json"] = JSON.stringify(lens);
});
beforeEach(() => {
  host.asked.length = 0;
  policy = "";
});

const SNAPSHOT = "/cs/snapshot.js";
/** What only a live figure needs. */
const LIVE = /worker\.js|helper\.js|\.wasm|\/models\/|\/candlescope\.js/;
const askedForModel = () => host.asked.filter((path) => LIVE.test(path));

/** The chosen head, the lock and the text of the figure that is drawn. @param {Page} page */
const state = (page) =>
  page.locator("scope-figure").evaluate((/** @type {any} */ one) => {
    const { view, layer, head, lock, scale, reading, hoveredCell } = one;
    const hovered = hoveredCell && { query: hoveredCell.query, key: hoveredCell.key };
    return { view, layer, head, lock, scale, text: reading?.text, hovered };
  });

/** What stands in the figure in place of a picture, or above it. @param {Page} page */
const said = async (page) => {
  const alert = page.locator("[role=alert] .error, error-notice .notice").first();
  await alert.waitFor();
  return alert.innerText();
};

for (const [name, body, script] of /** @type {const} */ ([
  ["candle-scope with a file", '<candle-scope src="figure.json"></candle-scope>', undefined],
  [
    "candle-snapshot with a file",
    '<candle-snapshot src="figure.json"></candle-snapshot>',
    SNAPSHOT,
  ],
]))
  test(`${name} draws the colours of the live figure, and loads nothing for a model`, async () => {
    await open(
      body,
      async (page) => {
        await frozen(page);
        const found = await cells(page);
        await page.waitForLoadState("networkidle");
        assert.deepEqual(askedForModel(), []);
        assert.equal(page.workers().length, 0);
        assert.ok(await page.getByText("A <b>caption</b>").isVisible());
        const svg = await page
          .locator("scope-figure")
          .evaluate((/** @type {any} */ one) => one.toSVG());
        assert.match(svg, /^<svg [\s\S]*<rect [\s\S]*<\/svg>\s*$/);
        assert.ok(await page.getByText("Snapshot of Shakespeare, computed in f32.").isVisible());
        assert.equal(
          await page.locator("scope-figure .changed").innerText(),
          "With head 1.0 switched off.",
        );
        const { view, layer, head, text } = await state(page);
        assert.deepEqual(
          { view, layer, head, text },
          { view: "attention", layer: 1, head: 1, text: TEXT },
        );
        host.pages["/live.html"] = pageOf(
          figure(`prompt="${TEXT}" layer="1" head="1" off="1.0" loading="eager"`),
        );
        await page.goto(`${host.url}live.html`);
        await drawn(page);
        const live = await cells(page);
        assert.equal(found.count, live.count);
        const codes = decodeNumbers(/** @type {any} */ (attention.reading.patterns[1]));
        const { length } = attention.reading.ids;
        const { step = 0 } = /** @type {any} */ (attention.reading.patterns[1]);
        let near = 0;
        live.colours.forEach((colour, at) => {
          const value = codes[length * length + at];
          const isNear = level(value - step, "linear") !== level(value + step, "linear");
          if (isNear) near += 1;
          else assert.deepEqual(found.colours[at], colour, `cell ${at}`);
        });
        assert.ok(near < 5, `${near} cells lie between two colours`);
      },
      { script },
    );
  });

for (const [name, body, script] of /** @type {const} */ ([
  ["candle-scope", "<candle-scope>JSON</candle-scope>", undefined],
  ["candle-snapshot", "<candle-snapshot>JSON</candle-snapshot>", SNAPSHOT],
]))
  test(`a snapshot inside of ${name} is hovered, locked and changed by mouse and by keyboard`, async () => {
    await open(
      body.replace("JSON", inlined(attention)),
      async (page) => {
        await frozen(page);
        const { x, y } = await cellAt(page, 5, 2);
        await page.mouse.move(x, y);
        await eventually(async () =>
          assert.deepEqual((await state(page)).hovered, { query: 5, key: 2 }),
        );
        await page.mouse.click(x, y);
        await eventually(async () =>
          assert.deepEqual((await state(page)).lock, { query: 5, key: 2 }),
        );
        await page.keyboard.press("Escape");
        await eventually(async () => assert.equal((await state(page)).lock, null));
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("Enter");
        await eventually(async () =>
          assert.deepEqual((await state(page)).lock, { query: 1, key: 0 }),
        );
        const heads = page.locator("attention-heads");
        await heads.locator("[data-layer='2'][data-head='3']").click();
        await eventually(async () => {
          const { layer, head } = await state(page);
          assert.deepEqual([layer, head], [2, 3]);
        });
        await page.keyboard.press("ArrowLeft");
        await page.keyboard.press("Enter");
        await eventually(async () => assert.equal((await state(page)).head, 2));
        await page.waitForLoadState("networkidle");
        assert.deepEqual(askedForModel(), []);
        assert.equal(page.workers().length, 0);
      },
      { script },
    );
  });

test("a view needs the numbers of the file, and only those views can be opened", async () => {
  await open('<candle-scope src="lens.json" controls="all"></candle-scope>', async (page) => {
    await page.locator("logit-lens").waitFor();
    const views = await page.locator("scope-figure .views button").allInnerTexts();
    assert.deepEqual(views, ["pattern", "lines", "log-probability", "lens", "scores"]);
    const words = await page.locator("logit-lens .cell").first().innerText();
    assert.ok(words.length > 0);
    await page.getByRole("button", { name: "pattern", exact: true }).click();
    await frozen(page);
    const { layer, head } = await state(page);
    assert.deepEqual([layer, head], [0, 2]);
  });
});

test("attributes choose what is drawn of a snapshot; what needs a model is said", async () => {
  const chosen =
    'view="attention" layer="-1" head="0" lock="4,1" scale="sqrt" parts="tokens pattern"';
  const body = `<candle-scope src="lens.json" ${chosen} off="1.0" lens.show="kl" heads="2"></candle-scope>`;
  await open(body, async (page) => {
    await frozen(page);
    const { view, layer, head, lock, scale } = await state(page);
    assert.deepEqual(
      { view, layer, head, lock, scale },
      { view: "attention", layer: 3, head: 0, lock: { query: 4, key: 1 }, scale: "sqrt" },
    );
    assert.equal(await page.locator("attention-heads").isVisible(), false);
    const problems = page.locator(".problems li");
    assert.deepEqual(await problems.allInnerTexts(), [
      "The attribute heads is unknown; head may be meant.",
      "off, lens.show need a model and have no effect on a snapshot: change it on the page before the export.",
    ]);
    await page.locator("candle-scope").evaluate((one) => {
      for (const name of ["off", "lens.show", "heads"]) one.removeAttribute(name);
      one.setAttribute("layer", "9");
      one.setAttribute("view", "patching");
      one.setAttribute("lock", "99,0");
    });
    await eventually(async () =>
      assert.deepEqual(await problems.allInnerTexts(), [
        'There is no layer="9" head="0": the model has layers 0 to 3 and heads 0 to 3. What the snapshot says is drawn.',
        'The snapshot has no numbers for view="patching", only for attention, lines, log-probability, heads, lens. What the snapshot says is drawn.',
        `There is no lock="99,0": the text has tokens 0 to ${lens.reading.ids.length - 1}. What the snapshot says is drawn.`,
      ]),
    );
  });
});

test("a caption of the page takes the place of that of the snapshot", async () => {
  const body = `<candle-scope src="figure.json"><p slot="caption">Words of the page.</p></candle-scope>`;
  await open(body, async (page) => {
    await frozen(page);
    assert.ok(await page.getByText("Words of the page.").isVisible());
    assert.equal(await page.getByText("A <b>caption</b>").isVisible(), false);
  });
});

// ---- what cannot be drawn ----

/** @param {(snapshot: any) => void} change */
const changed = (change) => {
  const data = structuredClone(attention);
  change(data);
  return JSON.stringify(data);
};

for (const [name, text, sentence] of /** @type {const} */ ([
  [
    "no JSON",
    () => "<!doctype html>",
    /the snapshot is no JSON \(.*\): expected the file that "share" exports/,
  ],
  [
    "a newer version",
    () => changed((one) => (one.candlescope = 3)),
    /the snapshot has version 3 of the format, and this Candlescope reads versions up to 2: use a newer Candlescope/,
  ],
  [
    "another JSON",
    () => '{"n_layer": 12}',
    /the snapshot's candlescope is missing, expected 1 or 2, the version/,
  ],
  [
    "damaged numbers",
    () => changed((one) => (one.reading.patterns[0].data = "AAAA")),
    /the snapshot's reading\.patterns\[0\]\.data is damaged: it has 3 bytes/,
  ],
  [
    "no file",
    () => undefined,
    /the snapshot cannot be loaded from .*bad\.json \(404\): expected a file that "share" exports/,
  ],
  [
    "a result without its numbers",
    () => {
      const data = structuredClone(lens);
      Object.assign(data.results.lens[0], { value: { lens: 3 } });
      return JSON.stringify(data);
    },
    /the snapshot's results\.lens\[0\]\.value\.lens is 3, expected an object/,
  ],
  [
    "attention above 1",
    () => {
      const data = /** @type {any} */ (structuredClone(lens));
      data.reading.patterns[0].step = 100;
      return JSON.stringify(data);
    },
    /the snapshot's reading\.patterns\[0\] is .*, expected probabilities, from 0 to 1/,
  ],
  [
    "results that a view cannot draw",
    () => {
      const data = structuredClone(lens);
      const [{ value }] = /** @type {any} */ (data.results.lens);
      value.lens.topStrings = value.lens.topStrings.map(() => ({}));
      return JSON.stringify(data);
    },
    /the snapshot's results cannot be drawn \(.*\): expected what "share" exports for this view/,
  ],
  [
    "a result of a view that there is not",
    () => JSON.stringify({ ...lens, results: { ...lens.results, bogus: [] } }),
    /the snapshot's results\.bogus is a list of 0, expected no view but attention, lines/,
  ],
]))
  test(`${name} is said in the place of the figure`, async () => {
    const content = text();
    if (content === undefined) delete host.pages["/bad.json"];
    else host.pages["/bad.json"] = content;
    const expect = /404|TypeError|undefined|lens/;
    await open(
      '<candle-scope src="bad.json"></candle-scope>',
      async (page) => {
        assert.match(await said(page), sentence);
        const found = await page
          .locator("candle-scope")
          .evaluate((/** @type {any} */ one) => one.error.name);
        assert.equal(found, name === "no file" ? "NetworkError" : "InputError");
        assert.equal(await page.locator("candle-scope scope-figure").count(), 0);
        await page
          .locator("candle-scope")
          .evaluate((one) => one.setAttribute("src", "figure.json"));
        await frozen(page);
        assert.equal(await page.locator("[role=alert] .error").count(), 0);
      },
      { expect },
    );
  });

for (const name of ["candle-snapshot", "candle-scope"])
  test(`a file that ${name} could not fetch is fetched once more when the reader asks`, async () => {
    delete host.pages["/late.json"];
    await open(
      `<${name} src="late.json"></${name}>`,
      async (page) => {
        const again = page.getByRole("button", { name: "Try again" });
        await again.waitFor();
        // The second request is answered after the first button is gone, so that the next button is that of the second failure.
        /** @type {() => void} */
        let answer = () => {};
        const isGone = new Promise((done) => (answer = () => done(undefined)));
        await page.route("**/late.json", async (route) => {
          await isGone;
          await route.continue();
        });
        await again.click();
        await again.waitFor({ state: "detached" });
        answer();
        await again.waitFor();
        await page.unroute("**/late.json");
        assert.equal(host.asked.filter((path) => path === "/late.json").length, 2);
        host.pages["/late.json"] = JSON.stringify(lens);
        await again.focus();
        await page.keyboard.press("Enter");
        await frozen(page);
        assert.equal(await page.locator("[role=alert] .error").count(), 0);
        const focused = () =>
          page.evaluate(() => {
            let element = document.activeElement;
            while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
            return element?.localName;
          });
        await eventually(async () => assert.equal(await focused(), "snapshot-figure"));
      },
      { expect: /404/, script: name === "candle-snapshot" ? SNAPSHOT : undefined },
    );
  });

test("without a file, an element of snapshots says what it needs", async () => {
  await open(
    "<candle-snapshot></candle-snapshot>",
    async (page) => {
      await page.getByText("There is no snapshot: give the address of one in src").waitFor();
    },
    { script: SNAPSHOT },
  );
});

test("a file that arrives late never replaces a newer one, and without src the inline snapshot is drawn", async () => {
  await open(`<candle-scope src="figure.json">${inlined(lens)}</candle-scope>`, async (page) => {
    await frozen(page);
    /** @type {() => void} */
    let answer = () => {};
    const asked = new Promise((done) => {
      page.route("**/late.json", async (route) => {
        done(undefined);
        await new Promise((go) => (answer = () => go(undefined)));
        await route.fulfill({ body: JSON.stringify(attention) }).catch(() => {});
      });
    });
    const set = (/** @type {string | null} */ src) =>
      page.locator("candle-scope").evaluate((one, src) => {
        if (src === null) one.removeAttribute("src");
        else one.setAttribute("src", src);
      }, src);
    await set("late.json");
    await asked;
    await set("lens.json");
    await page.locator("logit-lens").waitFor();
    answer();
    await page.waitForLoadState("networkidle");
    assert.equal((await state(page)).view, "lens");
    await set("figure.json");
    await frozen(page);
    assert.equal((await state(page)).view, "attention");
    await set(null);
    await page.locator("logit-lens").waitFor();
    await page.locator("candle-scope > script").evaluate((one) => one.remove());
    await page.getByText("model is missing").waitFor();
    await page.locator("candle-scope").evaluate((one) => {
      Object.assign(one, { model: "/cs/models/shakespeare", prompt: "the moon" });
      /** @type {any} */ (one).start();
    });
    await drawn(page);
  });
});

test("a file is fetched when its figure comes near the screen, or on request", async () => {
  const far = '<style>.far { height: 6000px; }</style><p class="far">Words.</p>';
  const body = `<candle-snapshot loading="on-request" src="lens.json"></candle-snapshot>${far}<candle-snapshot src="figure.json"></candle-snapshot>`;
  await open(
    body,
    async (page) => {
      const button = page.getByRole("button", { name: "show this figure" });
      await button.waitFor();
      await page.waitForLoadState("networkidle");
      assert.deepEqual(
        host.asked.filter((path) => path.endsWith(".json")),
        [],
      );
      await button.click();
      await page.locator("logit-lens").waitFor();
      assert.ok(!host.asked.includes("/figure.json"));
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      await page.locator("attention-pattern").waitFor();
    },
    { script: SNAPSHOT },
  );
});

// ---- places ----

test("a strict policy with Trusted Types is enough, and nothing violates it", async () => {
  policy = STRICT;
  const body = `<candle-scope src="figure.json"></candle-scope><candle-snapshot src="lens.json"></candle-snapshot>`;
  const violations = (/** @type {Page} */ page) =>
    page.addInitScript(() => {
      /** @type {string[]} */
      const found = [];
      Object.assign(globalThis, { violations: found });
      addEventListener("securitypolicyviolation", ({ effectiveDirective }) =>
        found.push(effectiveDirective),
      );
    });
  await open(
    body,
    async (page) => {
      await frozen(page);
      await page.locator("logit-lens").waitFor();
      assert.deepEqual(await page.evaluate(() => /** @type {any} */ (globalThis).violations), []);
    },
    { before: violations },
  );
  policy = `${STRICT}; connect-src 'none'`;
  await open(
    '<candle-scope src="figure.json"></candle-scope>',
    async (page) => {
      assert.match(
        await said(page),
        /the snapshot .*figure\.json was stopped by this page's Content-Security-Policy \(connect-src\): allow http:\/\/localhost:\d+ there/,
      );
    },
    { expect: /Content.Security.Policy|violates/i },
  );
});

test("a shadow root and a sandboxed frame", async () => {
  const inner = pageOf(
    `<candle-snapshot>${inlined(attention)}</candle-snapshot>`,
    `${host.origin}${SNAPSHOT}`,
  )
    .replace("/cs/icon.svg", "data:,")
    .replaceAll("&", "&amp;")
    .replaceAll('"', "&quot;");
  const body = `<div id="host"></div><iframe sandbox="allow-scripts" srcdoc="${inner}"></iframe>`;
  await open(body, async (page) => {
    await page.evaluate(
      (html) => {
        const root = document.querySelector("#host")?.attachShadow({ mode: "open" });
        const template = document.createElement("template");
        template.innerHTML = html;
        root?.append(template.content);
      },
      `<candle-scope>${inlined(attention)}</candle-scope>`,
    );
    await frozen(page);
    const frame = page.frames()[1];
    assert.equal(await frame.evaluate(() => self.origin), "null");
    await frozen(frame);
    assert.equal(await frame.locator("attention-pattern").count(), 1);
  });
});

test("a page from a disk draws the snapshot in it, and says that it cannot read one beside it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "candlescope-disk-"));
  const context = await site.browser.newContext();
  try {
    const script = `${host.origin}${SNAPSHOT}`;
    const body = `<candle-snapshot>${inlined(attention)}</candle-snapshot><candle-snapshot src="figure.json"></candle-snapshot>`;
    await writeFile(
      join(folder, "post.html"),
      pageOf(body, script).replace("/cs/icon.svg", "data:,"),
    );
    await writeFile(join(folder, "figure.json"), JSON.stringify(attention));
    const page = await context.newPage();
    await page.goto(pathToFileURL(join(folder, "post.html")).href);
    await frozen(page);
    assert.match(
      await said(page),
      /a page from a disk cannot read file:.*figure\.json: put the snapshot into the element/,
    );
  } finally {
    await context.close();
    await rm(folder, { recursive: true });
  }
});

test("the page of one figure draws a snapshot, and asks before it fetches one from another host", async () => {
  const embed = "cs/embed.html#src=/figure.json";
  await visit({ ...site, url: host.url }, { path: embed }, async (page) => {
    await frozen(page);
    assert.deepEqual(askedForModel(), []);
    const foreign = `http://127.0.0.1:${new URL(host.url).port}/figure.json`;
    await page.evaluate((src) => (location.hash = `#src=${src}&live=auto&loading=eager`), foreign);
    const button = page.getByRole("button", { name: "show this figure" });
    await button.waitFor();
    const asked = host.asked.filter((path) => path === "/figure.json").length;
    await button.click();
    await frozen(page);
    assert.equal(host.asked.filter((path) => path === "/figure.json").length, asked + 1);
    assert.deepEqual(askedForModel(), []);
    // Nor does a snapshot of this host, or an empty address of one, bring a model of another host with it.
    const model = foreign.replace("figure.json", "cs/models/shakespeare");
    for (const [src, name] of [
      ["/figure.json", "show this figure"],
      ["", "run this figure"],
    ]) {
      await page.evaluate((hash) => (location.hash = hash), `#src=${src}&model=${model}&live=auto`);
      await page.getByRole("button", { name }).waitFor();
      assert.deepEqual(askedForModel(), []);
    }
  });
});

// ---- live ----

for (const [name, script] of /** @type {const} */ ([
  ["candle-scope", undefined],
  ["candle-snapshot", SNAPSHOT],
]))
  test(`run live puts the live figure in the place of ${name}, in the same state`, async () => {
    await open(
      `<${name} src="figure.json" scale="sqrt"></${name}>`,
      async (page) => {
        await frozen(page);
        await page
          .getByText(
            /loads Shakespeare from this site: [\d,]+ parameters, .* MB in a file of 16 bits/,
          )
          .waitFor();
        const { x, y } = await cellAt(page, 5, 2);
        await page.mouse.click(x, y);
        await eventually(async () =>
          assert.deepEqual((await state(page)).lock, { query: 5, key: 2 }),
        );
        await page.getByRole("button", { name: "run live" }).click();
        await page.waitForFunction(() => {
          /** @type {(root: ParentNode) => any[]} */
          const find = (root) =>
            [...root.querySelectorAll("*")].flatMap((/** @type {any} */ one) => [
              ...(one.localName === "candle-scope" ? [one] : []),
              ...(one.shadowRoot ? find(one.shadowRoot) : []),
            ]);
          return find(document).some((one) => one.reading && !one.busy);
        });
        await page
          .getByText(/^Live: computed here by http.*\/cs\/models\/shakespeare in f32\.$/)
          .waitFor();
        assert.equal(await page.locator("snapshot-figure").count(), 0);
        const { hovered: _, ...found } = await state(page);
        assert.deepEqual(found, {
          ...{ view: "attention", layer: 1, head: 1, scale: "sqrt", text: TEXT },
          lock: { query: 5, key: 2 },
        });
        const off = await page
          .locator("scope-figure")
          .evaluate((/** @type {any} */ one) => one.reading.interventions);
        assert.deepEqual(
          off.map((/** @type {any} */ one) => [one.at, one.head, one.do]),
          [["blocks.1.attn.hook_z", 0, "zero"]],
        );
        assert.equal(
          await page.locator("scope-figure .changed").innerText(),
          "With head 1.0 switched off.",
        );
        assert.ok(await page.getByText("A <b>caption</b>").isVisible());
        await page.locator(name).evaluate((one) => one.setAttribute("src", "lens.json"));
        await page.locator("logit-lens").waitFor();
        assert.equal((await state(page)).view, "lens");
        assert.equal(await page.locator("snapshot-figure").count(), 1);
      },
      { script },
    );
  });

test("a load that fails leaves the snapshot, with the error; another try can succeed", async () => {
  await open(
    '<candle-scope src="figure.json"></candle-scope>',
    async (page) => {
      await frozen(page);
      await page.route("**/*.safetensors", (route) => route.fulfill({ status: 404, body: "no" }));
      await page.getByRole("button", { name: "run live" }).click();
      await page.locator("error-notice .notice").waitFor();
      const error = await page
        .locator("candle-scope")
        .evaluate((/** @type {any} */ one) => one.error.name);
      assert.equal(error, "NetworkError");
      await frozen(page);
      assert.equal((await state(page)).layer, 1);
      await page.unroute("**/*.safetensors");
      await page.getByRole("button", { name: "run live" }).click();
      await page.getByText(/^Live: computed here/).waitFor();
      assert.equal(await page.locator("error-notice .notice").count(), 0);
    },
    { expect: /404/ },
  );
});

test("without a source, with live=none or without code that loads models there is no button; another model can be named", async () => {
  const none = structuredClone(attention);
  none.model.source = null;
  host.pages["/none.json"] = JSON.stringify(none);
  const body = `<candle-scope src="none.json"></candle-scope><candle-scope src="figure.json" live="none"></candle-scope>`;
  await open(body, async (page) => {
    await page.waitForFunction(() => document.querySelectorAll("candle-scope").length === 2);
    await frozen(page);
    assert.equal(await page.getByRole("button", { name: "run live" }).count(), 0);
    await page
      .locator("candle-scope")
      .first()
      .evaluate((one) => one.setAttribute("model", "/cs/models/shakespeare"));
    await page.getByText("loads the model from this site: its size is not known").waitFor();
    await page.getByRole("button", { name: "run live" }).click();
    await page.getByText(/^Live: computed here by \/cs\/models\/shakespeare/).waitFor();
  });
});

test("live=auto shows the snapshot, then the live figure", async () => {
  await open('<candle-scope src="figure.json" live="auto"></candle-scope>', async (page) => {
    await page.getByText(/^Live: computed here/).waitFor();
    assert.equal((await state(page)).layer, 1);
  });
});

test("an intervention in JavaScript of a snapshot is not run", async () => {
  const data = structuredClone(attention);
  const js = "(x) => { throw new Error('ran'); }";
  Object.assign(data.state, { interventions: [{ at: "blocks.0.attn.hook_z", do: { js } }] });
  host.pages["/script.json"] = JSON.stringify(data);
  await open('<candle-scope src="script.json"></candle-scope>', async (page) => {
    await frozen(page);
    await page.getByRole("button", { name: "run live" }).click();
    await page.getByText(/^Live: computed here/).waitFor();
    await page.getByText("An intervention in JavaScript is switched off").waitFor();
  });
});

test("a script gives a snapshot as an object, and runs it live", async () => {
  await open("<candle-scope></candle-scope>", async (page) => {
    await page
      .locator("candle-scope")
      .evaluate((one, snapshot) => Object.assign(one, { snapshot }), attention);
    await frozen(page);
    await page.locator("candle-scope").evaluate((/** @type {any} */ one) => one.runLive());
    await page.getByText(/^Live: computed here/).waitFor();
  });
});

test("the module and the data of a figure of 32 tokens are at most 60 kB in brotli", async () => {
  const { brotliCompressSync } = await import("node:zlib");
  const { readFile } = await import("node:fs/promises");
  const [{ reading }] = [attention];
  assert.ok(reading.ids.length > 5);
  const [long] = await takeSnapshots(site, [
    { text: "the moon and the sea and ".repeat(8).slice(0, 140) },
  ]);
  assert.ok(long.reading.ids.length >= 32, `${long.reading.ids.length} tokens`);
  const module = brotliCompressSync(await readFile(join(DIST, "snapshot.js"))).length;
  const data = brotliCompressSync(JSON.stringify(long)).length;
  console.log(`# snapshot.js ${module} B, ${long.reading.ids.length} tokens ${data} B`);
  assert.ok(module + data < 60_000);
});
