// The time from navigation until the page shows its first attention pattern.

/** Chromium loads its own toolbar in a new window and is busy for about this long. */
const WINDOW_OPENS_MS = 1500;
/** After the first pattern the page writes the model to storage and loads the second wasm module; this is long enough. */
const BACKGROUND_WORK_MS = 3000;

/**
 * Opens a new page, navigates, and waits until pixels of the pattern are drawn and the background work is over.
 * @param {import("playwright-core").BrowserContext} context @param {string} url
 * @returns {Promise<{ ms: number, files: string[] }>} `files`: the paths requested up to the first pattern
 */
export async function firstPattern(context, url) {
  const page = await context.newPage();
  await page.waitForTimeout(WINDOW_OPENS_MS);
  /** @type {Set<string>} */
  const files = new Set();
  page.on("request", (request) =>
    files.add(new URL(request.url()).pathname.slice(1) || "index.html"),
  );
  await page.goto(url, { waitUntil: "commit" });
  // Polling must not take the time that it measures: it reads one row of pixels, and only once there is a canvas.
  const ms = await page.evaluate(
    () =>
      new Promise((done) => {
        const poll = () => {
          const figure = document.querySelector("scope-figure");
          const view = figure?.reading && figure.shadowRoot.querySelector("attention-view");
          const pattern = view?.shadowRoot?.querySelector("attention-pattern");
          const cells = pattern?.shadowRoot?.querySelector("canvas.cells");
          const row =
            cells?.width &&
            cells.getContext("2d").getImageData(0, cells.height >> 1, cells.width, 1).data;
          if (row?.some((value, i) => i % 4 === 3 && value > 0)) done(performance.now());
          else requestAnimationFrame(poll);
        };
        poll();
      }),
  );
  const requested = [...files];
  await page.waitForTimeout(BACKGROUND_WORK_MS);
  await page.close();
  return { ms, files: requested };
}
