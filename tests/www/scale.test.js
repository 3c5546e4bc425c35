import assert from "node:assert/strict";
import { test } from "node:test";

import {
  colours,
  gradient,
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

test("text on a colour has enough contrast", () => {
  const luminance = (/** @type {number[]} */ rgb) =>
    rgb
      .map((x) => (x <= 10 ? x / 3294.6 : ((x / 255 + 0.055) / 1.055) ** 2.4))
      .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  const inks = { dark: luminance([27, 19, 13]), light: luminance([250, 244, 232]) };
  for (const theme of themes) {
    colours(theme).forEach((rgb, i) => {
      const [a, b] = [luminance(rgb), inks[textOn(i / 255, theme)]];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      assert.ok(contrast >= 4.0, `${theme} level ${i}: ${contrast.toFixed(2)}`); // large text asks for 3, small for 4.5
    });
  }
});

test("the legend starts and ends with the scale", () => {
  const stops = gradient("dark");
  assert.ok(
    stops.includes(colours("dark")[0].join(" ")) && stops.includes(colours("dark")[255].join(" ")),
  );
});
