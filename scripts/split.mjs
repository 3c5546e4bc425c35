#!/usr/bin/env node
// Parts a wasm build in two: `node scripts/split.mjs pkg`.
// Comes in: NAME_bg.wasm, NAME_threads_bg.wasm and their glue. Goes out: of each, NAME_first.wasm with the functions that the
// first pattern and the first words need, and NAME_rest.wasm with the others (www/threads.js brings them together).
//
// Both have every function of the whole, under the same number, so no instruction has to be understood: only what a body
// is changes. Where a function's body is in the other module, its place has a detour, which calls it through the table that
// both share. What is shorter than a detour's worth is in both. The first module owns memory, tables and globals and exports
// them, and what it imports, to the rest. Which functions the first one has is measured (profile.mjs).
//
// In a detour to the rest, the first module sees to it that the rest is there: if it is not, it calls the function that
// whoever instantiates it put into the table at `restLoader`, which loads the rest before it returns, or throws.

import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import {
  bodiesOf,
  items,
  leb,
  moduleOf,
  SECTION,
  sectionsOf,
  toLeb,
  toSignedLeb,
  vector,
} from "./binary.mjs";
import { functionsUsed } from "./profile.mjs";

/** @typedef {{ params: number, results: number }} Type */

/** Bodies of at most so many bytes are in both modules: a detour has 20, and what is short is often called. */
const SHORT = 60;
const [FUNCTION, TABLE, MEMORY, GLOBAL] = [0, 1, 2, 3];
const [I32_CONST, CALL, CALL_INDIRECT, LOCAL_GET, TABLE_GET, IF, END, REF_IS_NULL] = [
  0x41, 0x10, 0x11, 0x20, 0x25, 0x04, 0x0b, 0xd1,
];
const NOTHING = 0x40;

const [folder = "pkg", name = "candlescope"] = process.argv.slice(2);
const builds = [name, `${name}_threads`].map((build) => ({
  build,
  whole: readFileSync(join(folder, `${build}_bg.wasm`)),
}));
const used = await functionsUsed(
  builds.map(({ whole }) => whole),
  pathToFileURL(resolve(folder, `${name}.js`)),
);
for (const { build, whole } of builds) {
  for (const [part, wasm] of Object.entries(split(read(whole), used))) {
    new WebAssembly.Module(new Uint8Array(wasm)); // throws where this script no longer understands what it gets
    writeFileSync(join(folder, `${build}_${part}.wasm`), wasm);
  }
}

/** What a module says of itself, as far as it takes part here. @param {Buffer} wasm */
function read(wasm) {
  const sections = sectionsOf(wasm);
  /** @param {keyof typeof SECTION} kind */
  const body = (kind) => sections.find(({ id }) => id === SECTION[kind])?.body ?? Buffer.of(0);
  const numbers = (/** @type {Buffer} */ vector) =>
    items(vector, (at) => leb(vector, at)[1]).map((item) => leb(item, 0)[0]);
  const types = items(body("type"), (at) => endOfType(body("type"), at));
  const imports = items(body("import"), (at) => endOfImport(body("import"), at)).map(typeOfImport);
  const tables = items(body("table"), (at) => endOfLimits(body("table"), at + 1));
  const memories = items(body("memory"), (at) => endOfLimits(body("memory"), at));
  const globals = items(body("global"), (at) => endOfGlobal(body("global"), at));
  return {
    sections,
    body,
    types,
    imports,
    functions: numbers(body("function")),
    tables,
    memories,
    globals,
    bodies: bodiesOf(body("code")),
  };
}

/** @param {ReturnType<typeof read>} module @param {boolean[]} used by function */
function split(module, used) {
  const { bodies, imports, functions, tables } = module;
  const numbers = bodies.map((_, at) => at);
  const [flags, least] = [tables[0][1], leb(tables[0], 2)[0]];
  if (flags !== 0) throw new Error("the table has a most length, expected one that can grow");
  if (module.globals[0]?.[1] !== 1)
    throw new Error(
      "the first global never changes, expected the stack pointer, which www/rest.js sets",
    );
  // Table 0 grows by: the loader, what the rest takes a detour to, what the first takes a detour to.
  const loader = least;
  const hot = numbers.filter((at) => used[at] && bodies[at].length > SHORT);
  const cold = numbers.filter((at) => !used[at] && bodies[at].length > SHORT);
  const place = new Map([...hot, ...cold].map((at, i) => [at, loader + 1 + i]));
  const grown = Buffer.from([tables[0][0], 0, ...toLeb(least + 1 + place.size)]);
  const context = {
    ...module,
    tables: [grown, ...tables.slice(1)],
    place,
    loader,
    hot,
    cold,
    isHot: new Set(hot),
    isCold: new Set(cold),
    imported: imports.length,
    signature: (/** @type {number} */ at) => functions[at],
  };
  return { first: firstOf(context), rest: restOf(context) };
}

/** @typedef {ReturnType<typeof read> & { place: Map<number, number>, loader: number, hot: number[], cold: number[], isHot: Set<number>, isCold: Set<number>, imported: number, signature: (at: number) => number }} Parting */

/** @param {Parting} parting */
function firstOf({
  sections,
  body,
  types,
  imports,
  functions,
  tables,
  memories,
  globals,
  bodies,
  place,
  loader,
  hot,
  cold,
  isCold,
  imported,
  signature,
}) {
  // Two things more than the whole has: a function that sees to it that the rest is there, and where its loader is.
  const summon = imported + functions.length;
  const plain = types.length;
  const nullary = Buffer.of(0x60, 0, 0);
  const parts = [
    ...imports.map((_, i) => [FUNCTION, i]),
    ...tables.map((_, i) => [TABLE, i]),
    ...memories.map((_, i) => [MEMORY, i]),
    ...globals.map((_, i) => [GLOBAL, i]),
  ];
  const exported = parts.map(([kind, i]) =>
    Buffer.from([...text(`${kind}.${i}`), kind, ...toLeb(i)]),
  );
  const place0 = Buffer.from([...text("restLoader"), GLOBAL, ...toLeb(globals.length)]);
  const summoning = [
    0,
    I32_CONST,
    ...toSignedLeb(place.get(cold[0]) ?? 0),
    TABLE_GET,
    0,
    REF_IS_NULL,
    IF,
    NOTHING,
    I32_CONST,
    ...toSignedLeb(loader),
    CALL_INDIRECT,
    ...toLeb(plain),
    0,
    END,
    END,
  ];
  const code = bodies.map((whole, at) =>
    isCold.has(at)
      ? detour(types[signature(at)], signature(at), /** @type {number} */ (place.get(at)), [
          CALL,
          ...toLeb(summon),
        ])
      : whole,
  );
  /** @type {Record<number, Buffer>} */
  const changed = {
    [SECTION.type]: vector([...types, nullary]),
    [SECTION.function]: vector([...functions, plain].map(toLeb)),
    [SECTION.table]: vector(tables),
    [SECTION.global]: vector([
      ...globals,
      Buffer.from([0x7f, 0, I32_CONST, ...toSignedLeb(loader), END]),
    ]),
    [SECTION.export]: more(body("export"), [...exported, place0]),
    [SECTION.element]: more(body("element"), [
      segment(
        place.get(hot[0]) ?? 0,
        hot.map((at) => imported + at),
      ),
    ]),
    [SECTION.code]: vector([...code, Buffer.from(summoning)].map(sized)),
  };
  return moduleOf(sections.map(({ id, body }) => ({ id, body: changed[id] ?? body })));
}

/** @param {Parting} parting */
function restOf({
  body,
  types,
  imports,
  functions,
  tables,
  memories,
  globals,
  bodies,
  place,
  cold,
  isHot,
  imported,
  signature,
}) {
  const kinds = [
    ...imports.map((type, i) => importOf(FUNCTION, i, type)),
    ...tables.map((type, i) => importOf(TABLE, i, type)),
    ...memories.map((type, i) => importOf(MEMORY, i, type)),
    ...globals.map((global, i) => importOf(GLOBAL, i, global.subarray(0, 2))),
  ];
  const code = bodies.map((whole, at) =>
    isHot.has(at)
      ? detour(types[signature(at)], signature(at), /** @type {number} */ (place.get(at)), [])
      : whole,
  );
  return moduleOf([
    { id: SECTION.type, body: body("type") },
    { id: SECTION.import, body: vector(kinds) },
    { id: SECTION.function, body: body("function") },
    {
      id: SECTION.element,
      body: vector([
        segment(
          place.get(cold[0]) ?? 0,
          cold.map((at) => imported + at),
        ),
      ]),
    },
    { id: SECTION.code, body: vector(code.map(sized)) },
  ]);
}

/** A body that calls what is at a place of the table with its own parameters. @param {Buffer} type @param {number} number of the type @param {number} place @param {number[]} before */
function detour(type, number, place, before) {
  const [params] = leb(type, 1);
  const given = Array.from({ length: params }, (_, i) => [LOCAL_GET, ...toLeb(i)]).flat();
  return Buffer.from([
    0,
    ...before,
    ...given,
    I32_CONST,
    ...toSignedLeb(place),
    CALL_INDIRECT,
    ...toLeb(number),
    0,
    END,
  ]);
}

/** @param {Buffer} body */
function sized(body) {
  return Buffer.concat([Buffer.from(toLeb(body.length)), body]);
}

/** A vector with further items at its end. @param {Buffer} old @param {Buffer[]} further */
function more(old, further) {
  const [count, start] = leb(old, 0);
  return Buffer.concat([
    Buffer.from(toLeb(count + further.length)),
    old.subarray(start),
    ...further,
  ]);
}

/** Puts functions into table 0, from a place on. @param {number} place @param {number[]} functions */
function segment(place, functions) {
  return Buffer.concat([
    Buffer.from([0, I32_CONST, ...toSignedLeb(place), END]),
    vector(functions.map(toLeb)),
  ]);
}

/** What the first module exports. @param {number} kind @param {number} i @param {Buffer} type */
function importOf(kind, i, type) {
  return Buffer.concat([Buffer.from([...text("first"), ...text(`${kind}.${i}`), kind]), type]);
}

/** @param {string} name */
function text(name) {
  return [...toLeb(Buffer.byteLength(name)), ...Buffer.from(name)];
}

// ---- where things end ----

/** @param {Buffer} bytes @param {number} at */
function endOfType(bytes, at) {
  if (bytes[at] !== 0x60) throw new Error("the module has a type that is no function's");
  const [params, first] = leb(bytes, at + 1);
  const [results, second] = leb(bytes, first + params);
  return second + results; // a byte for each
}

/** @param {Buffer} bytes @param {number} at */
function endOfImport(bytes, at) {
  for (let names = 0; names < 2; names++) {
    const [length, start] = leb(bytes, at);
    at = start + length;
  }
  if (bytes[at] !== FUNCTION) throw new Error("the module imports more than functions");
  return leb(bytes, at + 1)[1];
}

/** @param {Buffer} item @returns {Buffer} */
function typeOfImport(item) {
  const [module, first] = leb(item, 0);
  const [field, second] = leb(item, first + module);
  return item.subarray(second + field + 1);
}

/** @param {Buffer} bytes @param {number} at */
function endOfLimits(bytes, at) {
  const end = leb(bytes, at + 1)[1];
  return bytes[at] & 1 ? leb(bytes, end)[1] : end;
}

/** Type, whether it changes, and its first value: a constant number. @param {Buffer} bytes @param {number} at */
function endOfGlobal(bytes, at) {
  if (bytes[at + 2] !== I32_CONST) throw new Error("a global does not begin as an i32");
  return leb(bytes, at + 3)[1] + 1;
}
