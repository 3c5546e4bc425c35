import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { levelOf, valuesOf } from "../../www/draw/scale.ts";
import {
  captured,
  cellAt,
  DIST,
  drawn,
  eventually,
  figureState,
  settled,
  start,
  visit,
} from "./browser.js";
import { openView, VIEW_NAMES } from "./lab-helpers.js";

/** @typedef {import("../../www/draw/scale.ts").Theme} Theme */
/** @typedef {import("../../www/draw/scale.ts").Stretch} Stretch */

const SENTENCE =
  "You are gentlemen of brave metal; you would lift the moon out of her sphere, if she would continue in it five weeks without changing.";
const DEFAULT_TEXT = `${SENTENCE} ${SENTENCE}`;

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/**
 * Every cell has the colour of its value, and the future has none.
 * @param {import("playwright-core").Page} page @param {Theme} theme @param {Stretch} stretch
 */
async function assertDrawnIsCaptured(page, theme, stretch) {
  const { layer, head, text } = await figureState(page);
  const [{ count, colours }, values] = [
    await drawn(page),
    await captured(page, { text, layer, head }),
  ];
  assert.equal(values.length, count * count);
  values.forEach((value, at) => {
    const [row, column] = [Math.floor(at / count), at % count];
    const [red, green, blue, alpha] = colours[at];
    if (column > row) return assert.equal(alpha, 0, `${row},${column} is the future`);
    const level = levelOf([red, green, blue], theme);
    assert.ok(level >= 0, `${row},${column} has a colour that is not on the scale: ${colours[at]}`);
    const [low, high] = valuesOf(level, stretch);
    assert.ok(
      value >= low - 1e-6 && value <= high + 1e-6,
      `${row},${column}: drawn as ${low} to ${high}, captured ${value}`,
    );
  });
}

test("the page opens on the repeated sentence and its strongest induction head", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const { layer, head, text, count } = await figureState(page);
    assert.equal(text, DEFAULT_TEXT);
    const scores = await page.evaluate(() =>
      /** @type {any} */ (document.querySelector("scope-figure")).reading.scores.map(
        (/** @type {any} */ one) => [one.layer, one.head, one.induction],
      ),
    );
    const best = Math.max(...scores.map((/** @type {number[]} */ one) => one[2]));
    assert.deepEqual(scores.find((/** @type {number[]} */ one) => one[2] === best).slice(0, 2), [
      layer,
      head,
    ]);
    assert.ok(best > 0.3, `the strongest head gives ${best} to what followed last time`);
    await eventually(async () =>
      assert.match(
        await page.locator(".says").innerText(),
        new RegExp(`^Head ${layer}\\.${head} looks back to what followed this word last time\\.`),
      ),
    );
    // Its stripe lies half a text below the diagonal: that is where each row of the second half is brightest, mostly.
    const values = await captured(page, { text, layer, head });
    const half = Math.floor(count / 2);
    const rows = Array.from({ length: count - half - 1 }, (_, i) => half + i);
    const onStripe = rows.filter((row) => {
      const own = values.slice(row * count, row * count + row + 1);
      return Math.abs(row - own.indexOf(Math.max(...own)) - (half - 1)) <= 1;
    });
    assert.ok(onStripe.length > rows.length / 2, `${onStripe.length} of ${rows.length} rows`);
  });
});

test("the drawn pattern is the one that cache.get returns", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await eventually(() => assertDrawnIsCaptured(page, "light", "linear"));
    await page.getByRole("button", { name: "square root" }).click();
    await settled(page);
    await eventually(() => assertDrawnIsCaptured(page, "light", "sqrt"));
    await page.locator('[data-layer="0"][data-head="1"]').click();
    await settled(page);
    await eventually(async () =>
      assert.deepEqual([(await figureState(page)).layer, (await figureState(page)).head], [0, 1]),
    );
    await eventually(() => assertDrawnIsCaptured(page, "light", "sqrt"));
  });
});

test("the drawn pattern is the same in the dark theme and with more device pixels", async () => {
  await visit(site, { dark: true, ratio: 2, width: 800 }, async (page) => {
    await settled(page);
    await eventually(() => assertDrawnIsCaptured(page, "dark", "linear"));
    await page.locator("#theme").click();
    await settled(page);
    await eventually(() => assertDrawnIsCaptured(page, "light", "linear"));
  });
});

test("cells are whole device pixels at any ratio", async () => {
  for (const ratio of [1, 1.5, 2, 3]) {
    await visit(site, { ratio, width: 1000 }, async (page) => {
      await settled(page);
      const { size, cell, count } = await drawn(page);
      assert.equal(size, cell * count);
      const css = await page
        .locator("attention-pattern")
        .first()
        .evaluate(
          (/** @type {any} */ element) =>
            element.renderRoot.querySelector(".cells").getBoundingClientRect().width,
        );
      assert.ok(
        Math.abs(css * ratio - size) < ratio / 32, // browsers lay out in 64ths of a pixel
        `${css} CSS pixels at ${ratio} are ${size} device pixels`,
      );
    });
  }
});

test("a changed prompt is drawn, and after fast typing the last text", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await page.locator("#prompt").fill("To be, or not to be: that is the question");
    await settled(page);
    await eventually(async () =>
      assert.equal((await figureState(page)).text, "To be, or not to be: that is the question"),
    );
    await eventually(() => assertDrawnIsCaptured(page, "light", "linear"));
    await page.locator("#prompt").fill("");
    await page.locator("#prompt").pressSequentially("the moon, the moon, the moon");
    await settled(page);
    await eventually(async () =>
      assert.equal((await figureState(page)).text, "the moon, the moon, the moon"),
    );
    await eventually(() => assertDrawnIsCaptured(page, "light", "linear"));
  });
});

test("hovering a cell announces and shows its value, and a click locks it", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const { text, layer, head, count } = await figureState(page);
    const values = await captured(page, { text, layer, head });
    const tokens = await page.evaluate(
      () => /** @type {any} */ (document.querySelector("scope-figure")).reading.tokens,
    );
    const { x, y } = await cellAt(page, 20, 7);
    await page.mouse.move(x, y);
    const value = values[20 * count + 7].toFixed(2);
    await page.waitForFunction((sentence) => {
      const pattern = document
        .querySelector("scope-figure")
        ?.shadowRoot?.querySelector("attention-view")
        ?.shadowRoot?.querySelector("attention-pattern");
      return pattern?.shadowRoot?.querySelector("[aria-live]")?.textContent === sentence;
    }, `query 20 '${tokens[20]}', key 7 '${tokens[7]}', ${value}`);
    await eventually(async () =>
      assert.match(await page.locator(".readout").innerText(), new RegExp(`${value}$`)),
    );
    await page.mouse.down();
    await page.mouse.up();
    await eventually(async () =>
      assert.deepEqual((await figureState(page)).lock, { query: 20, key: 7 }),
    );
    await page.mouse.move(5, 5);
    await eventually(async () =>
      assert.match(await page.locator(".readout").innerText(), /^query 20 /),
    );
    await eventually(() => assert.match(page.url(), /lock=20%2C7/));
    await page.keyboard.press("Escape");
    await eventually(async () => assert.equal((await figureState(page)).lock, null));
  });
});

test("hovering a token highlights what it attends to, or what attends to it", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const { text, layer, head, count } = await figureState(page);
    const values = await captured(page, { text, layer, head });
    const background = (/** @type {number} */ position) =>
      page
        .locator(`.token[data-position="${position}"]`)
        .evaluate((element) => element.style.backgroundColor);
    const colour = async (/** @type {number} */ position) =>
      levelOf(
        /** @type {[number, number, number]} */ (
          (await background(position)).match(/\d+/g)?.map(Number) ?? [0, 0, 0]
        ),
        "light",
      );
    await page.locator('.token[data-position="40"]').hover();
    await eventually(async () => {
      for (const key of [0, 5, 17, 40]) {
        const [low, high] = valuesOf(await colour(key), "linear");
        const value = values[40 * count + key];
        assert.ok(value >= low - 1e-6 && value <= high + 1e-6, `40 looks at ${key}: ${value}`);
      }
    });
    await eventually(async () =>
      assert.equal(await background(41), "", "the future has no colour"),
    );
    await page.getByRole("button", { name: "what attends to it" }).click();
    await page.locator('.token[data-position="10"]').hover();
    await eventually(async () => {
      for (const query of [10, 30, 50]) {
        const [low, high] = valuesOf(await colour(query), "linear");
        const value = values[query * count + 10];
        assert.ok(value >= low - 1e-6 && value <= high + 1e-6, `${query} looks at 10: ${value}`);
      }
    });
    await eventually(async () =>
      assert.equal(await background(9), "", "the past does not look ahead"),
    );
  });
});

test("hovering a head previews it, and a click selects it", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const before = await figureState(page);
    const [layer, head] = before.layer === 0 && before.head === 0 ? [1, 1] : [0, 0];
    const title = page.locator("attention-view h2");
    await page.locator(`[data-layer="${layer}"][data-head="${head}"]`).hover();
    await eventually(async () =>
      assert.match(await title.innerText(), new RegExp(`^Head ${layer}\\.${head} preview`)),
    );
    await page.mouse.move(5, 5);
    await eventually(async () =>
      assert.match(await title.innerText(), new RegExp(`^Head ${before.layer}\\.${before.head}`)),
    );
    await page.locator(`[data-layer="${layer}"][data-head="${head}"]`).click();
    await page.mouse.move(5, 5);
    await eventually(async () =>
      assert.match(await title.innerText(), new RegExp(`^Head ${layer}\\.${head}`)),
    );
  });
});

test("tokens are coloured by their surprisal", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await page.getByRole("button", { name: "log-probability" }).click();
    const { logProbs, vocabulary, loss } = await page.evaluate(() => {
      const { reading, config } = /** @type {any} */ (document.querySelector("scope-figure"));
      const { logProbs, loss } = reading;
      return { logProbs: [...logProbs], vocabulary: config.vocab_size, loss };
    });
    assert.ok(
      Math.abs(loss + logProbs.reduce((sum, one) => sum + one, 0) / logProbs.length) < 1e-4,
    );
    for (const position of [1, 12, 50])
      await eventually(async () => {
        const rgb = await page
          .locator(`.token[data-position="${position}"]`)
          .evaluate((element) => element.style.backgroundColor.match(/\d+/g)?.map(Number));
        const [low, high] = valuesOf(
          levelOf(/** @type {[number, number, number]} */ (rgb), "light"),
          "linear",
        );
        const share = Math.min(1, -logProbs[position - 1] / Math.log(vocabulary));
        assert.ok(share >= low - 1e-6 && share <= high + 1e-6, `token ${position}`);
      });
    await eventually(async () =>
      assert.match(
        (await page.locator("token-losses [role=img]").getAttribute("aria-label")) ?? "",
        /^surprisal of \d+ tokens, mean \d/,
      ),
    );
  });
});

test("generated tokens are appended to the text and can be inspected", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const { count } = await figureState(page);
    await page.getByLabel("sample").uncheck();
    await page.getByLabel("tokens", { exact: true }).fill("12");
    await page.getByRole("button", { name: "Generate" }).click();
    await page.waitForFunction(
      (start) =>
        document.querySelectorAll("scope-figure").length &&
        /** @type {any} */ (document.querySelector("scope-figure")).reading.ids.length > start + 2,
      count,
    );
    await page.getByRole("button", { name: "Generate" }).waitFor();
    await settled(page);
    const after = await figureState(page);
    assert.equal(after.count, count + 12);
    assert.ok(after.text.startsWith(DEFAULT_TEXT));
    await eventually(async () => assert.equal(await page.locator(".token.generated").count(), 12));
    const expected = await page.evaluate(async (prompt) => {
      const { loadModel } = await import(new URL("candlescope.js", location.href).href);
      const model = await loadModel("models/shakespeare");
      const strings = [];
      for await (const step of model.generate(prompt, { maxNewTokens: 12 }))
        strings.push(step.string);
      return strings.join("");
    }, DEFAULT_TEXT);
    assert.equal(after.text, DEFAULT_TEXT + expected);
    await eventually(() => assertDrawnIsCaptured(page, "light", "linear"));
    // The alternatives of the third generated token are those after the one before it; greedy took the first.
    await page.locator(`.token[data-position="${count + 1}"]`).hover();
    await page.waitForFunction(
      (position) =>
        /** @type {any} */ (document.querySelector("next-tokens")).position === position,
      count + 1,
    );
    const next = await page.evaluate(() => {
      const { truth, alternatives } = /** @type {any} */ (document.querySelector("next-tokens"));
      return {
        truth,
        first: alternatives[0].id,
        sum: alternatives.reduce(
          (/** @type {number} */ sum, /** @type {any} */ one) => sum + Math.exp(one.logProb),
          0,
        ),
      };
    });
    assert.equal(next.first, next.truth);
    assert.ok(next.sum > 0 && next.sum <= 1 + 1e-6);
  });
});

test("generation can be stopped", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const { count } = await figureState(page);
    await page.getByLabel("tokens", { exact: true }).fill("150");
    await page.getByRole("button", { name: "Generate" }).click();
    await page.waitForFunction(
      (start) =>
        /** @type {any} */ (document.querySelector("scope-figure")).reading.ids.length > start,
      count,
    );
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "Generate" }).waitFor();
    await settled(page);
    const after = await figureState(page);
    assert.ok(after.count > count && after.count < count + 150);
    await eventually(async () =>
      assert.equal(await page.locator("error-notice .notice").count(), 0, "stopping is no error"),
    );
  });
});

test("choosing an alternative continues the text with it", async () => {
  await visit(site, { path: "#prompt=Good%20night" }, async (page) => {
    await settled(page);
    await page.locator("next-tokens .one").nth(1).waitFor();
    const second = await page.evaluate(
      () => /** @type {any} */ (document.querySelector("next-tokens")).alternatives[1].string,
    );
    await page.locator("next-tokens .one").nth(1).click();
    await settled(page);
    await eventually(async () =>
      assert.equal((await figureState(page)).text, `Good night${second}`),
    );
  });
});

test("everything can be done with the keyboard", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const focused = () =>
      page.evaluate(() => {
        let element = document.activeElement;
        while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
        return element ? `${element.tagName.toLowerCase()}.${element.className}` : "";
      });
    /** @param {RegExp} what */
    const tabTo = async (what) => {
      for (let presses = 0; presses < 40; presses++) {
        if (what.test(await focused())) return;
        await page.keyboard.press("Tab");
      }
      assert.fail(`Tab does not reach ${what}`);
    };
    await page.keyboard.press("/");
    await eventually(async () => assert.match(await focused(), /^textarea/));
    await page.keyboard.press("Control+a");
    await page.keyboard.type("the moon and the stars and the moon and the stars");
    await settled(page);
    await tabTo(/^span\.token/);
    for (const key of ["Home", "ArrowRight", "ArrowRight", "Enter"]) await page.keyboard.press(key);
    await eventually(async () => assert.deepEqual((await figureState(page)).lock, { query: 2 }));
    await page.keyboard.press("Escape");
    await eventually(async () => assert.equal((await figureState(page)).lock, null));
    await tabTo(/^div\.cell/);
    const before = await figureState(page);
    const [down, side] = [
      before.layer === 0 ? "ArrowDown" : "ArrowUp",
      before.head === 0 ? "ArrowRight" : "ArrowLeft",
    ];
    await page.keyboard.press(down);
    await page.keyboard.press(side);
    await page.keyboard.press("Enter");
    await eventually(async () => {
      const { layer, head } = await figureState(page);
      assert.deepEqual([Math.abs(layer - before.layer), Math.abs(head - before.head)], [1, 1]);
    });
    const chosen = await figureState(page);
    await tabTo(/^div\.plot/);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await eventually(async () => {
      const { lock } = await figureState(page);
      assert.ok(lock?.query >= 2 && lock.key >= 1 && lock.key <= lock.query);
    });
    await page.keyboard.press("Escape");
    await eventually(async () => assert.equal((await figureState(page)).lock, null));
    await tabTo(/^button\.one/);
    // The next tokens follow the focus once it has rested.
    await eventually(async () =>
      assert.equal(
        await page.evaluate(
          () => /** @type {any} */ (document.querySelector("next-tokens")).position,
        ),
        chosen.count - 1,
      ),
    );
    await page.keyboard.press("Enter");
    await eventually(async () => assert.equal((await figureState(page)).count, chosen.count + 1));
  });
});

test("an address restores the state of the page", async () => {
  await visit(
    site,
    {
      path: "#prompt=the%20moon%2C%20the%20moon&layer=0&head=2&scale=sqrt&direction=to&lock=3%2C1&view=attention",
    },
    async (page) => {
      await settled(page);
      await eventually(async () =>
        assert.deepEqual(await figureState(page), {
          layer: 0,
          head: 2,
          lock: { query: 3, key: 1 },
          view: "attention",
          scale: "sqrt",
          direction: "to",
          text: "the moon, the moon",
          count: (await figureState(page)).count,
        }),
      );
      await eventually(() => assertDrawnIsCaptured(page, "light", "sqrt"));
    },
  );
  await visit(site, { path: "#layer=99&head=99&lock=9999,3" }, async (page) => {
    await settled(page);
    await eventually(() => assertDrawnIsCaptured(page, "light", "linear"));
    await eventually(async () => assert.equal((await figureState(page)).lock, null));
  });
});

test("copying the tokens gives the text", async () => {
  await visit(
    site,
    {
      path: `#prompt=${encodeURIComponent("Enter ROMEO.\n\n  O, she\tdoth teach 日本 🌙 the torches")}`,
    },
    async (page) => {
      await settled(page);
      const copied = await page.locator("token-strip .tokens").evaluate((tokens) => {
        const range = document.createRange();
        range.selectNodeContents(tokens);
        getSelection()?.removeAllRanges();
        getSelection()?.addRange(range);
        return tokens.textContent;
      });
      assert.equal(copied, "Enter ROMEO.\n\n  O, she\tdoth teach 日本 🌙 the torches");
      await eventually(async () =>
        assert.equal(
          await page.locator("token-strip .tokens b, token-strip .tokens script").count(),
          0,
        ),
      );
    },
  );
});

test("token text is never markup", async () => {
  await visit(
    site,
    { path: `#prompt=${encodeURIComponent("<b>bold</b> <img src=x onerror=alert(1)> &amp;")}` },
    async (page) => {
      await settled(page);
      await eventually(async () =>
        assert.equal(await page.locator("token-strip b, token-strip img").count(), 0),
      );
      await eventually(async () =>
        assert.equal(
          await page.locator("token-strip .tokens").evaluate((tokens) => tokens.textContent),
          "<b>bold</b> <img src=x onerror=alert(1)> &amp;",
        ),
      );
    },
  );
});

test("of a prompt that is too long the end is read, and a line says so", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const long = DEFAULT_TEXT.repeat(6);
    await page.locator("#prompt").fill(long);
    await settled(page);
    const { text, count } = await figureState(page);
    assert.deepEqual([text, count], [long, 256]);
    await eventually(async () =>
      assert.match(
        await page.locator("#count").innerText(),
        /^the last 256 of 4\d\d tokens; the model cannot read more at once$/,
      ),
    );
    const { dropped, read } = await page.evaluate(() => {
      const { reading } = /** @type {any} */ (document.querySelector("scope-figure"));
      return { dropped: reading.dropped, read: reading.tokens.join("") };
    });
    assert.ok(dropped > 150 && long.endsWith(read) && read.length < long.length);
    // A token that is picked continues the whole text.
    await page.locator("next-tokens .one").first().click();
    await settled(page);
    await eventually(async () => {
      const after = await figureState(page);
      assert.ok(after.text.startsWith(long) && after.text.length > long.length);
    });
  });
});

test("an empty prompt keeps the last figure", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await page.locator("#prompt").fill("");
    await page.locator("error-notice .notice").waitFor();
    await eventually(async () => assert.equal((await figureState(page)).text, DEFAULT_TEXT));
  });
});

test("a load can be cancelled and repeated", async () => {
  /** @type {() => void} */
  let release = () => {};
  const held = new Promise((resolve) => (release = () => resolve(undefined)));
  const hold = (/** @type {import("playwright-core").Page} */ page) =>
    page.route(/model\.safetensors/, async (route) => {
      await held;
      await route.continue().catch(() => {});
    });
  await visit(site, { before: hold }, async (page) => {
    await page.getByRole("button", { name: "Cancel" }).click();
    const notice = page.locator("error-notice .notice p");
    await notice.waitFor();
    await eventually(async () => assert.match(await notice.innerText(), /abort/i));
    await eventually(async () =>
      assert.equal(await page.locator("load-progress").isVisible(), false),
    );
    release();
    await page.locator("#choose").click();
    await page.getByRole("button", { name: "Shakespeare (f16, 8.6 MB)" }).click();
    await settled(page);
    await eventually(async () => assert.equal((await figureState(page)).text, DEFAULT_TEXT));
  });
});

test("a missing model is an error on the page, and the last figure stays", async () => {
  await visit(site, { expect: /404/ }, async (page) => {
    await settled(page);
    await page.locator("#choose").click();
    await page.locator("input[name=folder]").fill(`${site.url}nowhere/`);
    await page.locator("input[name=folder]").press("Enter");
    const notice = page.locator("error-notice .notice p");
    await notice.waitFor();
    await eventually(async () => assert.match(await notice.innerText(), /nowhere/));
    await eventually(async () => assert.equal((await figureState(page)).text, DEFAULT_TEXT));
    await eventually(() => assertDrawnIsCaptured(page, "light", "linear"));
  });
});

test("a model is loaded from files", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await page.locator("#choose").click();
    const files = ["config.json", "tokenizer.json", "model.safetensors"].map((name) =>
      join(DIST, "models/shakespeare", name),
    );
    await page.locator("model-chooser input[name=files]").setInputFiles(files);
    await page.waitForFunction(() =>
      document.querySelector("#model-name")?.textContent?.startsWith("your files"),
    );
    await settled(page);
    await eventually(() => assertDrawnIsCaptured(page, "light", "linear"));
  });
});

test("each parameter is listed once, with its shape and count", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await page.locator("#parameters summary").first().click();
    const { parameters, count } = await page.evaluate(() => {
      const { parameters, count } = /** @type {any} */ (document.querySelector("model-tree"));
      return {
        parameters: parameters.map((/** @type {any} */ one) => ({
          name: one.name,
          count: one.count,
          shape: [...one.shape],
        })),
        count,
      };
    });
    assert.equal(
      new Set(parameters.map((/** @type {any} */ one) => one.name)).size,
      parameters.length,
    );
    assert.equal(
      parameters.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.count, 0),
      count,
    );
    for (const one of parameters)
      assert.equal(
        one.shape.reduce(
          (/** @type {number} */ product, /** @type {number} */ size) => product * size,
          1,
        ),
        one.count,
      );
    await eventually(async () =>
      assert.match(
        await page.locator("model-tree .total").innerText(),
        new RegExp(`^${count.toLocaleString("en-US")} parameters`),
      ),
    );
  });
});

test("the controls of generation stay within their column", async () => {
  for (const width of [390, 1100, 1440]) {
    await visit(site, { width }, async (page) => {
      await settled(page);
      // A wide font, because the widths of system fonts differ.
      await page.addStyleTag({ content: ":root { --cs-prose: DejaVu Serif, Verdana, serif; }" });
      const excess = await page.locator("next-tokens").evaluate((/** @type {any} */ element) => {
        const { right } = element.getBoundingClientRect();
        const controls = [...element.renderRoot.querySelectorAll("form *")];
        return Math.max(...controls.map((one) => one.getBoundingClientRect().right - right));
      });
      assert.ok(excess < 0.5, `${excess} px at ${width}`);
    });
  }
});

test("nothing scrolls sideways on a phone", async () => {
  for (const width of [390, 320]) {
    await visit(site, { width, height: 844, ratio: 2 }, async (page) => {
      await settled(page);
      const overflow = () =>
        page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
      await eventually(async () => assert.equal(await overflow(), 0));
      for (const view of VIEW_NAMES) {
        await openView(page, view);
        await eventually(async () => assert.equal(await overflow(), 0, view));
      }
      await page.keyboard.press("x");
      await settled(page);
      await page.locator("#share").click();
      await page.getByRole("button", { name: "copy as JSON" }).click();
      await page.locator("#copy").waitFor();
      await eventually(async () => assert.equal(await overflow(), 0));
      await page.locator("#choose").click();
      await page.locator("#help").click();
      await page.locator("#parameters summary").first().click();
      await eventually(async () => assert.equal(await overflow(), 0));
    });
  }
});

test("a long pattern can be zoomed until single cells are visible", async () => {
  await visit(site, { width: 390, height: 844 }, async (page) => {
    await settled(page);
    await page.locator("#prompt").fill(`${DEFAULT_TEXT} ${SENTENCE} ${SENTENCE} ${SENTENCE}`);
    await settled(page);
    const before = await drawn(page);
    const { x, y } = await cellAt(page, 60, 30);
    await page.mouse.move(x, y);
    for (let times = 0; times < 4; times++)
      await page.getByRole("button", { name: "zoom in" }).click();
    await eventually(async () => {
      const after = await drawn(page);
      assert.ok(after.count < before.count / 4 && after.cell > before.cell);
    });
    await page.mouse.move(1, 1);
    await page.locator("attention-pattern .plot").focus();
    await page.keyboard.press("0");
    await eventually(async () => assert.deepEqual(await drawn(page), before));
  });
});

test("an empty text is said, and no number of the former text stays", async () => {
  const path = "#prompt=the%20moon&view=attribution&off=1.1";
  await visit(site, { path }, async (page) => {
    await settled(page);
    await page.locator("next-tokens .one").first().waitFor();
    const suggestions = () =>
      page
        .locator("answer-choice")
        .evaluate((/** @type {any} */ element) => element.suggestions.length);
    await eventually(async () => assert.ok((await suggestions()) > 0));
    await page.locator("#prompt").fill("");
    await eventually(async () =>
      assert.match(await page.locator("error-notice p").innerText(), /There is no text: write one/),
    );
    await eventually(async () => {
      assert.equal(await suggestions(), 0);
      assert.equal(await page.locator("next-tokens .one").count(), 0);
      assert.match(await page.locator("next-tokens .after").innerText(), /after a text has been/);
      assert.equal(await page.getByText("unknown, because the text could not be read").count(), 1);
    });
    await page.locator("#prompt").fill("the moon");
    await settled(page);
    await page.locator("next-tokens .one").first().waitFor();
    assert.equal(await page.locator("error-notice .notice").count(), 0);
  });
});

test("an intervention that is moved to the end of the list by keyboard keeps the focus", async () => {
  await visit(site, { path: "#off=1.0,1.1" }, async (page) => {
    await settled(page);
    const button = (/** @type {number} */ row, /** @type {string} */ name) =>
      page.locator(`intervention-list li[data-at="${row}"] [data-do="${name}"]`);
    await button(0, "down").press("Enter");
    await page.waitForFunction(() => {
      const list = document.querySelector("intervention-list")?.shadowRoot;
      const focused = /** @type {HTMLElement | null} */ (list?.activeElement ?? null);
      return (
        focused?.dataset.do === "up" &&
        focused.closest("li")?.dataset.at === "1" &&
        /off=1\.1%2C1\.0/.test(location.hash)
      );
    });
  });
});
