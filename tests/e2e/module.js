// Modules of www/ that the page does not export, for tests that run them in the browser with the API of dist/.

import { build } from "esbuild";

/**
 * Puts what a module exports into a global variable of the page.
 * @param {import("playwright-core").Page} page @param {string} path in www/ @param {string} name of the variable
 */
export async function addModule(page, path, name) {
  const { outputFiles } = await build({
    entryPoints: [new URL(`../../www/${path}`, import.meta.url).pathname],
    bundle: true,
    format: "iife",
    globalName: name,
    write: false,
  });
  await page.addScriptTag({ content: outputFiles[0].text });
}
