// The lessons on the page, by mouse and by keyboard alone. lesson-claims.test.js measures what they say.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { addressOfStep, LESSONS, PLACES } from "../../www/lessons/index.ts";
import { OPENING } from "../../www/state/state.ts";
import { eventually, settled, start, visit } from "./browser.js";
import { byKeyboard, focused, pressTo, ready } from "./lab-helpers.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

const steps = LESSONS.flatMap((lesson) =>
  lesson.steps.map((step, at) => ({
    lesson,
    step,
    at: at + 1,
    href: addressOfStep(lesson.name, at + 1),
  })),
);

/** @param {Page} page */
const hashOf = (page) => page.evaluate(() => location.hash);

/** The boxes of the card, of its outline and of the control, in the window. @param {Page} page @param {readonly string[]} path */
function boxes(page, path) {
  return page.evaluate((path) => {
    /** @type {any} */
    let scope = document;
    /** @type {any} */
    let control = null;
    for (const selector of path) {
      control = scope?.querySelector(selector) ?? null;
      scope = control?.shadowRoot ?? control;
    }
    const { renderRoot } = /** @type {any} */ (document.querySelector("lesson-panel"));
    const box = (/** @type {Element | null} */ element) => {
      if (!element?.checkVisibility()) return null;
      const { left, top, right, bottom } = element.getBoundingClientRect();
      return { left, top, right, bottom };
    };
    return {
      card: box(renderRoot.querySelector(".card")),
      next: box(renderRoot.querySelector(".next")),
      mark: box(renderRoot.querySelector(".mark")),
      control: box(control),
      window: { width: innerWidth, height: innerHeight },
    };
  }, path);
}

/**
 * The card shows a step; the page shows what the step opens; its control is there, outlined, and in the window beside the card.
 * @param {Page} page @param {(typeof steps)[number]} shown
 */
async function assertShows(page, { lesson, step, at, href }) {
  const panel = page.locator("lesson-panel");
  await eventually(async () => assert.equal(await hashOf(page), href));
  await eventually(async () => assert.equal(await panel.locator("h2").innerText(), step.title));
  assert.equal(await panel.locator(".progress").innerText(), `${at} of ${lesson.steps.length}`);
  assert.equal(await panel.locator(".text").innerText(), step.text);
  assert.equal(await panel.locator("a.address").getAttribute("href"), href);
  if (step.source)
    assert.equal(await panel.locator(".links a").first().getAttribute("href"), step.source.href);
  await settled(page);
  await ready(page);
  const { layer, head, view = OPENING.view, prompt = OPENING.prompt } = step.state;
  const figure = await page.evaluate(() => {
    const { layer, head, view, reading } = /** @type {any} */ (
      document.querySelector("scope-figure")
    );
    return { layer, head, view, text: reading.text };
  });
  assert.equal(figure.view, view);
  assert.equal(figure.text, prompt);
  if (layer !== undefined) assert.deepEqual([figure.layer, figure.head], [layer, head]);
  await eventually(async () => {
    const { card, mark, control, window } = await boxes(page, PLACES[step.place].path);
    assert.ok(card && control, `${href}: ${step.place} is on the page`);
    assert.ok(mark, `${href}: ${step.place} is outlined`);
    for (const side of /** @type {const} */ (["left", "top", "right", "bottom"]))
      assert.ok(
        Math.abs(mark[side] - control[side]) <= 5,
        `${href}: the outline is around ${step.place}`,
      );
    const isInWindow =
      control.top < window.height &&
      control.bottom > 0 &&
      control.left < window.width &&
      control.right > 0;
    assert.ok(isInWindow, `${href}: ${step.place} is in the window`);
    const isHidden =
      control.left >= card.left &&
      control.top >= card.top &&
      control.right <= card.right &&
      control.bottom <= card.bottom;
    assert.ok(!isHidden, `${href}: ${step.place} is not under the card`);
  });
}

/** The words in an element, through shadow roots. @param {Page} page @param {string} selector */
function wordsIn(page, selector) {
  return page.locator(selector).evaluateAll((elements) => {
    const words = (/** @type {Node} */ node) => {
      if (node instanceof Text) return node.data;
      if (!(node instanceof Element) || node.localName === "style") return "";
      /** @type {string} */
      const inner = [...(node.shadowRoot ?? node).childNodes].map(words).join(" ");
      return inner;
    };
    return elements.map(words).join(" ");
  });
}

/** @param {Page} page @param {string} name */
const button = (page, name) => page.locator("lesson-panel").getByRole("button", { name });

test("the tour goes through every step of every lesson by mouse, and nothing moves under the pointer", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await page.getByRole("button", { name: "Start the tour" }).click();
    for (const shown of steps) {
      await assertShows(page, shown);
      const { next } = await boxes(page, ["scope-figure"]);
      const isLast = shown === steps.at(-1);
      await page.locator("lesson-panel .next").click();
      if (isLast) break;
      await eventually(async () => {
        const { next: now } = await boxes(page, ["scope-figure"]);
        assert.ok(
          now &&
            next &&
            Math.abs(now.left - next.left) < 1 &&
            Math.abs(now.bottom - next.bottom) < 1,
          `${shown.href}: the button that was pressed stays where it is`,
        );
      });
    }
    await eventually(async () => assert.equal(await page.locator("lesson-panel .card").count(), 0));
  });
});

test("each lesson can be followed forward and back by keyboard alone, and left", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await byKeyboard(page, async () => {
      await pressTo(page, ({ name }) => name === "Start the tour", { name: "the tour" });
      await page.keyboard.press("Enter");
      for (const shown of steps) {
        await assertShows(page, shown);
        if (shown !== steps.at(-1)) await page.keyboard.press("ArrowRight");
      }
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("ArrowLeft");
      await assertShows(page, steps[steps.length - 2]);
      await page.keyboard.press("Escape");
      await eventually(async () =>
        assert.equal(await page.locator("lesson-panel .card").count(), 0),
      );
      await eventually(async () => assert.equal((await focused(page)).name, "Start the tour"));
    });
  });
});

test("the keyboard goes from the card to the control of each step, and comes back with l", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    for (const shown of steps) {
      await page.evaluate((href) => (location.hash = href), shown.href);
      await assertShows(page, shown);
      await byKeyboard(page, async () => {
        await page.evaluate(() =>
          /** @type {any} */ (document.querySelector("lesson-panel")).focus(),
        );
        await pressTo(page, ({ name }) => name.startsWith("go to "), {
          most: 12,
          name: "the button to the control",
        });
        await page.keyboard.press("Enter");
        const { path } = PLACES[shown.step.place];
        const isInside = await page.evaluate((path) => {
          /** @type {any} */
          let scope = document;
          /** @type {any} */
          let control = null;
          for (const selector of path) {
            control = scope.querySelector(selector);
            scope = control.shadowRoot ?? control;
          }
          /** @type {any} */
          let active = document.activeElement;
          while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
          for (let at = active; at; at = at.assignedSlot ?? at.parentNode ?? at.host)
            if (at === control) return true;
          return false;
        }, path);
        assert.ok(isInside, `${shown.href}: the focus is in ${shown.step.place}`);
        await page.keyboard.press("l");
        await eventually(async () => assert.equal((await focused(page)).tag, "h2"));
      });
    }
  });
});

test("leaving a lesson keeps what it opened, and each step can be undone and done again", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const opening = await hashOf(page);
    await page.getByRole("button", { name: "Start the tour" }).click();
    const first = steps.slice(0, 4);
    for (const shown of first) {
      await assertShows(page, shown);
      if (shown !== first.at(-1)) await button(page, "Next").click();
    }
    await page.locator("lesson-panel .leave").click();
    await eventually(async () => assert.equal(await hashOf(page), "#layer=0&head=1&off=0.1"));
    for (const shown of [...first].reverse()) {
      await page.keyboard.press("Control+z");
      await assertShows(page, shown);
    }
    await page.keyboard.press("Control+z");
    await eventually(async () => assert.equal(await hashOf(page), opening));
    assert.equal(await page.locator("lesson-panel .card").count(), 0);
    for (const shown of first) {
      await page.keyboard.press("Control+Shift+z");
      await assertShows(page, shown);
    }
    await page.keyboard.press("Control+Shift+z");
    await eventually(async () => assert.equal(await hashOf(page), "#layer=0&head=1&off=0.1"));
  });
});

test("what the visitor changes in a step stays until the step is shown again", async () => {
  await visit(site, { path: "#lesson=heads&step=3" }, async (page) => {
    await assertShows(page, steps[2]);
    assert.equal(await button(page, "show again").count(), 0);
    await page.keyboard.press("x");
    await eventually(async () => assert.match(await hashOf(page), /lesson=heads&step=3/));
    await eventually(async () => assert.match(await hashOf(page), /off=0\.1/));
    await page.reload();
    await settled(page);
    await eventually(async () => assert.match(await hashOf(page), /off=0\.1/));
    await button(page, "show again").click();
    await assertShows(page, steps[2]);
    await eventually(async () => assert.equal((await focused(page)).tag, "h2"));
  });
});

test("each step is a link", async () => {
  for (const shown of steps.filter(({ at, lesson }) => at === 1 || at === lesson.steps.length)) {
    await visit(site, { path: shown.href }, (page) => assertShows(page, shown));
  }
});

test("the list of lessons opens each of them, and shows which step is open", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    for (const { name, title, steps: all } of LESSONS) {
      await page.locator("#lessons").click();
      await page.locator("lesson-list h3").getByRole("link", { name: title }).click();
      await assertShows(
        page,
        steps.find(({ lesson, at }) => lesson.name === name && at === 1) ?? steps[0],
      );
      assert.ok(await page.locator("#lesson-section").isHidden());
      assert.equal(
        await page.locator("lesson-list [aria-current=step]").first().getAttribute("href"),
        `#lesson=${name}`,
      );
      assert.equal(
        await page
          .locator("lesson-list .steps")
          .nth(LESSONS.findIndex((one) => one.name === name))
          .locator("a")
          .count(),
        all.length,
      );
    }
  });
});

test("an address of a lesson that does not exist says so", async () => {
  await visit(site, { path: "#lesson=magic" }, async (page) => {
    await settled(page);
    await eventually(async () =>
      assert.match(
        await page.locator("error-notice p").first().innerText(),
        /asks for the lesson "magic", which this page does not have/,
      ),
    );
    assert.equal(await page.locator("lesson-panel .card").count(), 0);
  });
});

test("texts to try stand near the text, and are undone in one step", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const chips = page.locator("lesson-samples button");
    assert.ok((await chips.count()) >= LESSONS.length);
    const { prompt } = LESSONS[2].samples[0].state;
    await chips.getByText(LESSONS[2].samples[0].label).click();
    await settled(page);
    assert.equal(await page.locator("#prompt").inputValue(), prompt);
    await page.keyboard.press("Control+z");
    await settled(page);
    assert.equal(await page.locator("#prompt").inputValue(), OPENING.prompt);
    for (const lesson of LESSONS) {
      await page.evaluate((href) => (location.hash = href), addressOfStep(lesson.name));
      await settled(page);
      await eventually(async () =>
        assert.deepEqual(
          await chips.allInnerTexts(),
          lesson.samples.map(({ label }) => label),
        ),
      );
      for (const [at, sample] of lesson.samples.entries()) {
        await chips.nth(at).click();
        await settled(page);
        assert.equal(await page.locator("#prompt").inputValue(), sample.state.prompt);
      }
    }
  });
});

test("the page opens with a line that names what it shows, and the line is true of another text", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const line = page.locator("lesson-start .sentence");
    await eventually(async () =>
      assert.equal(
        await line.innerText(),
        "Head 1.1 is an induction head: it looks back at what followed this word last time.",
      ),
    );
    await page.locator("#prompt").fill("What light through yonder window breaks?");
    await settled(page);
    await eventually(async () => assert.doesNotMatch(await line.innerText(), /induction/));
    await page.evaluate(() => (location.hash = "#layer=0&head=1"));
    await settled(page);
    await eventually(async () =>
      assert.equal(
        await line.innerText(),
        "Head 0.1 is a previous-token head: it looks at the word just before.",
      ),
    );
  });
});

test("the loss without the induction head stands in the page as the lesson says", async () => {
  await visit(site, { path: addressOfStep("induction", 4) }, async (page) => {
    await settled(page);
    await eventually(async () =>
      assert.match(
        (await wordsIn(page, "[slot=changes]")).replace(/\s+/g, " "),
        /repeats itself.*3\.23 → 5\.65/,
      ),
    );
  });
});

test("Generate writes what the lesson about steering says, with the direction and without", async () => {
  for (const [step, expected] of /** @type {const} */ ([
    [1, /JULIET:/],
    [2, /BUCKINGHAM:.*YORK:/s],
    [5, /( OF YORK){6}/],
  ])) {
    await visit(site, { path: addressOfStep("steering", step) }, async (page) => {
      await settled(page);
      await page.getByRole("button", { name: "Generate", exact: true }).click();
      await eventually(async () =>
        assert.match(await page.locator("#prompt").inputValue(), expected),
      );
    });
  }
});
