// What a visitor notices of the built page: layout shifts while it loads, how soon it answers keys, and how soon a sweep of
// patches shows progress and stops.

import { median } from "./statistics.mjs";

/** @typedef {import("playwright-core").Browser} Browser */
/** @typedef {import("playwright-core").Page} Page */

/** After the first picture the page loads more modules, which must not move anything either. */
const BACKGROUND_WORK_MS = 3000;

/** @param {Page} page */
const isRead = (page) =>
  page.waitForFunction(
    () =>
      document.querySelector("scope-figure")?.reading &&
      !document.querySelector("scope-figure").stale,
    null,
    { timeout: 120_000 },
  );

/**
 * The Cumulative Layout Shift of a load in a new profile: the largest sum of shifts in a window of at most 5 s without a pause
 * of 1 s, as https://web.dev/articles/cls defines it.
 * @param {Browser} browser @param {string} url @param {{ width: number, height: number }} viewport
 */
export async function layoutShift(browser, url, viewport) {
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  await page.addInitScript(() => {
    globalThis.shifts = [];
    const name = (node) => node?.id || node?.localName || node?.parentElement?.localName || "?";
    new PerformanceObserver((list) => {
      for (const { startTime, value, hadRecentInput, sources } of list.getEntries())
        if (!hadRecentInput)
          globalThis.shifts.push({
            startTime,
            value,
            sources: sources.map(({ node }) => name(node)),
          });
    }).observe({ type: "layout-shift", buffered: true });
  });
  await page.goto(url);
  await isRead(page);
  await page.waitForTimeout(BACKGROUND_WORK_MS);
  const shifts = await page.evaluate(() => globalThis.shifts);
  await context.close();
  let [largest, sum, first, last] = [0, 0, -Infinity, -Infinity];
  for (const { startTime, value } of shifts) {
    if (startTime - last > 1000 || startTime - first > 5000) [sum, first] = [0, startTime];
    sum += value;
    last = startTime;
    largest = Math.max(largest, sum);
  }
  const moved = shifts.toSorted((a, b) => b.value - a.value)[0];
  return { score: largest, moved: moved ? [...new Set(moved.sources)].join(", ") : "nothing" };
}

/** 78 tokens of the bundled model; two sentences, so that an induction head has something to do. */
const TYPED =
  "You are gentlemen of brave metal; you would lift the moon out of her sphere, if she would continue in it five weeks without changing. You are gentlemen of brave metal; you would lift the moon out of her sphere, if she would continue in it five weeks without changing. Now is the winter of our";

/**
 * Interaction to Next Paint while a text is typed: from a key to the next frame, at the 98th percentile of all keys.
 * @param {Browser} browser @param {string} url @param {number} [delay] between keys, in ms: 80 is a fast typist
 */
export async function typing(browser, url, delay = 80) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto(url);
  await isRead(page);
  await page.waitForTimeout(BACKGROUND_WORK_MS);
  await page.evaluate(() => {
    globalThis.interactions = new Map();
    // Interactions shorter than the threshold, which cannot be less than 16 ms, are not reported: they count as 16 ms.
    new PerformanceObserver((list) => {
      for (const { interactionId, duration } of list.getEntries())
        if (interactionId > 0)
          globalThis.interactions.set(
            interactionId,
            Math.max(duration, globalThis.interactions.get(interactionId) ?? 0),
          );
    }).observe({ type: "event", durationThreshold: 16 });
  });
  await page.keyboard.press("/");
  await page.keyboard.press("Control+a");
  await page.keyboard.type(TYPED, { delay });
  await page.waitForFunction(
    (text) => document.querySelector("scope-figure")?.reading?.text === text,
    TYPED,
    { timeout: 120_000 },
  );
  await page.waitForTimeout(1000); // entries arrive late
  const { durations, tokens, keys } = await page.evaluate(() => ({
    durations: [...globalThis.interactions.values()],
    tokens: document.querySelector("scope-figure").reading.ids.length,
    keys: performance.interactionCount,
  }));
  await context.close();
  const all = [...durations, ...Array(Math.max(0, TYPED.length - durations.length)).fill(16)];
  all.sort((a, b) => a - b);
  return {
    ...{ tokens, keys },
    p98: all[Math.min(all.length - 1, Math.floor(0.98 * all.length))],
    longest: all.at(-1),
    median: median(all),
  };
}

/**
 * A sweep of patches on a model, by the public API in a page of the build: the time until the first progress, and from an abort
 * until the promise rejects; and until another call is answered, because only then the worker is free.
 * @param {Browser} browser @param {string} url @param {string} source of the model @param {number} rounds
 */
export async function sweep(browser, url, source, rounds) {
  const page = await browser.newPage();
  page.setDefaultTimeout(600_000);
  await page.goto(`${url}tensor.js`);
  const found = await page.evaluate(
    async ({ source, rounds }) => {
      const { loadModel } = await import(new URL("candlescope.js", location.href).href);
      const model = await loadModel(source, { keep: false });
      const clean = Uint32Array.from({ length: 15 }, (_, at) => (at * 7919) % 50257);
      const corrupted = clean.with(3, 1234);
      const results = [];
      for (let round = 0; round < rounds; round++) {
        const controller = new AbortController();
        const start = performance.now();
        let [first, progressed, aborted] = [0, 0, 0];
        try {
          await model.patching({
            ...{ clean, corrupted, at: "resid_pre", answer: 11, against: 12 },
            signal: controller.signal,
            onProgress: () => {
              if (progressed++ === 0) first = performance.now() - start;
              // In the middle of a pass, as a visitor does it.
              if (progressed === 4)
                setTimeout(() => {
                  aborted = performance.now();
                  controller.abort();
                }, 30);
            },
          });
          throw new Error("the sweep was over before it was aborted");
        } catch (error) {
          if (error.name !== "AbortError") throw error;
        }
        const stopped = performance.now() - aborted;
        await model.tokenNames([1]).catch(() => {});
        results.push({ first, stopped, free: performance.now() - aborted });
      }
      return results;
    },
    { source: new URL(source, url).href, rounds },
  );
  await page.close();
  const medianOf = (name) => median(found.map((one) => one[name]));
  const longestOf = (name) => Math.max(...found.map((one) => one[name]));
  return Object.fromEntries(
    ["first", "stopped", "free"].map((name) => [
      name,
      { median: medianOf(name), longest: longestOf(name) },
    ]),
  );
}
