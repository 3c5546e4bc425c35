// The shapes of a figure: cells of pixels, what is recorded, gradients, captions, and the SVG that is written.

import assert from "node:assert/strict";
import { test } from "node:test";

import { captionText, wrapped } from "../../www/draw/figure/caption.ts";
import { runsOf } from "../../www/draw/figure/cells.ts";
import { cssGradient } from "../../www/draw/figure/css-gradient.ts";
import { fontOf, Recorder } from "../../www/draw/figure/recorder.ts";
import { boundsOf } from "../../www/draw/figure/shapes.ts";
import { svgOf } from "../../www/draw/figure/svg.ts";

/** @typedef {import("../../www/draw/figure/shapes.ts").Ink} Ink */

const RED = 0xff0000ff;
const GREEN = 0xff00ff00;

/** Characters are 10 wide; a colour is "r g b a". @type {import("../../www/draw/figure/recorder.ts").Environment} */
const environment = {
  ink: (colour) => /** @type {any} */ (colour.split(" ").map(Number)),
  measure: (text) =>
    /** @type {any} */ ({
      width: 10 * text.length,
      fontBoundingBoxAscent: 8,
      fontBoundingBoxDescent: 2,
    }),
};

test("cells are rectangles, equal neighbours in a row are one, and every pixel is covered once", () => {
  const [columns, rows] = [40, 24];
  const pixels = new Uint32Array(columns * rows);
  for (let at = 0; at < pixels.length; at++) {
    const [cellX, cellY] = [Math.floor((at % columns) / 4), Math.floor(at / columns / 6)];
    const hash = (cellX * 7 + cellY * 13) % 5;
    pixels[at] = hash === 0 ? 0 : (0xff000000 | (hash * 40)) >>> 0;
  }
  const runs = runsOf(pixels, columns, rows);
  const painted = new Uint32Array(pixels.length);
  for (const { x, y, width, height, pixel } of runs)
    for (let row = y; row < y + height; row++)
      for (let column = x; column < x + width; column++) {
        assert.equal(painted[row * columns + column], 0, "covered once");
        painted[row * columns + column] = pixel;
      }
  assert.deepEqual(painted, pixels);
  assert.ok(
    runs.every(({ height, width }) => height === 6 && width % 4 === 0),
    "one for each cell",
  );
  assert.deepEqual(runsOf(Uint32Array.of(RED, RED, GREEN, RED, RED, GREEN), 3, 2), [
    { x: 0, y: 0, width: 2, height: 2, pixel: RED },
    { x: 2, y: 0, width: 1, height: 2, pixel: GREEN },
  ]);
});

test("marks of one pixel's height are one path, and too many pieces are a picture", () => {
  const recorder = new Recorder(environment);
  recorder.pixels(Uint32Array.of(RED, 0, RED, GREEN, GREEN, GREEN, GREEN, GREEN, GREEN), 3, 3, {
    width: 3,
    height: 3,
  });
  assert.deepEqual(
    recorder.shapes.map((shape) => (shape.kind === "path" ? shape.d : shape.kind)),
    ["rect", "M0 0h1v1h-1zM2 0h1v1h-1z"],
  );
  const noise = Uint32Array.from({ length: 250 * 250 }, (_, at) => 0xff000000 + at);
  recorder.pixels(noise, 250, 250, { width: 125, height: 125 });
  const picture = recorder.shapes.at(-1);
  assert.equal(picture?.kind === "image" && picture.pixels, noise);
});

test("text is recorded with its baseline, its scale and its turn", () => {
  const recorder = new Recorder(environment);
  Object.assign(recorder, {
    font: "600 12px serif",
    fillStyle: "1 2 3 1",
    textBaseline: "middle",
    textAlign: "center",
  });
  recorder.save();
  recorder.translate(100, 50);
  recorder.scale(0.5, 0.5);
  recorder.fillText("abcd", 20, 10);
  recorder.restore();
  recorder.textAlign = "start";
  recorder.rotate(-Math.PI / 2);
  recorder.fillText("ab", 5, 7);
  const [scaled, turned] = /** @type {import("../../www/draw/figure/shapes.ts").Text[]} */ (
    recorder.shapes
  );
  assert.deepEqual(
    [scaled.x, scaled.y, scaled.width, scaled.font],
    [100, 50 + 0.5 * 13, 20, { family: "serif", size: 6, weight: "600", style: "" }],
  );
  assert.deepEqual([turned.x, turned.y, turned.transform], [5, 10, [0, -1, 1, 0, 0, 0]]);
  assert.deepEqual(fontOf('italic 11.5px a, "b c"'), {
    family: 'a, "b c"',
    size: 11.5,
    weight: "",
    style: "italic",
  });
});

test("the bounds of a figure contain turned text and strokes", () => {
  const recorder = new Recorder(environment);
  recorder.rotate(-Math.PI / 2);
  recorder.font = "10px serif";
  recorder.fillStyle = "0 0 0 1";
  recorder.fillText("abc", 0, 20);
  assert.deepEqual(boundsOf(recorder.shapes), { x: 10, y: -30, width: 13, height: 30 });
  assert.equal(boundsOf([]), null);
});

/** @type {(colour: string) => Ink} */
const named = (colour) =>
  colour === "transparent" || colour === "rgba(0, 0, 0, 0)"
    ? [0, 0, 0, 0]
    : /** @type {any} */ ([...(colour.match(/\d+/g) ?? []).map(Number), 1]);

test("the gradients of CSS: directions, places, and repetition", () => {
  const box = { x: 10, y: 20, width: 100, height: 10 };
  const ramp = cssGradient(
    "linear-gradient(to right, rgb(0, 0, 0), rgb(1, 1, 1), rgb(9, 9, 9))",
    box,
    named,
  );
  assert.deepEqual(ramp?.from.map(Math.round), [10, 25]);
  assert.deepEqual(ramp?.to.map(Math.round), [110, 25]);
  assert.deepEqual(
    ramp?.stops.map(({ at }) => at),
    [0, 0.5, 1],
  );
  const stroke = cssGradient(
    "linear-gradient(90deg, transparent calc(50% - 1px), rgb(5, 5, 5) calc(50% - 1px), rgb(5, 5, 5) calc(50% + 1px), transparent calc(50% + 1px))",
    box,
    named,
  );
  assert.deepEqual(
    stroke?.stops.map(({ at, ink }) => [Math.round(at * 100), ink[3]]),
    [
      [49, 0],
      [49, 1],
      [51, 1],
      [51, 0],
    ],
  );
  assert.deepEqual(stroke?.stops[0].ink, [5, 5, 5, 0], "clear, not black");
  const stripes = cssGradient(
    "repeating-linear-gradient(90deg, rgb(5, 5, 5) 0px, rgb(5, 5, 5) 25px, rgba(0, 0, 0, 0) 25px, rgba(0, 0, 0, 0) 50px)",
    box,
    named,
  );
  assert.deepEqual(
    stripes?.stops.map(({ at, ink }) => [at, ink[3]]),
    [
      [0, 1],
      [0.25, 1],
      [0.25, 0],
      [0.5, 0],
      [0.5, 1],
      [0.75, 1],
      [0.75, 0],
      [1, 0],
    ],
  );
  const short = cssGradient("linear-gradient(rgb(1, 1, 1) 0 2px, rgb(9, 9, 9) 2px)", box, named);
  assert.deepEqual(
    short?.stops.map(({ at }) => Number(at.toFixed(6))),
    [0, 0.2, 0.2],
  );
  for (const image of ["none", 'url("a.png")', "radial-gradient(red, blue)"])
    assert.equal(cssGradient(image, box, named), null);
});

test("captions are sentences of what is known, and long texts are cut", () => {
  assert.equal(
    captionText({ title: "Induction", head: "1.3", model: "gpt2", text: "a\n b" }),
    "Induction. Head 1.3 of gpt2 on “a b”.",
  );
  assert.equal(captionText({ model: "gpt2" }), "gpt2.");
  assert.equal(captionText({ text: "a" }), "On “a”.");
  assert.equal(captionText({ title: "Why?" }), "Why?");
  assert.equal(captionText("as it is"), "as it is");
  assert.equal(captionText(undefined), "");
  assert.ok(captionText({ text: "é".repeat(500) }).length < 180);
  assert.deepEqual(
    wrapped("aa bb cc", 55, (text) => 10 * text.length),
    ["aa bb", "cc"],
  );
  assert.deepEqual(
    wrapped("a wordthatislong b", 50, (text) => 10 * text.length),
    ["a", "wordthatislong", "b"],
  );
});

test("an SVG file is XML whatever the tokens hold, and colours are hexadecimal", () => {
  const recorder = new Recorder(environment);
  Object.assign(recorder, { font: '12px "a b", c', fillStyle: "255 0 128 1", globalAlpha: 0.5 });
  recorder.fillText('<b>&"\u0001\ud800 \ufffe', 1, 2);
  const svg = svgOf(recorder.shapes, {
    ...{ width: 100, height: 50, printedWidth: "85mm", printedHeight: "42.5mm", background: null },
    ...{
      title: "a < b",
      description: "",
      metadata: { tokens: ["</svg>", "\u0001"] },
      encode: () => "",
    },
  });
  assert.match(svg, /^<svg [^>]*width="85mm" height="42.5mm" viewBox="0 0 100 50"/);
  assert.match(
    svg,
    /<text x="1" y="2" font-family="&quot;a b&quot;, c" font-size="12" fill="#ff0080" fill-opacity="0.5">&lt;b&gt;&amp;&quot;\ufffd\ufffd \ufffd<\/text>/,
  );
  assert.match(
    svg,
    /<metadata>\{&quot;tokens&quot;:\[&quot;&lt;\/svg&gt;&quot;,&quot;\\u0001&quot;\]\}<\/metadata>/,
  );
});
