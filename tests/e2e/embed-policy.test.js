// A strict Content-Security-Policy with Trusted Types: figures and the lab work under it, and errors say that it was the policy.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { DIST, eventually, settled, visit } from "./browser.js";
import { drawn, figure, pageOf, showView, startHost, useHost } from "./host.js";

/** The policy of docs/embedding.md, for every answer of the host, workers included. */
const STRICT = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'";
const TRUSTED = `${STRICT}; require-trusted-types-for 'script'; trusted-types candlescope candlescope-early lit-html`;

let policy = "";
let workerPolicy = "";
let isIsolated = false;
const ISOLATED = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};
const { site, host } = useHost({
  headers: (path) => {
    const found = path.endsWith("worker.js") ? workerPolicy : policy;
    return /** @type {Record<string, string>} */ ({
      ...(found && { "content-security-policy": found }),
      ...(isIsolated && ISOLATED),
    });
  },
});
/** @type {Awaited<ReturnType<typeof startHost>>} a CDN */
let other;
before(async () => {
  other = await startHost();
});
after(() => other?.stop());

/**
 * @param {string} path @param {string} rules @param {(page: import("playwright-core").Page) => Promise<void>} act
 * @param {{ expect?: RegExp }} [options]
 */
async function under(path, rules, act, options = {}) {
  policy = workerPolicy = rules;
  await visit({ ...site, url: host.url }, { path, before: watchViolations, ...options }, act);
}

/** @param {import("playwright-core").Page} page */
const watchViolations = (page) =>
  page.addInitScript(() => {
    /** @type {string[]} */
    const found = [];
    Object.assign(globalThis, { violations: found });
    addEventListener("securitypolicyviolation", ({ effectiveDirective, sample }) =>
      found.push(`${effectiveDirective} ${sample}`),
    );
  });

/**
 * The form of a worker's address that bundlers need is a violation, before the worker is started with a trusted address. Any other
 * violation fails a test.
 */
const BUNDLERS = { expect: /TrustedScriptURL/ };
/** @param {import("playwright-core").Page} page */
async function assertOnlyBundlersForm(page) {
  const violations = await page.evaluate(() => /** @type {any} */ (globalThis).violations);
  assert.equal(violations.length, 1, violations.join("\n"));
  assert.match(violations[0], /^require-trusted-types-for Worker constructor\|.*worker\.js$/);
}

const VIEWS = [
  ...["attention", "lines", "products", "log-probability", "lens", "attribution", "heads"],
  ...["circuits", "composition", "stream", "activations", "neurons"],
];

for (const [name, rules] of [
  ["without inline styles and scripts, which nothing violates", STRICT],
  ["with Trusted Types, which only the form that bundlers need violates", TRUSTED],
])
  test(`every view is drawn under a policy ${name}`, async () => {
    host.pages["/page.html"] = pageOf(
      figure('prompt="the moon, the moon" off="1.0" controls="all" corrupted="the king, the moon"'),
    );
    const options = rules === TRUSTED ? BUNDLERS : {};
    const look = async (/** @type {import("playwright-core").Page} */ page) => {
      await drawn(page);
      for (const view of VIEWS) {
        await showView(page, view);
      }
      // Colours are set without style attributes.
      const colour = await page.evaluate(() => {
        const scope = /** @type {any} */ (document.querySelector("candle-scope"));
        scope.setAttribute("view", "lens");
        return new Promise((done) => {
          const look = () => {
            const inner = scope.renderRoot.querySelector("scope-figure").renderRoot;
            const lens = inner.querySelector("lens-view")?.renderRoot.querySelector("logit-lens");
            const cell = lens?.renderRoot.querySelector(".cell[data-layer]");
            if (cell) done(getComputedStyle(cell).backgroundColor);
            else requestAnimationFrame(look);
          };
          look();
        });
      });
      assert.notEqual(colour, "rgba(0, 0, 0, 0)");
      if (rules === TRUSTED) await assertOnlyBundlersForm(page);
    };
    await under("page.html", rules, look, options);
  });

test("the lab works under the strict policy, its lessons and its interventions too", async () => {
  await under("cs/index.html", TRUSTED, async (page) => {
    await settled(page);
    await page.locator("#off").click();
    await eventually(async () => assert.match(await page.locator("#off").innerText(), /on again/));
    await page.locator("lesson-start button").click();
    await page.locator("lesson-panel").getByText(/1 of/).first().waitFor();
    await page.locator("#share").click();
    await page.locator("#help").click();
  });
});

test("the page of one figure works under the strict policy", async () => {
  const path = "cs/index.html?embed#prompt=the+moon,+the+moon&off=1.0";
  const look = async (/** @type {import("playwright-core").Page} */ page) => {
    await page.waitForURL(/embed\.html#/);
    await page.waitForSelector("candle-scope");
    await drawn(page);
    await assertOnlyBundlersForm(page);
  };
  await under(path, TRUSTED, look, BUNDLERS);
});

/** On a machine of three cores. */
const THREE_CORES =
  'Object.defineProperty(navigator, "hardwareConcurrency", { value: 3, configurable: true });';
/** A helper requests a file when it has joined the thread pool; then it blocks, so the request is synchronous. */
const REPORTS_THAT_IT_JOINED = `
  const { Instance } = WebAssembly;
  WebAssembly.Instance = function (...given) {
    const { exports } = new Instance(...given);
    const enter = (pool) => {
      exports.enter(pool);
      const request = new XMLHttpRequest();
      request.open("GET", "/joined.json", false);
      request.send();
    };
    return { exports: { ...exports, enter } };
  };`;

test("on an isolated page with Trusted Types, as many threads compute as the model says", async () => {
  const [worker, helper] = await Promise.all(
    ["worker.js", "helper.js"].map((name) => readFile(join(DIST, name), "utf8")),
  );
  const changed = {
    "/page.html": pageOf(figure('prompt="the moon, the moon"')),
    "/cs/worker.js": `${THREE_CORES}\n${worker}`,
    "/cs/helper.js": `${REPORTS_THAT_IT_JOINED}\n${helper}`,
    "/joined.json": "{}",
  };
  Object.assign(host.pages, changed);
  host.asked.length = 0;
  isIsolated = true;
  try {
    const look = async (/** @type {import("playwright-core").Page} */ page) => {
      await drawn(page);
      const threads = await page
        .locator("candle-scope")
        .evaluate((/** @type {any} */ { loaded }) => loaded.backend.threads);
      assert.equal(threads, 3);
      const joined = () => host.asked.filter((path) => path === "/joined.json").length;
      await eventually(() => assert.equal(joined(), threads - 1));
    };
    await under("page.html", TRUSTED, look, BUNDLERS);
  } finally {
    isIsolated = false;
    for (const path of Object.keys(changed)) delete host.pages[path];
  }
});

test("the pages hold no inline style or script", async () => {
  for (const name of ["index.html", "embed.html", "notebook.html"]) {
    const text = await readFile(new URL(`../../www/${name}`, import.meta.url), "utf8");
    assert.doesNotMatch(text, /<style|\sstyle=|\son[a-z]+="|<script(?![^>]*\ssrc=)/, name);
  }
});

/** @param {import("playwright-core").Page} page */
const message = async (page) => {
  await page.locator("candle-scope error-notice .notice").waitFor();
  return page.evaluate(() => {
    const { name, message } = /** @type {any} */ (document.querySelector("candle-scope")).error;
    return `${name}: ${message}`;
  });
};

const BLOCKED = /Content.Security.Policy|ERR_BLOCKED_BY_CSP|violates/i;
for (const [name, rules, sentence] of /** @type {const} */ ([
  [
    "wasm",
    "script-src 'self'",
    /^NetworkError: the WebAssembly module was stopped by this page's Content-Security-Policy \(script-src\): allow 'wasm-unsafe-eval' there$/,
  ],
  [
    "the worker",
    "script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'",
    /^NetworkError: the worker was stopped by this page's Content-Security-Policy \(worker-src\): allow http:\/\/localhost:\d+ in its worker-src$/,
  ],
]))
  test(`a policy that forbids ${name} is named in the error`, async () => {
    host.pages["/page.html"] = pageOf(figure('prompt="the moon, the moon"'));
    await under("page.html", rules, async (page) => assert.match(await message(page), sentence), {
      expect: BLOCKED,
    });
  });

test("a policy that forbids the model is named in the error", async () => {
  host.pages["/page.html"] = pageOf(
    `<candle-scope model="${other.origin}/cs/models/shakespeare" prompt="the moon"></candle-scope>`,
  );
  const check = async (/** @type {import("playwright-core").Page} */ page) =>
    assert.match(
      await message(page),
      /^NetworkError: .* was stopped by this page's Content-Security-Policy \(connect-src\): allow http:\/\/localhost:\d+ there/,
    );
  await under("page.html", STRICT, check, { expect: BLOCKED });
});

test("a policy that forbids to fetch the wasm file is named in the error", async () => {
  host.pages["/page.html"] = pageOf(figure('prompt="the moon"'));
  const check = async (/** @type {import("playwright-core").Page} */ page) =>
    assert.match(
      await message(page),
      /^NetworkError: the WebAssembly module was stopped by this page's Content-Security-Policy \(connect-src\): allow http:\/\/localhost:\d+ there$/,
    );
  await under("page.html", `${STRICT}; connect-src 'none'`, check, { expect: BLOCKED });
});

test("scripts from another origin need blob: and that origin in worker-src, and the error says so", async () => {
  const { origin } = other;
  host.pages["/page.html"] = pageOf(
    `<candle-scope model="${origin}/cs/models/shakespeare" prompt="the moon, the moon"></candle-scope>`,
    `${origin}/cs/elements.js`,
  );
  const rules = `default-src 'self'; script-src ${origin} 'wasm-unsafe-eval'; connect-src ${origin}`;
  await under(
    "page.html",
    rules,
    async (page) =>
      assert.match(
        await message(page),
        /stopped by this page's Content-Security-Policy \(.*\): allow blob: http:\/\/localhost:\d+ in its worker-src/,
      ),
    { expect: BLOCKED },
  );
  await under(
    "page.html",
    `${rules}; worker-src blob:`,
    async (page) =>
      assert.match(
        await message(page),
        /if the page has a Content-Security-Policy, allow blob: http:\/\/localhost:\d+ in its worker-src/,
      ),
    { expect: BLOCKED },
  );
  const trusted = "require-trusted-types-for 'script'; trusted-types candlescope lit-html";
  await under("page.html", `${rules}; worker-src blob: ${origin}; ${trusted}`, drawn);
});

test("a list of Trusted Types without ours is named in the error", async () => {
  host.pages["/page.html"] = pageOf(figure('prompt="the moon, the moon"'));
  await under(
    "page.html",
    `${STRICT}; require-trusted-types-for 'script'; trusted-types lit-html`,
    async (page) => assert.match(await message(page), /the policy candlescope in trusted-types/),
    { expect: new RegExp(`${BLOCKED.source}|TrustedScriptURL`, "i") },
  );
});
