// Links from others and pages with other content: a link's model from another host is loaded only after consent, the address is
// checked against the model, element ids cannot replace global variables, and isolate.js can be switched off.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";

import { DIST, eventually, settled, start, visit } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {Awaited<ReturnType<typeof startHost>>} */
let other;

before(async () => {
  [site, other] = await Promise.all([start(), startHost()]);
});
after(async () => {
  await site?.stop();
  other?.close();
});
beforeEach(() => {
  other.asked.length = 0;
});

/** Another host, with the built page and a list of what it was asked for. It sets no headers but the type and CORS. */
async function startHost() {
  /** @type {string[]} */
  const asked = [];
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    asked.push(path);
    const page = PAGES[path];
    if (page !== undefined)
      return void response.writeHead(200, { "content-type": "text/html" }).end(page);
    const type =
      { ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" }[
        extname(path)
      ] ?? "application/octet-stream";
    const headers = {
      "content-type": type,
      "access-control-allow-origin": "*",
      etag: '"1"',
      "access-control-expose-headers": "etag",
    };
    readFile(join(DIST, path)).then(
      (bytes) => response.writeHead(200, headers).end(request.method === "HEAD" ? "" : bytes),
      () => response.writeHead(404, headers).end(),
    );
  });
  await new Promise((done) => server.listen(0, "localhost", () => done(undefined)));
  const address = server.address();
  assert.ok(address && typeof address === "object");
  return {
    asked,
    host: `localhost:${address.port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** @type {Record<string, string>} */
const PAGES = {
  "/on.html": '<!doctype html><script src="isolate.js"></script>',
  "/off.html": '<!doctype html><script src="isolate.js" data-off></script>',
};

/** @param {string} model */
const linkTo = (model) => `#${new URLSearchParams({ model, prompt: "the moon, the moon" })}`;
/** @param {Page} page @returns {Promise<string>} */
const question = (page) => page.locator("load-consent [role=alert]").innerText();
/** @param {Page} page */
const asksFirst = (page) =>
  eventually(async () => assert.match(await question(page), /This link asks for a model from/));
/** @param {Page} page */
const modelName = (page) => page.locator("#model-name").innerText();
/** @param {Page} page @returns {Promise<string[]>} */
const storedFrom = (page) =>
  page.evaluate(async () => {
    const { storedModels } = await import(new URL("candlescope.js", location.href).href);
    return (await storedModels()).map((/** @type {unknown} */ one) => JSON.stringify(one));
  });

for (const [kind, path] of Object.entries({
  "a full address": "http://HOST/models/shakespeare",
  "an address without a scheme": "//HOST/models/shakespeare",
  backslashes: "http:\\\\HOST\\models\\shakespeare",
  "capitals and spaces": "  HTTP://HOST/models/shakespeare",
})) {
  test(`a link to another host asks first and sends nothing: ${kind}`, async () => {
    await visit(site, { path: linkTo(path.replace("HOST", other.host)) }, async (page) => {
      await asksFirst(page);
      assert.ok((await question(page)).includes(other.host));
      await page.waitForLoadState("networkidle");
      assert.deepEqual(other.asked, []);
      await page.getByRole("button", { name: "Do not load" }).click();
      await settled(page);
      assert.match(await modelName(page), /^Shakespeare/);
      assert.equal(await page.locator("#prompt").inputValue(), "the moon, the moon");
      assert.deepEqual(other.asked, []);
      assert.equal(await question(page), "");
    });
  });
}

test("a link to the Hugging Face hub asks first and names it", async () => {
  /** @type {string[]} */
  const asked = [];
  const before = (/** @type {Page} */ page) =>
    page.route(/huggingface/, (route) => (asked.push(route.request().url()), route.abort()));
  await visit(site, { path: linkTo("hf:openai-community/gpt2"), before }, async (page) => {
    await asksFirst(page);
    assert.match(await question(page), /huggingface\.co.*hf:openai-community\/gpt2/s);
    await page.waitForLoadState("networkidle");
    assert.deepEqual(asked, []);
  });
});

test("a model from another host is loaded after consent, and not kept unless asked", async () => {
  const source = `http://${other.host}/models/shakespeare`;
  await visit(site, { path: linkTo(source) }, async (page) => {
    await asksFirst(page);
    await page.getByRole("button", { name: `Load from ${other.host}` }).click();
    await settled(page);
    assert.ok(other.asked.includes("/models/shakespeare/model.safetensors"));
    assert.equal(await page.locator("#prompt").inputValue(), "the moon, the moon");
    await eventually(() =>
      assert.equal(new URLSearchParams(new URL(page.url()).hash.slice(1)).get("model"), source),
    );
    assert.deepEqual(
      (await storedFrom(page)).filter((one) => one.includes(other.host)),
      [],
    );
  });
});

test("a model from another host is kept when the reader asks for it", async () => {
  await visit(site, { path: linkTo(`http://${other.host}/models/shakespeare`) }, async (page) => {
    await asksFirst(page);
    await page.getByRole("checkbox", { name: /keep it in this browser/ }).check();
    await page.getByRole("button", { name: `Load from ${other.host}` }).click();
    await settled(page);
    await eventually(async () =>
      assert.equal((await storedFrom(page)).filter((one) => one.includes(other.host)).length, 1),
    );
  });
});

test("an address of another host that is typed over asks too, and the model on the page stays with its name", async () => {
  await visit(site, { path: "#prompt=to%20be" }, async (page) => {
    await settled(page);
    await page.evaluate(
      (hash) => void (location.hash = hash),
      linkTo(`http://${other.host}/models/shakespeare`),
    );
    await asksFirst(page);
    assert.match(await modelName(page), /^Shakespeare/);
    assert.equal(await page.locator("#prompt").inputValue(), "to be");
    await page.getByRole("button", { name: "Do not load" }).click();
    await eventually(() => {
      const asked = new URLSearchParams(new URL(page.url()).hash.slice(1));
      assert.deepEqual([asked.get("model"), asked.get("prompt")], [null, "to be"]);
    });
    assert.deepEqual(other.asked, []);
  });
});

test("an address that names a missing head, view or hook point is reported", async () => {
  await visit(
    site,
    { path: "#layer=9&head=40&view=constructor&hook=blocks.9.nothing" },
    async (page) => {
      await settled(page);
      await eventually(async () => {
        const notice = await page.locator("error-notice [role=alert]").first().innerText();
        assert.match(notice, /head 9\.40, but this model has \d+ layers of \d+ heads/);
        assert.match(notice, /the view "constructor"/);
        assert.match(notice, /the hook point "blocks\.9\.nothing"/);
      });
      const figure = await page.evaluate(() => {
        const { layer, head, view } = /** @type {any} */ (document.querySelector("scope-figure"));
        return { layer, head, view };
      });
      assert.equal(figure.view, "attention");
      assert.ok(figure.layer < 9 && figure.head < 40);
    },
  );
});

for (const hash of [
  "#%",
  "#prompt=%E0%A4%A",
  "#off=0.0,9.99,x&lock=9999,9999",
  "#=&&&layer=1e9",
  "#model=",
  "#view=__proto__",
]) {
  test(`a malformed address does not break the page: ${hash}`, async () => {
    await visit(site, { path: hash }, async (page) => {
      if (hash === "#model=")
        await eventually(async () =>
          assert.match(
            await page.locator("error-notice [role=alert]").first().innerText(),
            /choose its files again/,
          ),
        );
      else await settled(page);
    });
  });
}

test("an element called candlescopeWorker does not break loading", async () => {
  const before = (/** @type {Page} */ page) =>
    page.route(`${site.url}embedded.html`, (route) =>
      route.fulfill({
        contentType: "text/html",
        body: '<!doctype html><form id="candlescopeWorker"><input name="onerror"></form><script type="module" src="elements.js"></script><candle-scope model="models/shakespeare" prompt="the moon, the moon"></candle-scope>',
      }),
    );
  await visit(site, { path: "embedded.html", before }, async (page) => {
    await page.waitForFunction(
      () => /** @type {any} */ (document.querySelector("candle-scope"))?.reading?.loss > 0,
    );
  });
});

test("isolate.js is switched off by a site and by a visitor, and on again", async () => {
  const context = await site.browser.newContext();
  const page = await context.newPage();
  const state = () =>
    page.evaluate(async () => ({
      isolated: crossOriginIsolated,
      workers: (await navigator.serviceWorker.getRegistrations()).length,
    }));
  /** @param {string} path @param {{ isolated: boolean, workers: number }} expected */
  const opens = async (path, expected) => {
    await page.goto(`http://${other.host}/${path}`);
    await eventually(async () => assert.deepEqual(await state(), expected));
  };
  try {
    await opens("on.html", { isolated: true, workers: 1 });
    await opens("off.html", { isolated: false, workers: 0 });
    await opens("on.html", { isolated: true, workers: 1 });
    await opens("on.html?candlescope-isolate=off", { isolated: false, workers: 0 });
    await opens("on.html", { isolated: false, workers: 0 });
    await opens("on.html?candlescope-isolate=on", { isolated: true, workers: 1 });
    // The page may be isolated before its script has run.
    await page.waitForFunction(() => {
      const { candlescopeIsolate } = /** @type {any} */ (globalThis);
      candlescopeIsolate?.off();
      return candlescopeIsolate !== undefined;
    });
    await eventually(async () => assert.equal((await state()).workers, 0));
  } finally {
    await context.close();
  }
});

test("isolate.js leaves another service worker of the site alone", async () => {
  const context = await site.browser.newContext();
  const page = await context.newPage();
  try {
    await page.goto(`http://${other.host}/tensor.js`);
    const own = await page.evaluate(async () => {
      await navigator.serviceWorker
        .register("/hash-worker.js")
        .catch(() => navigator.serviceWorker.register("/helper.js"));
      return (await navigator.serviceWorker.getRegistrations()).length;
    });
    assert.equal(own, 1);
    /** @type {string[]} */
    const messages = [];
    page.on("console", (message) => messages.push(message.text()));
    for (const path of ["on.html", "off.html"]) {
      await page.goto(`http://${other.host}/${path}`);
      if (path === "on.html")
        await eventually(() =>
          assert.ok(messages.some((one) => one.includes("a service worker of its own"))),
        );
      const scripts = await page.evaluate(async () =>
        (await navigator.serviceWorker.getRegistrations()).map(
          ({ active, waiting, installing }) => (active ?? waiting ?? installing)?.scriptURL,
        ),
      );
      assert.deepEqual(scripts, [`http://${other.host}/helper.js`]);
    }
  } finally {
    await context.close();
  }
});
