import assert from "node:assert/strict";
import { test } from "node:test";

import { clamp, Interaction, LiveRegion } from "../../www/elements/interaction.ts";

/** @typedef {{ row: number, column: number }} Cell */
/** @typedef {import("../../www/elements/interaction.ts").InteractionOptions<Cell>} Options */

/**
 * A view of 10 rows and 20 columns whose events are recorded.
 * @param {Partial<Options>} [options]
 */
function view(options = {}) {
  const region = { textContent: "" };
  const host = /** @type {any} */ ({
    addController() {},
    renderRoot: { querySelector: () => region },
  });
  /** @type {[string, Cell | null][]} */
  const events = [];
  const state = { locked: /** @type {Cell | null} */ (null) };
  const interaction = new Interaction(host, {
    start: () => ({ row: 0, column: 0 }),
    move: (from, { rows, columns }) => ({
      row: clamp(from.row + rows, 10),
      column: clamp(from.column + columns, 20),
    }),
    locked: () => state.locked,
    onHover: (place) => events.push(["hover", place]),
    onLock: (place) => {
      state.locked = place;
      events.push(["lock", place]);
    },
    describe: ({ row, column }) => `row ${row}, column ${column}`,
    shiftSteps: 5,
    ...options,
  });
  /** @param {string} key @param {object} [modifiers] whether the key was handled */
  const press = (key, modifiers) => {
    let handled = false;
    interaction.onKeyDown(
      /** @type {any} */ ({ key, preventDefault: () => (handled = true), ...modifiers }),
    );
    return handled;
  };
  return { interaction, region, events, state, press };
}

/** @param {number} row @param {number} column */
const at = (row, column) => ({ row, column });
const rest = () => new Promise((done) => setTimeout(done, LiveRegion.DELAY_MS + 40));

test("hovering reports a place once and announces it when the pointer rests", async () => {
  const { interaction, region, events } = view();
  interaction.hover(at(1, 2));
  interaction.hover(at(1, 2));
  interaction.hover(at(3, 4));
  assert.equal(region.textContent, "", "not while the pointer moves");
  await rest();
  assert.equal(region.textContent, "row 3, column 4");
  interaction.leave();
  interaction.leave();
  assert.deepEqual(events, [
    ["hover", at(1, 2)],
    ["hover", at(3, 4)],
    ["hover", null],
  ]);
  await rest();
  assert.equal(region.textContent, "row 3, column 4", "leaving announces nothing");
});

test("a disconnected host is not written to", async () => {
  const { region } = view();
  const controllers = /** @type {any[]} */ ([]);
  const host = /** @type {any} */ ({
    addController: (/** @type {any} */ one) => controllers.push(one),
    renderRoot: { querySelector: () => region },
  });
  new LiveRegion(host).announce("late");
  for (const one of controllers) one.hostDisconnected?.();
  await rest();
  assert.equal(region.textContent, "");
});

test("choosing locks a place, and choosing it again releases it", () => {
  const { interaction, events, state } = view();
  interaction.choose(at(1, 2));
  assert.deepEqual(interaction.focused, at(1, 2));
  interaction.hover(at(5, 5));
  assert.deepEqual(interaction.focused, at(5, 5), "what is hovered comes before what is locked");
  interaction.choose(at(1, 2));
  assert.equal(state.locked, null);
  assert.deepEqual(events, [
    ["lock", at(1, 2)],
    ["hover", at(5, 5)],
    ["lock", null],
  ]);
});

test("arrow keys move from the hovered place, or the locked one, or the start", () => {
  const { interaction, state, press } = view();
  assert.ok(press("ArrowDown"));
  assert.deepEqual(interaction.hovered, at(1, 0));
  press("ArrowRight", { shiftKey: true });
  assert.deepEqual(interaction.hovered, at(1, 5));
  press("ArrowLeft");
  press("ArrowUp");
  assert.deepEqual(interaction.hovered, at(0, 4));
  press("ArrowUp");
  assert.deepEqual(interaction.hovered, at(0, 4), "the edge holds");
  interaction.leave();
  state.locked = at(7, 7);
  press("ArrowRight");
  assert.deepEqual(interaction.hovered, at(7, 8));
});

test("Home and End move to the ends of a row", () => {
  const { interaction, press } = view();
  press("ArrowDown");
  assert.ok(press("End"));
  assert.deepEqual(interaction.hovered, at(1, 19));
  press("Home");
  assert.deepEqual(interaction.hovered, at(1, 0));
});

test("Enter locks the focused place and Escape releases everything", () => {
  const { interaction, events, state, press } = view();
  assert.ok(press("Enter"), "without a place it does nothing");
  assert.deepEqual(events, []);
  press("ArrowDown");
  press("Enter");
  assert.deepEqual(state.locked, at(1, 0));
  assert.ok(press("Escape"));
  assert.deepEqual([state.locked, interaction.hovered], [null, null]);
});

test("keys with modifiers, unknown keys and impossible steps are left to the browser", () => {
  const { events, press } = view({ move: () => null });
  for (const modifier of ["altKey", "ctrlKey", "metaKey"])
    assert.equal(press("ArrowDown", { [modifier]: true }), false);
  assert.equal(press("a"), false);
  assert.equal(press("ArrowDown"), false);
  assert.equal(press(" "), false, "Space scrolls where places have no elements");
  assert.deepEqual(events, []);
});

test("with roving focus keys start at the focused element and move the focus", () => {
  /** @type {string[]} */
  const focused = [];
  /** @type {Cell[]} */
  const selected = [];
  const element = (/** @type {Cell} */ place) =>
    /** @type {any} */ ({
      place,
      focus: () => focused.push(`${place.row}.${place.column}`),
    });
  const { interaction, press, events } = view({
    start: () => at(2, 2),
    locked: undefined,
    onLock: undefined,
    onSelect: (place) => selected.push(place),
    elements: {
      placeOf: (target) => /** @type {any} */ (target).place ?? null,
      elementOf: (place) => element(place),
    },
  });
  interaction.hover(at(9, 9)); // by the pointer
  assert.ok(press("ArrowRight", { target: element(at(4, 4)) }));
  assert.deepEqual(focused, ["4.5"]);
  assert.deepEqual(interaction.hovered, at(4, 5));
  press("Enter", { target: element(at(4, 5)) });
  press(" ", { target: element(at(4, 6)) });
  assert.deepEqual(selected, [at(4, 5), at(4, 6)]);
  interaction.onFocusOut(/** @type {any} */ ({ relatedTarget: element(at(4, 6)) }));
  assert.deepEqual(interaction.hovered, at(4, 5), "moving between places is not leaving");
  interaction.onFocusOut(/** @type {any} */ ({ relatedTarget: null }));
  assert.equal(interaction.hovered, null);
  assert.ok(press("Escape", { target: element(at(4, 6)) }));
  assert.deepEqual(focused, ["4.5", "2.2"], "Escape returns to the selected place");
  assert.deepEqual(events.at(-1), ["hover", null]);
});

test("a hovered place that the data no longer contains is forgotten", () => {
  const { interaction, events } = view();
  interaction.hover(at(9, 3));
  interaction.prune(({ row }) => row < 10);
  assert.deepEqual(interaction.hovered, at(9, 3));
  interaction.prune(({ row }) => row < 5);
  assert.equal(interaction.hovered, null);
  assert.equal(events.length, 1, "without an event");
});
