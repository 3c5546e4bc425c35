// Faults of servers, for each file and at each moment, with the built module in headless Chromium: a load gives the numbers of
// the model bit for bit, or an error of the expected kind within its timeout.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";

import { start as startBrowser } from "./browser.js";
import * as faults from "./fault-server.js";

const { atFirst, nameOf, onlyFor, status } = faults;

/** @typedef {typeof import("../../www/api/candlescope.ts")} Api */
/** @typedef {import("./fault-server.js").Cell} Cell */
/** @typedef {import("./fault-server.js").Which} Which */
/** @typedef {import("./fault-server.js").Fault} Fault */
/** The outcome of a load. @typedef {{ bits?: number[], hasTokenizer?: boolean, ids?: number[], report?: { kind: string, name: string, message: string }[], name?: string, message?: string, milliseconds: number }} Outcome */

/** The timeout of loads from servers that stall: long enough for a busy machine to respond. */
const TIMEOUT = 3000;
/** How much longer than its timeout a load may take to reject on such a machine. */
const GRACE = 10_000;
const ALL = /** @type {const} */ (["config", "tokenizer", "weights", "index", "shard"]);

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let site;
/** @type {faults.FaultServer} */
let server;
/** @type {import("playwright-core").BrowserContext} */
let visitor;
/** @type {import("playwright-core").Page} */
let page;
/** @type {Outcome} */
let good;

before(async () => {
  server = await faults.serveFaults();
  site = await startBrowser();
  await visit();
  [good] = await load([server.set("good", { which: "config" })]);
  assert.ok(good.bits, good.message);
});

after(async () => {
  await site?.stop();
  server?.close();
});

/** A page without a model, of a visitor without stored models. */
async function visit() {
  await visitor?.close();
  visitor = await site.browser.newContext();
  page = await newPage();
}

async function newPage() {
  const opened = await visitor.newPage();
  await opened.goto(`${server.url}dist/empty.html`);
  return opened;
}

/** Waits until this many models are stored. @param {number} count */
async function untilKept(count) {
  await page.evaluate(
    async ([module, count]) => {
      const { storedModels } = /** @type {Api} */ (await import(module));
      for (const start = performance.now(); ; ) {
        const found = (await storedModels()).length;
        if (found === count) return;
        if (performance.now() - start > 60_000)
          throw new Error(`${found} models are kept, expected ${count}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    /** @type {const} */ ([`${server.url}dist/candlescope.js`, count]),
  );
}

/** Another page of the same visitor, after the previous page's worker has closed its files. */
async function nextVisit() {
  await page.close();
  page = await newPage();
  await page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(
      "candlescope-models",
    );
    /** @param {any} file @returns {Promise<boolean>} */
    const isFree = (file) =>
      file
        .createWritable()
        .then((/** @type {any} */ writable) => writable.abort())
        .then(
          () => true,
          () => false,
        );
    for await (const [, file] of /** @type {any} */ (folder).entries()) {
      while (!(await isFree(file))) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
}

/**
 * Loads all of these at once. `release`: when the first bytes of a file have arrived, the page asks for /release/NAME.
 * @param {string[]} folders @param {{ keep?: boolean, timeout?: any, release?: string[] }} [options] @returns {Promise<Outcome[]>}
 */
function load(folders, { release = [], ...options } = { keep: false }) {
  return page.evaluate(
    async ([module, folders, options, release, server]) => {
      const { loadModel } = /** @type {Api} */ (await import(module));
      const start = performance.now();
      const milliseconds = () => performance.now() - start;
      return Promise.all(
        folders.map(async (folder, i) => {
          let isReleased = false;
          const onProgress = (/** @type {{ file: string }} */ { file }) => {
            if (isReleased || !release[i] || !file.endsWith(`/${release[i]}`)) return;
            isReleased = true;
            fetch(`${server}release/${new URL(folder).hostname.split(".")[0]}`);
          };
          try {
            const model = await loadModel(folder, { ...options, onProgress });
            const took = milliseconds();
            const { logits } = await model.runWithCache([3, 1, 4, 1, 5]);
            const ids = model.hasTokenizer ? [...(await model.tokenize('$"%')).ids] : [];
            const report = [...model.report];
            const hasTokenizer = model.hasTokenizer;
            if (options.keep === false) model.dispose(); // one that is disposed of is not kept
            return {
              bits: [
                ...new Uint32Array(logits.data.buffer, logits.data.byteOffset, logits.data.length),
              ],
              ids,
              hasTokenizer,
              report,
              milliseconds: took,
            };
          } catch (error) {
            const { name, message } = /** @type {Error} */ (error);
            return { name, message, milliseconds: milliseconds() };
          }
        }),
      );
    },
    /** @type {const} */ ([
      `${server.url}dist/candlescope.js`,
      folders,
      options,
      release,
      server.url,
    ]),
  );
}

/** @param {Outcome} found @param {string} cell */
function assertRight(found, cell) {
  assert.equal(found.message, undefined, cell);
  assert.deepEqual(found.bits, good.bits, cell);
  assert.deepEqual([found.ids, found.report], [[3, 1, 4], []], cell);
}

/** @param {Outcome} found @param {string} cell @param {string} name @param {RegExp} message */
function assertFailed(found, cell, name, message) {
  assert.equal(found.name, name, `${cell}: ${found.message ?? "loaded"}`);
  assert.match(found.message ?? "", message, cell);
  assert.ok(found.milliseconds < TIMEOUT + GRACE, `${cell}: ${found.milliseconds} ms`);
}

/** The model loaded, without a tokenizer, and says so. @param {Outcome} found @param {string} cell @param {RegExp} reason */
function assertNoTokenizer(found, cell, reason) {
  assert.deepEqual(found.bits, good.bits, `${cell}: ${found.message}`);
  assert.equal(found.hasTokenizer, false, cell);
  assert.deepEqual(
    found.report?.map(({ kind, name }) => [kind, name]),
    [["assumed", "tokenizer.json"]],
    cell,
  );
  assert.match(found.report?.[0].message ?? "", reason, cell);
}

let cells = 0;

/** @typedef {{ files?: readonly Which[], cell?: Partial<Cell>, options?: object, release?: boolean }} How */
/** @typedef {{ found: Outcome, which: Which, name: string }} Result name: the cell's */

/** One fault for each of these files, each in a separate load. @param {Fault} fault @param {How} [how] @returns {Promise<Result[]>} */
async function outcomes(fault, { files = ALL, cell = {}, options, release = false } = {}) {
  const names = files.map((which) => `c${(cells += 1)}-${which}`);
  const found = await load(
    names.map((name, i) => server.set(name, { which: files[i], fault, ...cell })),
    { keep: false, ...options, release: release ? files.map(nameOf) : [] },
  );
  return found.map((outcome, i) => ({ found: outcome, which: files[i], name: names[i] }));
}

/**
 * The same, checked; gives the names of the cells.
 * @param {Fault} fault @param {(found: Outcome, which: Which, cell: string) => void} check @param {How} [how]
 */
async function eachFile(fault, check, how) {
  const results = await outcomes(fault, how);
  results.forEach(({ found, which }) => check(found, which, nameOf(which)));
  return results.map(({ name }) => name);
}

/**
 * A test for each row of a table. All loads run at once, because they mostly wait.
 * @template {any[]} Row @param {readonly Row[]} rows name first @param {(row: Row) => Promise<Result[]>} run @param {(row: Row, results: Result[]) => void} check
 */
function eachRow(rows, run, check) {
  /** @type {Map<Row, Result[]>} */
  const found = new Map();
  before(
    async () => void (await Promise.all(rows.map(async (row) => found.set(row, await run(row))))),
  );
  for (const row of rows) test(row[0], () => check(row, /** @type {Result[]} */ (found.get(row))));
}

/** The first response breaks off when its first bytes have been read; `then` makes the following ones. @param {Fault} then @returns {Fault} */
const brokenThen = (then) => (exchange) =>
  exchange.attempt === 1 ? server.resetOnRelease(exchange) : then(exchange);

/** Every file fails with an error that names it. @param {RegExp} message @param {string} [name] @returns {(found: Outcome, which: Which, cell: string) => void} */
const fails =
  (message, name = "NetworkError") =>
  (found, which, cell) => {
    assertFailed(found, cell, name, message);
    assert.ok(found.message?.includes(nameOf(which)), `${found.message}`);
  };

/** @param {Outcome} found @param {Which} _ @param {string} cell */
const right = (found, _, cell) => assertRight(found, cell);

test("the server's model loads, in one file and in two, from the same site and from another", async () => {
  await eachFile(() => false, right);
  server.set("near", { which: "config" });
  assertRight((await load([`${server.url}same/near`]))[0], "same site");
});

// ---- permanent faults ----

describe("a file is absent only when its server says so:", () => {
  for (const [name, fault, reason] of /** @type {[string, Fault, RegExp][]} */ ([
    ["404", status(404), /answered 404 Not Found/],
    ["410", status(410), /answered 410 Gone/],
    ["an HTML page with status 200", faults.page, /is not a [\w.-]+ but a page/],
  ])) {
    test(name, async () => {
      await eachFile(fault, (found, which, cell) =>
        which === "tokenizer"
          ? assertNoTokenizer(found, cell, reason)
          : fails(reason, which === "config" ? "ConfigError" : "NetworkError")(found, which, cell),
      );
    });
  }
});

describe("a load fails, whichever file it is, on", () => {
  const rows = /** @type {[string, Fault, RegExp][]} */ ([
    ["a redirect loop", faults.redirectLoop, /cannot be reached.*redirect in a loop.*CORS/],
    ["204", status(204), /answered 204.*expected 200 and the whole file/],
    ["205", status(205), /answered 205/],
    [
      "206 for all of it",
      ({ response, content }) => (
        response
          .writeHead(206, { "Content-Range": `bytes 0-9/${content.length}` })
          .end(content.subarray(0, 10)),
        true
      ),
      /answered 206.*expected 200/,
    ],
    ["304", status(304), /answered 304/],
    ["400", status(400), /answered 400/],
    ["401", status(401), /answered 401.*does not allow this page to load it/],
    ["403", status(403), /answered 403.*does not allow this page to load it/],
    ["408", status(408), /answered 408|cannot be reached/],
    ["425", status(425), /answered 425.*, asked \d times; try again later/],
    ["429", status(429), /answered 429.*, asked \d times; try again later/],
    [
      "429 with a long Retry-After",
      status(429, { "Retry-After": "3600" }),
      /answered 429.*; its server asks to wait 3600 s/,
    ],
    [
      "503 with a date to wait for",
      status(503, { "Retry-After": new Date(Date.now() + 36e5).toUTCString() }),
      /answered 503.*its server asks to wait 3[56]\d\d s/,
    ],
    ["451", status(451), /answered 451/],
    ["500", status(500), /answered 500.*, asked \d times/],
    ["501", status(501), /answered 501/],
    ["502", status(502), /answered 502.*, asked \d times/],
    ["503", status(503), /answered 503.*, asked \d times/],
    ["504", status(504), /answered 504.*, asked \d times/],
    ["a reset before headers", faults.resetBeforeHeaders, /cannot be reached/],
    ["a reset in the body", faults.resetInBody, /broke off after \d+ bytes/],
  ]);
  eachRow(
    rows,
    ([, fault]) => outcomes(fault),
    ([, , message], results) =>
      results.forEach(({ found, which }) => fails(message)(found, which, nameOf(which))),
  );

  test("a stall before headers", async () => {
    await eachFile(
      faults.stallBeforeHeaders,
      fails(/sent nothing for 3000 ms, after 0 bytes.*`timeout`/),
      { options: { timeout: TIMEOUT } },
    );
  });

  test("a stall in the body", async () => {
    await eachFile(
      faults.stallInBody,
      fails(/sent nothing for 3000 ms, after [1-9]\d* bytes.*`timeout`/),
      { options: { timeout: TIMEOUT } },
    );
  });

  test("no permission for this page (CORS)", async () => {
    await eachFile(
      ({ response }) => (response.removeHeader("Access-Control-Allow-Origin"), false),
      fails(/cannot be reached.*CORS/),
    );
  });

  test("a host that is not there", async () => {
    assertFailed(
      (await load(["http://localhost:1/model"]))[0],
      "host",
      "NetworkError",
      /localhost:1\/model\/config\.json cannot be reached/,
    );
  });
});

test("a length that is too short or too long never gives another model", async () => {
  const near = (/** @type {Which} */ which, /** @type {Fault} */ fault) => (
    server.set(`near-${which}`, { which, fault }), `${server.url}same/near-${which}`
  );
  const names = {
    config: "ConfigError",
    tokenizer: "TokenizerError",
    weights: "WeightsError",
    index: "WeightsError",
    shard: "WeightsError",
  };
  for (const same of [false, true]) {
    const short = await load(
      ALL.map((which, i) =>
        same
          ? near(which, faults.shortLength)
          : server.set(`short-${i}`, { which, fault: faults.shortLength }),
      ),
    );
    short.forEach((found, i) => assertFailed(found, `short ${ALL[i]}`, names[ALL[i]], /./));
    const long = await load(
      ALL.map((which, i) =>
        same
          ? near(which, faults.longLength)
          : server.set(`long-${i}`, { which, fault: faults.longLength }),
      ),
    );
    // A weights file says itself how long it is, and the length is sure on the page's own site alone.
    const isSeen = (/** @type {Which} */ which) =>
      same && (which === "weights" || which === "shard");
    long.forEach((found, i) =>
      assertFailed(
        found,
        `long ${ALL[i]}`,
        isSeen(ALL[i]) ? "WeightsError" : "NetworkError",
        isSeen(ALL[i]) ? /10 more than its header promises/ : /broke off/,
      ),
    );
  }
});

// ---- unusual responses that are correct ----

describe("a load is correct in spite of", () => {
  for (const [name, fault] of /** @type {[string, Fault][]} */ ([
    ["compression", faults.gzip],
    ["a body longer than its length", faults.longBody],
    ["a slow server", faults.drip],
  ])) {
    test(name, async () => void (await eachFile(fault, right)));
  }
});

// ---- transient faults ----

describe("a transient failure is retried:", () => {
  const rows = /** @type {[string, Fault][]} */ ([
    ...[425, 429, 500, 502, 503, 504].map(
      (code) => /** @type {[string, Fault]} */ ([String(code), status(code)]),
    ),
    ["429 with Retry-After", status(429, { "Retry-After": "0" })],
    ["a reset before headers", faults.resetBeforeHeaders],
    ["a reset in the body", faults.resetInBody],
  ]);
  eachRow(
    rows,
    ([, fault]) => outcomes(atFirst(fault, 1)),
    (_, results) => {
      for (const { found, which, name } of results) {
        assertRight(found, nameOf(which));
        assert.ok(
          server.asked(name).filter((one) => one.name === nameOf(which)).length >= 2,
          "asked again",
        );
      }
    },
  );

  test("twice in a row, within the timeout", async () =>
    void (await eachFile(atFirst(status(503), 2), right)));

  test("a permanent one is not: 400, 401, 403, 404, 501", async () => {
    for (const code of [400, 401, 403, 404, 501]) {
      // Without a config, the load asks for what the weights do not say.
      const name = code === 404 ? "ConfigError" : "NetworkError";
      const [cell] = await eachFile(status(code), fails(new RegExp(`answered ${code}`), name), {
        files: ["config"],
      });
      assert.equal(
        server.asked(cell).filter((one) => one.name === "config.json").length,
        1,
        `${code}`,
      );
    }
  });
});

describe("a body that broke off is resumed", () => {
  test("where it ended, by a range request, if the server answers those", async () => {
    for (const validators of /** @type {const} */ (["etag", "time"])) {
      // On another site the length is sure only once the header of a weights file says the same.
      const names = await eachFile(
        brokenThen(() => false),
        right,
        { files: ["weights", "shard"], cell: { validators }, release: true },
      );
      for (const [i, which] of /** @type {const} */ (["weights", "shard"]).entries()) {
        const ranges = server
          .asked(names[i])
          .filter(({ name }) => name === nameOf(which))
          .map(({ range }) => range?.replace(/\d+/, "N"));
        assert.deepEqual(ranges, [undefined, "bytes=N-"], validators);
      }
    }
  });

  for (const validators of /** @type {const} */ (["etag", "weak", "time", "none"])) {
    test(`from its beginning if the server answers no range requests, with ${validators} as validators`, async () => {
      await eachFile(atFirst(faults.resetInBody, 2), right, {
        cell: { validators, ranges: false },
      });
      await eachFile(faults.resetInBody, fails(/broke off after \d+ bytes/), {
        cell: { validators, ranges: false },
      });
    });
  }

  const rows = Object.entries(faults.wrongRanges).map(
    ([name, answer]) =>
      /** @type {[string, Fault]} */ ([
        `from its beginning if a range request is answered with ${name}`,
        answer,
      ]),
  );
  eachRow(
    rows,
    ([, answer]) => outcomes(brokenThen(answer), { release: true }),
    (_, results) => results.forEach(({ found, which }) => assertRight(found, nameOf(which))),
  );

  test("but not with another state of the file", async () => {
    for (const ranges of [true, false]) {
      await eachFile(brokenThen(faults.changed), fails(/changed while it was being loaded/), {
        cell: { ranges },
        release: true,
      });
    }
  });
});

describe("parts of a file that are requested", () => {
  const large = { files: /** @type {const} */ (["weights"]), cell: { large: true } };
  /** @param {Fault} fault @returns {Fault} */
  const onRanges = (fault) => (exchange) =>
    exchange.request.headers.range !== undefined && fault(exchange);
  /** @param {string} name */
  const ranges = (name) => server.asked(name).filter(({ range }) => range !== undefined);

  test("are correct, and few", async () => {
    const [name] = await eachFile(() => false, right, large);
    assert.ok(ranges(name).length > 0);
  });

  for (const [name, fault] of /** @type {[string, Fault][]} */ ([
    ["503", status(503)],
    ["429", status(429)],
    ["a reset", faults.resetBeforeHeaders],
    ["a reset in the body", faults.resetInBody],
  ])) {
    test(`are requested again after ${name}`, async () => {
      let passed = 0;
      const [cell] = await eachFile(
        onRanges((exchange) => (passed += 1) === 1 && fault(exchange)),
        right,
        large,
      );
      assert.equal(
        server
          .asked(cell)
          .filter(({ name, range }) => name === "model.safetensors" && range === undefined).length,
        1,
        "nothing was streamed again",
      );
    });
  }

  for (const [name, fault] of Object.entries(faults.wrongRanges)) {
    test(`are streamed instead if the response is ${name}`, async () => {
      const [cell] = await eachFile(fault, right, large);
      assert.equal(
        server
          .asked(cell)
          .filter(({ name, range }) => name === "model.safetensors" && range === undefined).length,
        2,
      );
    });
  }

  test("fail the load if they never arrive", async () => {
    for (const stall of [faults.stallBeforeHeaders, faults.stallInBody])
      await eachFile(onRanges(stall), fails(/sent nothing for 3000 ms/), {
        ...large,
        options: { timeout: TIMEOUT },
      });
    await eachFile(onRanges(status(403)), right, large); // the whole file is not refused
  });

  test("are not mixed with another state of the file", async () => {
    await eachFile(
      (exchange) => exchange.attempt > 1 && faults.changed(exchange),
      fails(/changed while it was being loaded/),
      large,
    );
  });
});

// ---- a stored model of an earlier visit ----

describe("a copy that the browser keeps", () => {
  beforeEach(visit);

  const KEPT = /** @type {readonly Which[]} */ (["config", "tokenizer", "weights", "shard"]);
  /** Each outcome: right or an error, whether weights are downloaded again, what the report says. @type {Record<string, { fault: Fault, files?: readonly Which[], again?: boolean, unverified?: RegExp, fails?: RegExp }>} */
  const table = {
    "no fault": { fault: () => false },
    "HEAD is answered with 405": { fault: onlyFor("HEAD", status(405)) },
    "HEAD is answered with 501": { fault: onlyFor("HEAD", status(501)) },
    "HEAD is answered with 403": { fault: onlyFor("HEAD", status(403)) },
    "HEAD is answered with 404": { fault: onlyFor("HEAD", status(404)) },
    "HEAD is answered with 500": { fault: onlyFor("HEAD", status(500)) },
    "HEAD is reset": { fault: onlyFor("HEAD", faults.resetBeforeHeaders) },
    "HEAD stalls": { fault: onlyFor("HEAD", faults.stallBeforeHeaders) },
    "HEAD names no state": {
      fault: onlyFor("HEAD", ({ response }) => (response.removeHeader("ETag"), false)),
    },
    "the same tag is weak": {
      fault: ({ response }) => (response.setHeader("ETag", 'W/"v1"'), false),
    },
    500: { fault: status(500), unverified: /answered 500/ },
    501: { fault: status(501), unverified: /answered 501/ },
    503: { fault: status(503), unverified: /answered 503/ },
    520: { fault: status(520), unverified: /answered 520/ },
    429: { fault: status(429), unverified: /answered 429/ },
    "a long Retry-After": {
      fault: status(503, { "Retry-After": "3600" }),
      unverified: /answered 503/,
    },
    "a reset": { fault: faults.resetBeforeHeaders, unverified: /cannot be reached/ },
    "a redirect loop": { fault: faults.redirectLoop, unverified: /cannot be reached/ },
    "a stall": { fault: faults.stallBeforeHeaders, unverified: /did not answer within/ },
    "503 twice": { fault: atFirst(status(503), 2) },
    400: { fault: status(400), fails: /answered 400/ },
    401: { fault: status(401), fails: /answered 401/ },
    403: { fault: status(403), fails: /answered 403/ },
    404: {
      fault: status(404),
      files: /** @type {const} */ (["config", "weights"]),
      fails: /answered 404/,
    },
    410: {
      fault: status(410),
      files: /** @type {const} */ (["config", "weights"]),
      fails: /answered 410/,
    },
    "a page": {
      fault: faults.page,
      files: /** @type {const} */ (["config", "weights"]),
      fails: /but a page/,
    },
    "another state": { fault: faults.changed, again: true },
    "no name of the state": {
      fault: ({ response }) => (response.removeHeader("ETag"), false),
      again: true,
    },
  };

  test("is used, downloaded again or refused as its server says, and the report says what is not known", async () => {
    const all = Object.entries(table).flatMap(([name, { files = KEPT }]) =>
      files.map((which) => ({ name, which: /** @type {Which} */ (which) })),
    );
    const folders = all.map(({ which }, i) => server.set(`k${i}`, { which }));
    for (let at = 0; at < all.length; at += 20)
      (await load(folders.slice(at, at + 20), {})).forEach((found, i) =>
        assertRight(found, all[at + i].name),
      );
    await untilKept(all.length);
    await nextVisit();
    all.forEach(({ name, which }, i) => server.set(`k${i}`, { which, fault: table[name].fault }));
    for (let at = 0; at < all.length; at += 20) {
      const found = await load(folders.slice(at, at + 20), {});
      found.forEach((outcome, i) => check(outcome, all[at + i], server.asked(`k${at + i}`)));
    }
  });

  /** @param {Outcome} found @param {{ name: string, which: Which }} cell @param {{ method: string, name: string }[]} asked */
  function check(found, { name, which }, asked) {
    const cell = `${name}, ${nameOf(which)}`;
    const { again = false, unverified, fails } = table[name];
    // Without a config, the load asks for what the weights do not say.
    const error = /^(404|410|.*page.*), config/.test(cell) ? "ConfigError" : "NetworkError";
    if (fails) return assertFailed(found, cell, error, fails);
    assert.deepEqual(found.bits, good.bits, `${cell}: ${found.message}`);
    assert.deepEqual(found.ids, [3, 1, 4], cell);
    const downloads = asked.filter(
      ({ method, name }) =>
        method === "GET" && name.endsWith(".safetensors") && name !== nameOf(which),
    );
    if (which !== "weights")
      assert.equal(downloads.length > 0, again, `${cell}: ${JSON.stringify(asked)}`);
    assert.deepEqual(
      found.report?.map(({ kind }) => kind),
      unverified ? ["assumed"] : [],
      cell,
    );
    if (unverified) assert.match(found.report?.[0].message ?? "", unverified, cell);
  }

  test("is compared at the next load if its server could not be reached, and so is its missing tokenizer", async () => {
    const folder = server.set("later", { which: "tokenizer", fault: status(404) });
    assertNoTokenizer((await load([folder], {}))[0], "first", /answered 404/);
    await untilKept(1);
    /** @param {Fault} fault */
    const next = async (fault) => {
      await nextVisit();
      server.set("later", { which: "tokenizer", fault });
      return (await load([folder], {}))[0];
    };
    assertNoTokenizer(await next(status(404)), "the same", /when the model was saved/);
    assertNoTokenizer(await next(faults.page), "a page is absent too", /when the model was saved/);
    const unknown = await next(status(503));
    assert.deepEqual(
      unknown.report?.map(({ name }) => name.split("/").at(-1)),
      ["tokenizer.json", "config.json"],
      `${unknown.message} ${JSON.stringify(server.asked("later"))}`,
    );
    assertRight(await next(() => false), "it is there now");
  });
});

// ---- time ----

describe("the option timeout", () => {
  before(visit);

  test("is a positive number of milliseconds, or Infinity", async () => {
    for (const timeout of [0, -1, NaN, "1000", null]) {
      const [found] = await load([server.set("any", { which: "config" })], { timeout });
      assertFailed(
        found,
        String(timeout),
        "InputError",
        /`timeout` of loadModel is .*, expected a number of milliseconds above 0, or Infinity/,
      );
    }
    assertRight(
      (await load([server.set("any", { which: "config" })], { timeout: 1e12, keep: false }))[0],
      "long",
    );
  });

  test("does not run out while a slow server sends bytes", async () => {
    const [found] = await load([server.set("slow", { which: "weights", fault: faults.drip })], {
      keep: false,
      timeout: 2000,
    });
    assertRight(found, "2.4 s in pieces of 300 ms");
  });

  test("Infinity waits until the load is aborted", async () => {
    const folder = server.set("never", { which: "weights", fault: faults.stallInBody });
    const name = await page.evaluate(
      async ([module, folder]) => {
        const { loadModel } = /** @type {Api} */ (await import(module));
        const controller = new AbortController();
        const onProgress = (/** @type {{ stage: string }} */ { stage }) =>
          stage === "weights" && controller.abort();
        return loadModel(folder, {
          timeout: Infinity,
          keep: false,
          signal: controller.signal,
          onProgress,
        }).then(
          () => "",
          ({ name }) => name,
        );
      },
      /** @type {const} */ ([`${server.url}dist/candlescope.js`, folder]),
    );
    assert.equal(name, "AbortError");
  });
});

test("progress never decreases, even if a file is downloaded again", async () => {
  const folder = server.set("again", {
    which: "weights",
    fault: atFirst(faults.resetInBody, 2),
    validators: "none",
    ranges: false,
  });
  const loaded = await page.evaluate(
    async ([module, folder]) => {
      const { loadModel } = /** @type {Api} */ (await import(module));
      /** @type {number[]} */
      const loaded = [];
      await loadModel(folder, {
        keep: false,
        onProgress: (event) => event.stage === "weights" && loaded.push(event.loaded),
      });
      return loaded;
    },
    /** @type {const} */ ([`${server.url}dist/candlescope.js`, folder]),
  );
  assert.deepEqual(
    loaded,
    [...loaded].sort((a, b) => a - b),
  );
  assert.ok(/** @type {number} */ (loaded.at(-1)) > 40_000);
});

// ---- aborting ----

describe("a load that is aborted rejects at once, and sends no more requests,", () => {
  /** @type {Record<string, { which: Which, fault: Fault }>} */
  const moments = {
    "while it waits for an answer": { which: "config", fault: faults.stallBeforeHeaders },
    "in the middle of a file": { which: "weights", fault: faults.stallInBody },
    "while it waits to try again": { which: "config", fault: status(503, { "Retry-After": "8" }) },
    "while it waits for a file of several": { which: "shard", fault: faults.stallBeforeHeaders },
  };
  for (const [name, { which, fault }] of Object.entries(moments)) {
    test(name, async () => {
      const cell = `abort${(cells += 1)}`;
      let isAsked = () => {};
      const asked = new Promise((resolve) => (isAsked = () => resolve(undefined)));
      let closed = () => {};
      const over = new Promise((resolve) => (closed = () => resolve(undefined)));
      const folder = server.set(cell, {
        which,
        fault: (exchange) => {
          exchange.request.socket.once("close", closed);
          exchange.response.once("finish", closed);
          const answered = fault(exchange);
          isAsked();
          return answered;
        },
      });
      const outcome = page.evaluate(
        async ([module, folder]) => {
          const { loadModel } = /** @type {Api} */ (await import(module));
          const controller = new AbortController();
          /** @type {any} */ (globalThis).abort = () => {
            /** @type {any} */ (globalThis).abortedAt = performance.now();
            controller.abort();
          };
          const error = await loadModel(folder, {
            timeout: 60_000,
            keep: false,
            signal: controller.signal,
          }).catch((error) => error);
          return {
            name: error.name,
            milliseconds: performance.now() - /** @type {any} */ (globalThis).abortedAt,
          };
        },
        /** @type {const} */ ([`${server.url}dist/candlescope.js`, folder]),
      );
      await asked;
      await page.evaluate(() => /** @type {any} */ (globalThis).abort());
      const { name, milliseconds } = await outcome;
      assert.equal(name, "AbortError");
      assert.ok(milliseconds < 1000, `${milliseconds} ms`);
      await over;
      assertRight(
        (await load([server.set(`${cell}-next`, { which: "config" })]))[0],
        "the next load",
      );
      const names = server.asked(cell).map((one) => one.name);
      assert.deepEqual(names, [...new Set(names)], "nothing was asked for again");
    });
  }
});
