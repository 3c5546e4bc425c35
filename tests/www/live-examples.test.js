// The live examples of the documentation site.

import assert from "node:assert/strict";
import { test } from "node:test";

// By a variable: the packages of the site have no types here.
const module = "../../docs/site/markdown.mjs";
const { liveExamples, scripts } = await import(module);

test("each of two equal examples has a script of its own", () => {
  /** @type {any} */
  const md = { renderer: { rules: { fence: () => "" } } };
  liveExamples(md);
  const content = '<b id="x"></b><script type="module">\ndocument.title += "x";\n</script>';
  const tokens = Array.from({ length: 2 }, () => ({ info: "html live", content }));
  const names = tokens.map((_, at) => {
    const html = md.renderer.rules.fence(tokens, at, {}, {}, {});
    return /examples\/(\w+\.js)/.exec(html)?.[1] ?? "";
  });
  assert.notEqual(names[0], names[1]);
  assert.equal(scripts.get(names[0]), scripts.get(names[1]));
});
