// A figure of a model that was changed says what was changed, whatever part or view of it is drawn, and so does its picture.

import assert from "node:assert/strict";
import { test } from "node:test";

import { figure, useHost } from "./host.js";

const { openDrawn: open } = useHost();

const TEXT = "the moon, the moon";
const MLP = JSON.stringify([{ at: "blocks.0.hook_mlp_out", do: "zero" }]).replaceAll('"', "&quot;");

test("heads that are off and interventions are said in every view and every part", async () => {
  const off = `prompt="${TEXT}" loading="eager" off="1.0,1.1"`;
  const body = [
    figure(`${off} view="log-probability"`),
    figure(`${off} layer="0" head="0" parts="pattern"`),
    figure(`${off} parts="tokens"`),
    figure(`${off} view="lens" controls="none"`),
    figure(`prompt="${TEXT}" loading="eager" interventions="${MLP}"`),
    figure(`prompt="${TEXT}" loading="eager"`),
  ].join("\n");
  await open(body, async (page) => {
    const said = await page.evaluate(() =>
      [...document.querySelectorAll("candle-scope")].map((/** @type {any} */ one) => {
        const inner = one.renderRoot.querySelector("scope-figure");
        const line = inner.renderRoot.querySelector(".changed");
        return line?.checkVisibility() ? line.innerText : "";
      }),
    );
    const heads = "With heads 1.0 and 1.1 switched off.";
    const other = "With 1 intervention (zero at hook_mlp_out of layer 0).";
    assert.deepEqual(said, [heads, heads, heads, heads, other, ""]);
    // The picture of the view, as SVG, and without a caption of its own.
    const titles = await page.evaluate(() =>
      Promise.all(
        [...document.querySelectorAll("candle-scope")].map(async (/** @type {any} */ one) => {
          const svg = new DOMParser().parseFromString(
            await one.renderRoot.querySelector("scope-figure").toSVG(),
            "image/svg+xml",
          );
          const texts = [...svg.querySelectorAll("text")].map((text) => text.textContent).join(" ");
          const { changes = "" } = JSON.parse(svg.querySelector("metadata")?.textContent ?? "");
          return [svg.querySelector("title")?.textContent, changes, texts.includes("With ")];
        }),
      ),
    );
    assert.deepEqual(titles[0], [heads, "heads 1.0 and 1.1 switched off", true]);
    assert.equal(titles[4][0], other);
    assert.deepEqual(titles[5].slice(1), ["", false]);
    // What is said follows the text that is shown.
    await page.evaluate(() => document.querySelector("candle-scope")?.removeAttribute("off"));
    await page.waitForFunction(() => {
      const inner = document
        .querySelector("candle-scope")
        ?.shadowRoot?.querySelector("scope-figure");
      return inner?.shadowRoot?.querySelector(".changed") === null;
    });
  });
});
