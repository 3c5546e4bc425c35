import { start } from "./tests/e2e/browser.js";
import { gpt2Tensors, joined } from "./tests/e2e/safetensors.js";
const site = await start();
const model = (sizes) => ({ "config.json": Buffer.from(JSON.stringify({ model_type: "gpt2", ...sizes })), "pirate.safetensors": joined(gpt2Tensors(sizes).map(([name, shape], at) => { let s = at + 7; const n = shape.reduce((a, b) => a * b, 1); return { name, entry: { dtype: "F32", shape }, part: Buffer.from(Float32Array.from({ length: n }, () => { s = (Math.imul(s, 1664525) + 1013904223) >>> 0; return (s / 2 ** 32 - 0.5) * 0.8; }).buffer) }; })) });
const picked = (f) => Object.entries(f).map(([name, buffer]) => ({ name, mimeType: "x/y", buffer }));
for (const [width, dark] of [[1440, true], [390, false]]) {
  const context = await site.browser.newContext({ viewport: { width, height: 844 }, colorScheme: dark ? "dark" : "light", reducedMotion: "reduce" });
  const page = await context.newPage();
  page.on("pageerror", (e) => console.log("ERR", e.message));
  await page.goto(site.url);
  for (const [tag, sizes] of [["one", { n_layer: 1, n_head: 1, n_embd: 4, n_positions: 8, vocab_size: 3 }], ["many", { n_layer: 2, n_head: 48, n_embd: 192, n_positions: 16, vocab_size: 64 }]]) {
    await page.waitForFunction(() => { const f = document.querySelector("scope-figure"); return f?.reading && !f.stale; });
    await page.click("#choose");
    await page.locator("input[name=files]").setInputFiles(picked(model(sizes)));
    await page.waitForFunction((n) => document.querySelector("model-report")?.summary?.sizes.startsWith(n), `${sizes.n_layer} layer`);
    await page.waitForFunction(() => { const f = document.querySelector("scope-figure"); return f?.reading && !f.stale && document.querySelector("#chooser").hidden; });
    await page.waitForTimeout(400);
    await page.screenshot({ path: `/tmp/page-shots/${tag}-${width}.png`, fullPage: width === 390 });
    for (const view of ["lens", "head scores"]) { await page.getByRole("button", { name: view, exact: true }).click(); await page.waitForTimeout(700); await page.screenshot({ path: `/tmp/page-shots/${tag}-${view.replace(" ", "-")}-${width}.png` }); }
    await page.getByRole("button", { name: "attention", exact: true }).click();
  }
  await page.click("#choose");
  await page.waitForTimeout(1500);
  await page.screenshot({ path: `/tmp/page-shots/gallery-${width}.png`, fullPage: true });
  await context.close();
}
await site.stop();
