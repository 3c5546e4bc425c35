import assert from "node:assert/strict";
import { test } from "node:test";

import { divergingColours } from "../../www/draw/diverging.ts";
import {
  colourOf,
  colours,
  contrast,
  gradient,
  inkOn,
  level,
  levelOf,
  lightness,
  oklch,
  pixels,
  textOn,
  valuesOf,
} from "../../www/draw/scale.ts";

const themes = /** @type {const} */ (["light", "dark"]);

test("lightness falls in the light theme and rises in the dark theme", () => {
  const steps = (/** @type {"light" | "dark"} */ theme) => {
    const light = colours(theme).map(lightness);
    return light.slice(1).map((value, i) => value - light[i]);
  };
  // 8-bit channels move lightness by up to 0.001 either way; a step of the scale is 0.0029.
  assert.ok(
    steps("light").every((step) => step < 0),
    `largest step ${Math.max(...steps("light"))}`,
  );
  assert.ok(
    steps("dark").every((step) => step > 0),
    `smallest step ${Math.min(...steps("dark"))}`,
  );
});

test("equal steps of value are equal steps of lightness", () => {
  for (const theme of themes) {
    const light = colours(theme).map(lightness);
    const whole = light[255] - light[0];
    light.forEach((value, i) =>
      assert.ok(Math.abs(value - light[0] - (i / 255) * whole) < 0.004, `${theme} level ${i}`),
    );
  }
});

test("every level has its own colour, so pixels can be read back", () => {
  for (const theme of themes)
    colours(theme).forEach((rgb, i) => assert.equal(levelOf(rgb, theme), i));
  assert.equal(levelOf([1, 2, 3], "light"), -1);
});

test("a value lies within the values of its level", () => {
  for (const stretch of /** @type {const} */ (["linear", "sqrt"])) {
    for (let value = 0; value <= 1; value += 0.001) {
      const [low, high] = valuesOf(level(value, stretch), stretch);
      assert.ok(
        value >= low - 1e-12 && value <= high + 1e-12,
        `${value} is not in ${low} to ${high}`,
      );
    }
  }
});

test("a square root raises small values and keeps the ends", () => {
  assert.equal(level(0, "sqrt"), 0);
  assert.equal(level(1, "sqrt"), 255);
  assert.equal(level(0.01, "linear"), 3);
  assert.equal(level(0.01, "sqrt"), 26);
});

test("values outside the scale are clamped", () => {
  assert.deepEqual(
    [-1, NaN, 2].map((value) => level(value, "linear")),
    [0, 0, 255],
  );
});

test("pixels are opaque colours in little-endian order", () => {
  const bytes = new Uint8Array(pixels("light").buffer);
  assert.deepEqual([...bytes.slice(400, 404)], [...colours("light")[100], 255]);
});

test("oklch agrees with CSS Color 4", () => {
  // oklch(0.62796 0.25768 29.234) is sRGB red in the specification's sample conversions.
  oklch(0.62796, 0.25768, 29.234).forEach((channel, i) =>
    assert.ok(Math.abs(channel - [1, 0, 0][i]) < 2e-3, `channel ${i}: ${channel}`),
  );
  assert.ok(Math.abs(lightness([255, 0, 0]) - 0.62796) < 1e-4);
});

test("contrast agrees with the examples of WCAG", () => {
  assert.ok(Math.abs(contrast([0, 0, 0], [255, 255, 255]) - 21) < 1e-12);
  assert.ok(Math.abs(contrast([119, 119, 119], [255, 255, 255]) - 4.478) < 1e-3); // #777 just fails
  assert.ok(Math.abs(contrast([255, 255, 255], [118, 118, 118]) - 4.542) < 1e-3); // #767676 just passes
});

test("text on every colour of both scales has a contrast of at least 4.5", () => {
  for (const theme of themes) {
    for (const table of [colours(theme), divergingColours(theme)]) {
      table.forEach((rgb, i) => {
        const found = contrast(rgb, inkOn(rgb));
        assert.ok(found >= 4.5, `${theme} level ${i}: ${found.toFixed(3)}`);
      });
    }
    for (const stretch of /** @type {const} */ (["linear", "sqrt"])) {
      for (let at = 0; at <= 1000; at += 1) {
        const [ink, background] = [textOn, colourOf].map(
          (of) =>
            /** @type {[number, number, number]} */ (
              of(at / 1000, theme, stretch)
                .match(/\d+/g)
                ?.map(Number)
            ),
        );
        assert.ok(contrast(ink, background) >= 4.5, `${theme} ${stretch} ${at / 1000}`);
      }
    }
  }
});

test("the legend starts and ends with the scale", () => {
  const stops = gradient("dark");
  assert.ok(
    stops.includes(colours("dark")[0].join(" ")) && stops.includes(colours("dark")[255].join(" ")),
  );
});
