// Private models: headers of the caller, and the caller's own fetch. In headless Chromium.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { start as startBrowser } from "./browser.js";
import * as faults from "./fault-server.js";

const IDS = [3, 1, 4, 1, 5];
const SECRET = "Bearer secret";

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let site;
/** @type {faults.FaultServer} */
let server;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  server = await faults.serveFaults();
  site = await startBrowser();
  page = await site.browser.newPage();
  await page.goto(`${server.url}dist/empty.html`);
});

after(async () => {
  await site?.stop();
  server?.close();
});

/** Answers 401 without the header. @type {faults.Fault} */
const locked = ({ request, response }) => {
  if (request.headers.authorization === SECRET) return false;
  response.writeHead(401).end();
  return true;
};

/**
 * @template A @param {(api: any, argument: A) => Promise<any>} inPage @param {A} argument
 * @returns {Promise<any>} what it returns, or the error's name and message
 */
const inPage = (inPage, argument) =>
  page.evaluate(
    `(async (argument) => {
    const api = await import("${server.url}dist/candlescope.js");
    api.loss = async (source, options) =>
      (await (await api.loadModel(source, options)).runWithCache(${JSON.stringify(IDS)})).loss;
    try {
      return await (${inPage})({ ...api }, argument);
    } catch ({ name, message }) {
      return { name, message };
    }
  })(${JSON.stringify(argument)})`
      .replace("api.loss =", "const loss =")
      .replace("{ ...api }", "{ ...api, loss }"),
  );

test("a private model loads with its header, is not kept, and not shared with a load without it", async () => {
  const folder = server.set("locked", { which: "config", fault: locked });
  const found = await inPage(
    async ({ loss, storedModels }, [folder, secret]) => {
      const headers = { Authorization: secret };
      const first = await loss(folder, { headers });
      const without = await loss(folder).catch((/** @type {Error} */ { name, message }) => ({
        name,
        message,
      }));
      const listed = await loss(folder, { headers: new Headers(headers) });
      return { first, listed, without, stored: (await storedModels()).length };
    },
    [folder, SECRET],
  );
  assert.equal(typeof found.first, "number", JSON.stringify(found));
  assert.equal(found.listed, found.first);
  assert.equal(found.without.name, "NetworkError");
  assert.match(found.without.message, /config\.json answered 401/);
  assert.equal(found.stored, 0);
});

test("a header does not follow a redirect to another host", async () => {
  /** @type {(string | undefined)[]} */
  const seen = [];
  const target = server.set("elsewhere", {
    which: "weights",
    fault: ({ request }) => (seen.push(request.headers.authorization), false),
  });
  const redirect = (/** @type {faults.Exchange} */ { response }) => (
    response.writeHead(302, { Location: `${target}/model.safetensors` }).end(), true
  );
  const folder = server.set("moved", { which: "weights", fault: redirect });
  const found = await inPage(
    async ({ loss }, folder) => loss(folder, { headers: { authorization: "Bearer x" } }),
    folder,
  );
  assert.equal(typeof found, "number", JSON.stringify(found));
  assert.ok(seen.length > 0);
  assert.deepEqual([...new Set(seen)], [undefined]);
  seen.length = 0;
  const refused = await inPage(
    async ({ loss }, folder) => loss(folder, { headers: { "x-key": "secret" } }),
    folder,
  );
  assert.equal(refused.name, "NetworkError", JSON.stringify(refused));
  assert.match(refused.message, /redirects, and the headers x-key might go to another host/);
  assert.deepEqual(seen, []);
});

test("the caller's fetch sends every request, and its bodies arrive whole", async () => {
  const folder = server.set("own", { which: "config", fault: locked });
  const found = await inPage(
    async ({ loss }, [folder, secret]) => {
      /** @type {string[]} */
      const asked = [];
      const own = (/** @type {string} */ address, /** @type {RequestInit} */ init) => {
        asked.push(address.split("/").at(-1) ?? "");
        const headers = { .../** @type {any} */ (init.headers), authorization: secret };
        return fetch(address, { ...init, headers });
      };
      const found = await loss(folder, { fetch: own });
      const isWrong = async () => ({ status: "no" });
      const wrong = await loss(folder, { fetch: isWrong }).catch(
        (/** @type {Error} */ { name, message }) => ({ name, message }),
      );
      return {
        found,
        asked: asked.slice(0, 3).sort(),
        wrong,
        again: await loss(folder, { fetch: own }),
      };
    },
    [folder, SECRET],
  );
  assert.equal(typeof found.found, "number", JSON.stringify(found));
  assert.equal(found.again, found.found);
  assert.deepEqual(found.asked, ["config.json", "model.safetensors", "tokenizer.json"]);
  assert.equal(found.wrong.name, "InputError");
  assert.match(found.wrong.message, /`fetch` of loadModel returned .*expected a Response/);
});

test("options that would leak a secret or do nothing are refused", async () => {
  const folder = server.set("options", { which: "config" });
  for (const [options, message] of /** @type {[object, RegExp][]} */ ([
    [{ keep: true, headers: { authorization: "x" } }, /`keep` is true beside `headers`/],
    [
      { headers: { cookie: "a=b" } },
      /`headers` of loadModel has `cookie`, which a page cannot send/,
    ],
    [{ headers: { "a b": "c" } }, /`headers` of loadModel cannot be read/],
    [{ fetch: "no" }, /`fetch` of loadModel is "no", expected a function/],
    [{ config: { n_head: Number.NaN } }, /`config\.n_head` of loadModel is/],
    [{ config: [1] }, /`config` of loadModel is/],
    [{ checkpoint: "../x" }, /`checkpoint` is "\.\.\/x"/],
  ])) {
    const found = await page.evaluate(
      `(async () => {
        const { loadModel } = await import("${server.url}dist/candlescope.js");
        const options = ${JSON.stringify(options).replace('"n_head":null', '"n_head":NaN')};
        return loadModel("${folder}", options).catch(({ name, message }) => ({ name, message }));
      })()`,
    );
    const { name, message: text } = /** @type {Error} */ (found);
    assert.equal(name, "InputError", text);
    assert.match(text, message);
  }
  assert.deepEqual(server.asked("options"), []);
});
