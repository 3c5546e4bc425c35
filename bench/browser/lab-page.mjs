// The built page's API with one model, for measurements of what a user of the API gets.

/**
 * A page with `window.model`, and the number of threads that compute.
 * @param {import("playwright-core").Browser} browser @param {string} url of the server of the repository @param {string} folder of the model
 * @param {boolean} isolated whether all threads compute, else one
 */
export async function openModel(browser, url, folder, isolated) {
  const context = await browser.newContext();
  if (!isolated) await context.route("**/tensor.js", withoutIsolation);
  const page = await context.newPage();
  page.setDefaultTimeout(600_000);
  await page.goto(`${url}dist/tensor.js`);
  const threads = await page.evaluate(
    async ([url, folder]) => {
      const { loadModel } = await import(`${url}dist/candlescope.js`);
      window.model = await loadModel(url + folder);
      return window.model.backend.threads;
    },
    [url, folder],
  );
  return { page, threads, close: () => context.close() };
}

async function withoutIsolation(route) {
  const response = await route.fetch();
  const headers = { ...response.headers() };
  delete headers["cross-origin-opener-policy"];
  delete headers["cross-origin-embedder-policy"];
  await route.fulfill({ response, headers });
}
