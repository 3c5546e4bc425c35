// Retries, timeouts and validators with a stubbed fetch(): cases that a browser hides, or for which it would take long.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { openable, revalidate, plainFetcher } from "../../www/worker/network.ts";

/** @typedef {{ url: string, method: string, range: string | null }} Asked */

const realFetch = globalThis.fetch;
afterEach(() => void (globalThis.fetch = realFetch));

/**
 * Answers every request from a list, the last answer again and again; gives the list of what was asked.
 * @param {...(Response | Error | ((asked: Asked, signal: AbortSignal) => Response | Promise<Response>))} answers
 */
function stub(...answers) {
  /** @type {(Asked & { at: number })[]} */
  const asked = [];
  globalThis.fetch = async (input, { method = "GET", headers, signal } = {}) => {
    const request = { url: String(input), method, range: new Headers(headers).get("range") };
    asked.push({ ...request, at: performance.now() });
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    if (answer instanceof Error) throw answer;
    if (typeof answer === "function") return answer(request, /** @type {AbortSignal} */ (signal));
    return answer.clone();
  };
  return asked;
}

const context = (/** @type {object} */ options = {}) => ({
  signal: new AbortController().signal,
  timeout: 10_000,
  fetcher: plainFetcher,
  ...options,
});
const ADDRESS = "https://host.example/m/model.safetensors";

/** @param {any} [shared] */
function file(shared = context()) {
  const one = { name: ADDRESS, address: ADDRESS };
  const files = { name: "m", config: [], tokenizer: [], weights: [{ files: [one] }] };
  return /** @type {import("../../www/worker/network.ts").RemoteFile} */ (
    openable(files, shared).weights[0].files?.[0]
  );
}

/** @param {import("../../www/worker/network.ts").RemoteFile} file */
async function text(file) {
  const download = await file.open();
  if (download.absent) return { absent: download.absent };
  let found = "";
  for (;;) {
    const chunk = await download.read();
    if (!chunk) return found;
    found += new TextDecoder().decode(chunk);
  }
}

/** @param {string} name @param {RegExp} message */
const failure = (name, message) => (/** @type {any} */ error) =>
  error.name === name && message.test(error.message);

const ok = (/** @type {string} */ body, headers = {}) =>
  new Response(body, { headers: { etag: '"1"', "accept-ranges": "bytes", ...headers } });
const status = (/** @type {number} */ code, headers = {}) =>
  new Response("no", { status: code, headers });

/** A body whose parts come one after the other; it ends with an error. @param {string[]} parts @param {Record<string, string>} [headers] */
function broken(parts, headers = { etag: '"1"' }) {
  let i = 0;
  const body = new ReadableStream(
    {
      pull: (controller) =>
        i < parts.length
          ? controller.enqueue(new TextEncoder().encode(parts[i++]))
          : controller.error(new TypeError("network error")),
    },
    { highWaterMark: 0 },
  );
  return () => new Response(body, { headers });
}

test("the backoff doubles, and there are at most four attempts", async () => {
  const asked = stub(status(503));
  await assert.rejects(
    text(file()),
    failure("NetworkError", /answered 503, asked 4 times; try again later$/),
  );
  const waits = asked.slice(1).map(({ at }, i) => at - asked[i].at);
  assert.equal(waits.length, 3);
  for (const [i, wait] of waits.entries()) assert.ok(wait >= 0.74 * 250 * 2 ** i, `${waits}`);
});

test("a short Retry-After is respected, in seconds or as a date", async () => {
  const asked = stub(status(429, { "retry-after": "1" }), ok("here"));
  assert.equal(await text(file()), "here");
  assert.ok(asked[1].at - asked[0].at >= 990);
  stub(status(503, { "retry-after": new Date(Date.now() - 5000).toUTCString() }), ok("there"));
  assert.equal(await text(file()), "there");
  const once = stub(status(503, { "retry-after": "11" }));
  await assert.rejects(
    text(file(context({ timeout: 60_000 }))),
    failure("NetworkError", /its server asks to wait 11 s/),
  );
  assert.equal(once.length, 1);
  stub(status(503, { "retry-after": "soon" }), ok("nonsense is ignored"));
  assert.equal(await text(file()), "nonsense is ignored");
});

test("no attempt begins after the timeout", async () => {
  const asked = stub(status(503));
  const start = performance.now();
  await assert.rejects(
    text(file(context({ timeout: 100 }))),
    failure("NetworkError", /answered 503; try again later$/),
  );
  assert.equal(asked.length, 1);
  assert.ok(performance.now() - start < 5000);
});

test("an unreachable server is asked three times; after an abort there are no more attempts", async () => {
  const asked = stub(new TypeError("Failed to fetch"));
  await assert.rejects(
    text(file()),
    failure("NetworkError", /cannot be reached \(Failed to fetch\), asked 3 times/),
  );
  assert.equal(asked.length, 3);
  const controller = new AbortController();
  const again = stub(status(503, { "retry-after": "9" }));
  const loading = text(file(context({ signal: controller.signal })));
  await new Promise((resolve) => setTimeout(resolve));
  controller.abort();
  await assert.rejects(loading, failure("AbortError", /while loading/));
  assert.equal(again.length, 1);
});

test("a web page is told from a file, however its bytes are split", async () => {
  for (const body of [
    "<!doctype html><p>Home",
    "  \n<html>",
    "\ufeff<!DOCTYPE HTML>",
    "<?xml version='1.0'?>",
    "<!-- x --><p>",
    "<head>",
    "<p>Not here</p>",
  ]) {
    stub(ok(body));
    assert.match(
      /** @type {any} */ (await text(file())).absent,
      /is not a model\.safetensors but a page/,
      body,
    );
    stub(broken([...body]));
    assert.match(
      /** @type {any} */ (await text(file())).absent ?? "",
      /but a page/,
      `${body} byte by byte`,
    );
  }
  for (const body of ["{}", "<\0\0\0\0\0\0\0{}", "<", "", " ", "<3", "\u003c\u0001"]) {
    stub(ok(body));
    assert.equal(await text(file()), body);
  }
});

test("a body that breaks off before any byte was read starts again, with or without a validator", async () => {
  for (const headers of /** @type {Record<string, string>[]} */ ([
    {},
    { etag: 'W/"1"' },
    { etag: '"1"' },
  ])) {
    stub(broken([" "], headers), ok("whole", headers));
    assert.ok(["whole", " hole"].includes(String(await text(file()))), JSON.stringify(headers));
  }
});

test("a body that breaks off later is never continued with another state's bytes, nor without a validator", async () => {
  stub(broken(["one "], { etag: '"1"' }), ok("two two", { etag: '"2"' }));
  await assert.rejects(text(file()), failure("NetworkError", /changed while it was being loaded/));
  for (const headers of /** @type {Record<string, string>[]} */ ([
    {},
    { etag: 'W/"1"' },
    { "last-modified": new Date().toUTCString() },
  ])) {
    stub(broken(["one "], headers), ok("two two", headers));
    await assert.rejects(
      text(file()),
      (/** @type {any} */ error) => error.restart === true,
      JSON.stringify(headers),
    );
  }
  const old = { "last-modified": new Date(Date.now() - 1e6).toUTCString() };
  stub(broken(["one "], old), () => new Response("one two", { headers: old }));
  assert.equal(await text(file()), "one two");
});

test("attempts that start from the beginning are limited too", async () => {
  const shared = file();
  stub(() => broken(["one "], {})());
  for (let i = 0; i < 3; i++)
    await assert.rejects(text(shared), (/** @type {any} */ error) => error.restart === true);
  await assert.rejects(
    text(shared),
    (/** @type {any} */ error) =>
      error.restart !== true && /broke off after 4 bytes.*asked 4 times/.test(error.message),
  );
});

test("a server that sends nothing is waited for until the timeout, and not longer", async () => {
  const hang = (/** @type {Asked} */ _, /** @type {AbortSignal} */ signal) =>
    new Promise((/** @type {(response: Response) => void} */ _, reject) =>
      signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError"))),
    );
  stub(hang);
  const start = performance.now();
  await assert.rejects(
    text(file(context({ timeout: 400 }))),
    failure("NetworkError", /sent nothing for 400 ms, after 0 bytes/),
  );
  assert.ok(performance.now() - start >= 390);
  stub(status(500), hang);
  await assert.rejects(
    text(file(context({ timeout: 900 }))),
    failure("NetworkError", /answered 500/),
    "the reason before it",
  );
});

test("a copy is the same, changed or unverified, according to its servers", async () => {
  const origin = { address: ADDRESS, identity: 'etag "1"' };
  const state = async (/** @type {any} */ found = origin) =>
    (await revalidate([found], context({ timeout: 1500 }))).state;
  stub(ok(""));
  assert.equal(await state(), "same");
  stub(ok("", { etag: 'W/"1"' }));
  assert.equal(await state(), "same");
  stub(ok("", { etag: '"2"' }));
  assert.equal(await state(), "changed");
  stub(status(405), ok(""));
  assert.equal(await state(), "same");
  stub(status(404));
  assert.equal(await state(), "changed");
  assert.equal(await state({ address: ADDRESS }), "same");
  stub(ok("<!doctype html>"));
  assert.equal(await state({ address: ADDRESS }), "same");
  stub(ok("{}"));
  assert.equal(await state({ address: ADDRESS }), "changed");
  for (const trouble of [status(500), status(503), status(530), new TypeError("Failed to fetch")]) {
    stub(trouble);
    assert.equal(await state(), "unverified");
  }
  for (const code of [400, 401, 403, 451]) {
    stub(status(code));
    await assert.rejects(state(), failure("NetworkError", new RegExp(`answered ${code}`)));
  }
});
