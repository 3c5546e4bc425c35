#!/usr/bin/env node
// Takes the pictures of the README and of docs/ from the built page: `make pictures`. They show the font P052
// (fonts-urw-base35 in Debian); without it the browser uses another one.

import { settled, start, visit } from "../tests/e2e/browser.js";

const site = await start();
const pictures = [
  { name: "page", width: 1440, height: 920 },
  { name: "page-dark", width: 1440, height: 920, dark: true },
  { name: "page-phone", width: 390, height: 844, ratio: 2 },
];
try {
  for (const { name, ...options } of pictures) {
    await visit(site, options, async (page) => {
      await settled(page);
      await page.locator("next-tokens .one").first().waitFor();
      await page.screenshot({ path: new URL(`${name}.png`, import.meta.url).pathname });
    });
  }
} finally {
  await site.stop();
}
