// Where a figure works: scripts from another origin, frames of all kinds, pages from a disk, shadow roots, no JavaScript.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

import { CHROMIUM, DIST, eventually, visit } from "./browser.js";
import { drawn, figure, pageOf, startHost, useHost } from "./host.js";

/** @typedef {import("playwright-core").Page} Page */

const { site, host, open } = useHost();
/** @type {Awaited<ReturnType<typeof startHost>>} a CDN */
let other;
before(async () => {
  other = await startHost();
});
after(() => other?.stop());

const PROMPT = 'prompt="the moon, the moon"';
/** A page with a figure whose script and model are at an origin. @param {string} [origin] */
const inner = (origin = "") =>
  pageOf(
    `<candle-scope model="${origin}/cs/models/shakespeare" ${PROMPT}></candle-scope>`,
    `${origin}/cs/elements.js`,
  ).replace("/cs/icon.svg", "data:,");
const escaped = (/** @type {string} */ html) =>
  html.replaceAll("&", "&amp;").replaceAll('"', "&quot;");

/** The frame of a page, when it is there. @param {Page} page */
async function frameOf(page) {
  const frame = await eventually(async () => {
    const [, found] = page.frames();
    assert.ok(found && found.url() !== "about:blank");
    return found;
  });
  await frame.waitForSelector("candle-scope", { state: "attached" });
  return frame;
}

/** How many tokens the figure has. @param {Page | import("playwright-core").Frame} page */
const tokens = (page) =>
  page.evaluate(() =>
    /** @type {any} */ (document.querySelector("candle-scope")).reading?.tokens.join(""),
  );

test("the script, the worker, the wasm and the model come from another origin", async () => {
  host.pages["/page.html"] = inner(other.origin);
  await visit({ ...site, url: host.url }, { path: "page.html" }, async (page) => {
    await drawn(page);
    assert.equal(await tokens(page), "the moon, the moon");
    assert.ok(other.asked.includes("/cs/worker.js"));
    assert.ok(other.asked.some((path) => path.endsWith(".wasm")));
  });
});

test("a sandboxed frame with allow-scripts only: no origin, no storage, no service worker", async () => {
  const html = escaped(inner(other.origin));
  await open(`<iframe sandbox="allow-scripts" srcdoc="${html}"></iframe>`, async (page) => {
    const frame = await frameOf(page);
    await drawn(frame);
    assert.equal(await frame.evaluate(() => self.origin), "null");
    assert.equal(await tokens(frame), "the moon, the moon");
  });
});

test("a frame with srcdoc takes addresses from the page around it", async () => {
  await open(`<iframe srcdoc="${escaped(inner())}"></iframe>`, async (page) => {
    const frame = await frameOf(page);
    await drawn(frame);
    assert.equal(await tokens(frame), "the moon, the moon");
  });
});

/** Opens an address in a browser that lets pages without an origin ask this computer, as they may ask any other host. @param {string} address @param {(page: Page) => Promise<void>} act */
async function openOutside(address, act) {
  const args = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"];
  const browser = await chromium.launch({ executablePath: CHROMIUM, args });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(address);
    await act(page);
  } finally {
    await browser.close();
  }
}

test("a data: page", async () => {
  await openOutside(`data:text/html,${encodeURIComponent(inner(other.origin))}`, async (page) => {
    await drawn(page);
    assert.equal(await tokens(page), "the moon, the moon");
  });
});

test("a page on a disk with the script of a host", async () => {
  const folder = await mkdtemp(join(tmpdir(), "candlescope-disk-"));
  try {
    await writeFile(join(folder, "post.html"), inner(other.origin));
    await openOutside(pathToFileURL(join(folder, "post.html")).href, async (page) => {
      await drawn(page);
      assert.equal(await tokens(page), "the moon, the moon");
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

for (const name of ["index.html", "embed.html", "notebook.html"])
  test(`${name} that is opened from a disk says why it does not work, and what does`, async () => {
    await openOutside(pathToFileURL(join(DIST, name)).href, async (page) => {
      const text = await page.locator("body").innerText();
      assert.match(text, /This page was opened from a disk/);
      assert.match(text, /python3 -m http\.server --directory/);
      assert.match(text, /http:\/\/localhost:8000\//);
    });
  });

test("a shadow root", async () => {
  await open('<div id="host"></div>', async (page) => {
    await page.evaluate((html) => {
      const root = document.querySelector("#host")?.attachShadow({ mode: "open" });
      const template = document.createElement("template");
      template.innerHTML = html;
      root?.append(template.content);
    }, figure(PROMPT));
    await page.waitForFunction(() => {
      const root = document.querySelector("#host")?.shadowRoot;
      const scope = /** @type {any} */ (root?.querySelector("candle-scope"));
      return scope?.reading && !scope.busy;
    });
  });
});

test("without JavaScript the fallback content is shown, and the pages say what they need", async () => {
  const context = await site.browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  host.pages["/page.html"] = pageOf(figure(PROMPT, "<p>A picture of the head.</p>"));
  await page.goto(`${host.url}page.html`);
  assert.ok(await page.getByText("A picture of the head.").isVisible());
  for (const name of ["index.html", "embed.html"]) {
    await page.goto(`${host.url}cs/${name}`);
    assert.ok(await page.getByText(/needs JavaScript and WebAssembly/).isVisible(), name);
  }
  await page.goto(`${host.url}cs/index.html`);
  assert.equal(await page.locator("button:visible, textarea:visible").count(), 0);
  await context.close();
});

// ---- frames of the page of one figure ----

/** The snippet of docs/embedding.md. */
const LISTEN = `<script>
  addEventListener("message", ({ data, source }) => {
    if (data?.type !== "candlescope:height") return;
    for (const frame of document.querySelectorAll("iframe"))
      if (frame.contentWindow === source) frame.style.height = data.height + "px";
  });
</script>`;

for (const [name, sandbox] of [
  ["a frame", ""],
  ["a sandboxed frame", 'sandbox="allow-scripts"'],
])
  test(`${name} of index.html?embed shows one figure and says how high it is`, async () => {
    const address = `${other.url}cs/index.html?embed#prompt=the+moon,+the+moon&amp;off=1.0&amp;layer=1&amp;head=1`;
    const body = `${LISTEN}<iframe ${sandbox} src="${address}" width="600" height="10"></iframe>`;
    await open(body, async (page) => {
      const frame = await eventually(async () => {
        const found = page.frames().find((one) => one.url().includes("embed.html"));
        assert.ok(found);
        return found;
      });
      await drawn(frame);
      const state = await frame.evaluate(() => {
        const scope = /** @type {any} */ (document.querySelector("candle-scope"));
        const { layer, head, off } = scope.renderRoot.querySelector("scope-figure");
        return { layer, head, off, text: scope.reading.text };
      });
      assert.deepEqual(state, {
        ...{ layer: 1, head: 1, text: "the moon, the moon" },
        off: [{ layer: 1, head: 0 }],
      });
      await eventually(async () => {
        const [outside, inside] = [
          await page.locator("iframe").evaluate((one) => one.clientHeight),
          await frame.evaluate(() => document.body.getBoundingClientRect().height),
        ];
        assert.ok(inside > 200 && Math.abs(outside - inside) < 2, `${outside} and ${inside} px`);
      });
    });
  });

test("the page of one figure follows its address, and names what it does not know", async () => {
  const path = "cs/embed.html#prompt=the+moon,+the+moon&lesson=heads";
  await visit({ ...site, url: host.url }, { path }, async (page) => {
    await drawn(page);
    await page.getByText("The address has names that a figure does not know: lesson.").waitFor();
    await page.evaluate(() => (location.hash = "#prompt=the+king,+the+king&view=lens"));
    await page.locator("candle-scope logit-lens").waitFor();
    await eventually(async () => assert.equal(await tokens(page), "the king, the king"));
    assert.equal(await page.locator("#problems").isVisible(), false);
  });
});

test("the page of one figure asks before it loads a model from another host, and runs no code of a link", async () => {
  const script = JSON.stringify([{ at: "blocks.0.attn.hook_z", do: { js: "() => 0" } }]);
  const params = new URLSearchParams({
    ...{
      model: `${other.origin}/cs/models/shakespeare`,
      prompt: "the moon",
      interventions: script,
    },
    loading: "eager",
  });
  other.asked.length = 0;
  await visit({ ...site, url: host.url }, { path: `cs/embed.html#${params}` }, async (page) => {
    const button = page.getByRole("button", { name: "run this figure" });
    await button.waitFor();
    await page.waitForLoadState("networkidle");
    assert.deepEqual(other.asked, []);
    await page.getByText("An intervention in JavaScript is switched off").waitFor();
    await button.click();
    await drawn(page);
  });
});
