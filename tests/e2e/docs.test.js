// The documentation: its examples run and print what they say, the site works below any path under a strict policy, its links lead
// somewhere, and axe-core finds nothing on it.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { after, before, describe, it } from "node:test";

import { readSnapshot } from "../../www/session/snapshot/read.ts";
import { GROUPS } from "../../docs/site/pages.mjs";
import { DIST, eventually, openApi, settled, start, visit } from "./browser.js";
import {
  CHECKED,
  examplesOf,
  isAsSaid,
  isOutput,
  NOT_CODE,
  pageOf,
  runPython,
  runSection,
} from "./doc-examples.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("./doc-examples.js").Example} Example */

const DOCS = join(DIST, "docs");
const PAGES = GROUPS.flatMap(({ pages }) => pages);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** What docs/questions.md says that the site needs. */
const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'";
/** The models of the examples, whose addresses are at example.org: folders of tests/fixtures/family. */
const MODELS = { "my-model": "vocab_merges", nanogpt: "nanogpt_ckpt", flax: "flax_notebook_none" };
const FIXTURES = new URL("../fixtures/family/", import.meta.url).pathname;
/** The site and the lab, below a path. */
const BELOW = "/some/where/";

const examples = ["README.md", ...new Set(PAGES.map(({ source }) => source))].flatMap(examplesOf);
const whereOf = (/** @type {Example} */ { file, line }) => `${file}:${line}`;
const running = examples.filter(({ flags }) => !flags.includes("no-run"));

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** The page of an HTML example that is asked for next. */
let html = "";
/** The snapshot that examples name. */
let figure = "";
before(async () => {
  site = await start(DIST, (request, response) => {
    const url = request.url ?? "";
    if (url === "/example.html") {
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(pageOf(html));
      return true;
    }
    if (url === "/figure.json") {
      response.writeHead(200, { "Content-Type": "application/json" }).end(figure);
      return true;
    }
    if (url.startsWith("/candlescope/")) request.url = url.slice("/candlescope".length);
    if (url.startsWith(BELOW)) {
      response.setHeader("Content-Security-Policy", POLICY);
      request.url = `/${url.slice(BELOW.length)}`;
    }
    return false;
  });
});
after(() => site.stop());

/** Answers requests for the models of the examples. @param {Page} page */
const routeModels = (page) =>
  page.route("https://example.org/**", (route) => {
    const [, folder, name] = new URL(route.request().url()).pathname.split("/");
    const fixture = MODELS[/** @type {keyof typeof MODELS} */ (folder)];
    const path = join(FIXTURES, fixture ?? "", name ?? "");
    const headers = { "access-control-allow-origin": "*" };
    return fixture && name && existsSync(path)
      ? route.fulfill({ path, headers })
      : route.fulfill({ status: 404, headers });
  });

/**
 * Waits until every custom element of some examples has drawn something. A figure on request has its button.
 * @param {import("playwright-core").Locator} examples
 */
async function drawn(examples) {
  for (const example of await examples.all()) {
    await example.scrollIntoViewIfNeeded(); // figures are loaded near the screen
    await eventually(async () => assert.deepEqual(await example.evaluate(missing), []));
    assert.deepEqual(await example.locator("[role=alert]:visible").allInnerTexts(), []);
  }
}

/** In the page: the custom elements that have drawn nothing. @param {Element} example */
function missing(example) {
  /** @param {Element} element @returns {Element[]} */
  const inside = (element) =>
    [...(element.shadowRoot ?? element).querySelectorAll("*")].flatMap((one) =>
      one.shadowRoot ? [one, ...inside(one)] : [one],
    );
  const isPicture = (/** @type {Element} */ one) => {
    const { width, height } = one.getBoundingClientRect();
    const isDrawing = /^(canvas|svg|table)$/.test(one.localName) && width > 8 && height > 8;
    return isDrawing || one.matches(".token, .bar, .cell, [role=tree], [role=gridcell]");
  };
  const isDrawn = (/** @type {any} */ element) => {
    if (element.localName !== "candle-scope") return inside(element).some(isPicture);
    if (element.loading === "on-request")
      return inside(element).some(({ localName }) => localName === "button");
    return Boolean(element.reading) && inside(element).some(isPicture);
  };
  const elements = [...example.querySelectorAll("*")].filter(({ localName }) =>
    localName.includes("-"),
  );
  if (elements.length === 0) return ["no element"];
  return elements.filter((element) => !isDrawn(element)).map(({ localName }) => localName);
}

describe("the examples", () => {
  it("run, or say why they do not", () => {
    assert.ok(running.length > 50, `${running.length} examples`);
    const unknown = running.filter(({ language }) => ![...CHECKED, ...NOT_CODE].includes(language));
    assert.deepEqual(unknown.map(whereOf), []);
    const others = examples.filter((example) => !running.includes(example));
    assert.deepEqual(others.filter(({ reason }) => reason === "").map(whereOf), []);
  });

  it("in JavaScript and Python print what their comments say", async () => {
    /** @type {Map<string, Example[]>} */
    const sections = new Map();
    for (const example of running) {
      if (!["js", "python"].includes(example.language)) continue;
      const key = `${example.file}: ${example.section}`;
      sections.set(key, [...(sections.get(key) ?? []), example]);
    }
    const wrong = [];
    let figures = 0;
    const page = await site.browser.newPage(); // one, so that the model stays in its storage
    await routeModels(page);
    for (const blocks of sections.values()) {
      const isLab = blocks.some(({ flags }) => flags.includes("lab"));
      html = "";
      await page.goto(site.url + (isLab ? "index.html" : "example.html"));
      if (isLab) await settled(page);
      const of = (/** @type {string} */ name) => blocks.filter(({ language }) => language === name);
      const results = await runSection(page, of("js"));
      const inPython = runPython(
        of("python"),
        results.flatMap(({ files }) => files),
      );
      for (const { figure } of inPython) {
        if (figure === null) continue;
        readSnapshot(figure); // throws what does not fit
        figures += 1;
      }
      for (const { example, printed, error } of [...results, ...inPython])
        if (error || !isAsSaid(example, printed))
          wrong.push(`${whereOf(example)}: ${error ?? `printed ${JSON.stringify(printed)}`}`);
    }
    await page.close();
    assert.deepEqual(wrong, []);
    assert.equal(figures, 2, "blocks that write a snapshot with Python");
  });

  it("in HTML draw their figures", async () => {
    const blocks = running.filter(({ language }) => language === "html");
    assert.ok(blocks.length > 30, `${blocks.length} examples`);
    const api = await openApi(site);
    figure = await api.evaluate(async () => {
      const model = await /** @type {any} */ (globalThis).api.loadModel("models/shakespeare");
      return JSON.stringify(await model.snapshot("To be, or not to be"));
    });
    await api.close();
    const wrong = [];
    for (const example of blocks) {
      if (example.flags.includes("live")) continue; // it runs on its page of the site
      html =
        example.code.includes("<script") || example.code.includes("<iframe")
          ? example.code
          : `<script type="module" src="candlescope/elements.js"></script>${example.code}`;
      try {
        await visit(
          site,
          {
            path: "example.html",
            before: (page) =>
              page.route("https://example.org/**", (route) =>
                route.fulfill({ status: 302, headers: { location: site.url } }),
              ),
          },
          async (page) => {
            if (example.code.includes("<iframe")) await page.locator("iframe").waitFor();
            else await drawn(page.locator("body"));
          },
        );
      } catch (error) {
        wrong.push(`${whereOf(example)}: ${error}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it("in JSON and CSS can be read", async () => {
    for (const { language, code } of running) if (language === "json") JSON.parse(code);
    const page = await site.browser.newPage();
    for (const example of running.filter(({ language }) => language === "css")) {
      const count = await page.evaluate((code) => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(code);
        return sheet.cssRules.length;
      }, example.code);
      assert.ok(count > 0, whereOf(example));
    }
    await page.close();
  });

  it("would be found wrong: what is printed, a wrong name, a block without a language that runs", async () => {
    assert.ok(isOutput("0.9671 4,4", "0.97 4,4"));
    assert.ok(!isOutput("0.94", "0.97"));
    assert.ok(!isOutput("1,4,7,7", "1,4,8,8"));
    assert.ok(!isOutput("a 1", "b 1"));
    const page = await site.browser.newPage();
    html = "";
    await page.goto(`${site.url}example.html`);
    const block = {
      file: "",
      line: 0,
      section: "",
      language: "js",
      flags: [],
      before: "",
      reason: "",
      code: "await model.runWithCash(text);",
    };
    const [{ error }] = await runSection(page, [block]);
    assert.match(error ?? "", /runWithCash is not a function/);
    const [inPython] = runPython([{ ...block, code: "print(2)\nnumpi.load()" }], []);
    assert.deepEqual(inPython.printed, ["2"]);
    assert.match(inPython.error ?? "", /name 'numpi' is not defined/);
    assert.ok(!isAsSaid({ ...block, code: "print(2) # → 3" }, ["2"]));
    await page.close();
  });
});

describe("the site", () => {
  const files = () =>
    readdirSync(DOCS, { recursive: true, encoding: "utf8" }).filter((path) =>
      path.endsWith(".html"),
    );
  const read = (/** @type {string} */ path) => readFileSync(path, "utf8");
  const idsOf = (/** @type {string} */ text) =>
    new Set([...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id));

  it("has a page for each Markdown file, and the API", () => {
    const found = files();
    for (const { name } of PAGES) assert.ok(found.includes(`${name}.html`), name);
    for (const name of ["Model", "Tensor", "loadModel", "Intervention"])
      assert.ok(found.includes(`api/${name}.html`), name);
  });

  it("links only to what exists, by relative addresses", () => {
    const ids = new Map(files().map((path) => [join(DOCS, path), idsOf(read(join(DOCS, path)))]));
    const broken = [];
    for (const [file] of ids)
      for (const [, address] of read(file).matchAll(/\s(?:href|src|data-script)="([^"]*)"/g)) {
        if (/^(https?:|data:|mailto:)/.test(address)) continue;
        const [path, anchor] = address.split("#");
        const target =
          path === ""
            ? file
            : join(address.startsWith("../examples/") ? join(DOCS, "assets") : dirname(file), path);
        const isThere =
          !address.startsWith("/") &&
          existsSync(target) &&
          (!anchor || !ids.has(target) || ids.get(target)?.has(decodeURIComponent(anchor)));
        if (!isThere) broken.push(`${relative(DOCS, file)}: ${address}`);
      }
    assert.deepEqual(broken, []);
  });

  it("draws its live examples below a path, under a strict policy, without an error", async () => {
    for (const name of [
      "index",
      "start",
      "interventions",
      "induction",
      "gallery",
      "embedding",
      "elements",
      "guide",
    ])
      await visit(site, { path: `${BELOW.slice(1)}docs/${name}.html` }, async (page) => {
        await drawn(page.locator(".live"));
        const problems = page.locator("candle-scope .problems li");
        assert.deepEqual(await problems.allInnerTexts(), [], name);
      });
  });

  it("searches, keeps the theme of the lab, and shows its pages on a phone", async () => {
    await visit(
      site,
      { path: `${BELOW.slice(1)}docs/index.html`, width: 390, height: 844, touch: true },
      async (page) => {
        assert.equal(await page.locator("#pages").isVisible(), false);
        await page.locator("#menu").click();
        await page.locator("#pages a", { hasText: "Measurements" }).click();
        await page.locator("h1", { hasText: "Measurements" }).waitFor();
        await page.locator("#tsd-search-trigger").click();
        await page.locator("#tsd-search-input").fill("rollout");
        await page.locator("#tsd-search-results a").first().waitFor();
        await page.keyboard.press("Escape");
        await page.locator("#theme").click();
        assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
        await page.locator("header .lab").click();
        await settled(page);
        assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
        await page.locator("#docs").click();
        await page.locator("h1", { hasText: "Documentation" }).waitFor();
      },
    );
  });

  it("fits into 320 px", async () => {
    await visit(
      site,
      { path: "docs/index.html", width: 320, height: 640, touch: true },
      async (page) => {
        for (const name of [
          "index",
          "guide",
          "measurements",
          "notebook",
          "checkpoints",
          "gallery",
          "api/Model",
          "modules",
        ]) {
          await page.goto(`${site.url}docs/${name}.html`);
          const width = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(width <= 320, `${name}: ${width} px`);
        }
      },
    );
  });

  for (const [mode, options] of Object.entries({
    light: {},
    dark: { dark: true },
    "a phone, light": { width: 390, height: 844, touch: true },
    "a phone, dark": { width: 390, height: 844, touch: true, dark: true },
  }))
    it(`has nothing that axe finds: ${mode}`, async () => {
      await visit(site, { path: "docs/index.html", ...options }, async (page) => {
        const found = [];
        for (const name of [
          "index",
          "measurements",
          "induction",
          "gallery",
          "api/Model",
          "modules",
        ]) {
          await page.goto(`${site.url}docs/${name}.html`);
          await page.locator("h1").first().waitFor();
          await drawn(page.locator(".live"));
          found.push(...(await violations(page)).map((line) => `${name}: ${line}`));
        }
        assert.deepEqual(found, []);
      });
    });
});

/** What axe finds on a page: a line for each element. @param {Page} page @returns {Promise<string[]>} */
async function violations(page) {
  await page.evaluate(AXE);
  return eventually(() =>
    page.evaluate(async () => {
      const { violations } = await /** @type {any} */ (globalThis).axe.run(document, {
        resultTypes: ["violations"],
      });
      return violations.flatMap((/** @type {any} */ { id, nodes }) =>
        nodes.map(
          (/** @type {any} */ { target, failureSummary }) =>
            `${id} at ${target.flat().join(" > ")}: ${failureSummary}`,
        ),
      );
    }),
  );
}
