// Splits a WebAssembly module into a primary module, which starts first, and a secondary module, which is loaded later.
// The README explains the method. `split(wasm, isPrimary, constants)` takes a module, one flag per defined function, and which
// constants functions need.

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
import { segmentsOf } from "./constants.mjs";

/** @typedef {import("./constants.mjs").Range} Range */

/**
 * Which data functions of the primary module need: all other data at the addresses `readOnly` is in the secondary module.
 * @typedef {{ readOnly: Range, neededBy: (functions: number[]) => Range[] }} Constants
 */

/**
 * The parsed module.
 * @typedef {object} Module
 * @property {import("./binary.mjs").Section[]} sections
 * @property {(kind: keyof typeof SECTION) => Buffer} body of a section; an empty vector if the module has none
 * @property {Buffer[]} types
 * @property {Buffer[]} imports the type index of each imported function
 * @property {number[]} functions the type index of each defined function
 * @property {Buffer[]} tables
 * @property {Buffer[]} memories
 * @property {Buffer[]} globals
 * @property {Buffer[]} bodies
 */

/**
 * One of the two modules: which bodies it defines, and which functions it reaches in the other one.
 * @typedef {object} Part
 * @property {(at: number) => boolean} owns
 * @property {Set<number>} needed defined functions that may be called here
 * @property {number[]} stubs the needed functions whose body is in the other module
 */

/** Bodies of at most this many bytes are in both modules: a stub has 20 bytes, and short functions are called often. */
const SHORT = 60;
/** Constants with fewer bytes between them are one data segment, which takes about nine bytes itself. */
const DATA_GAP = 16;
const [FUNCTION, TABLE, MEMORY, GLOBAL] = [0, 1, 2, 3];
const [UNREACHABLE, IF, END, CALL, CALL_INDIRECT, RETURN_CALL] = [
  0x00, 0x04, 0x0b, 0x10, 0x11, 0x12,
];
const [LOCAL_GET, TABLE_GET, I32_CONST, REF_IS_NULL] = [0x20, 0x25, 0x41, 0xd1];
const [I32, EMPTY_BLOCK] = [0x7f, 0x40];

/** The names of the primary module's exports for the loader. Exports whose names begin with `$` are for the secondary module. */
export const EXPORTS = {
  table: "__indirect_function_table",
  stackPointer: "__stack_pointer",
  loaderIndex: "__secondary_loader_index",
};

/**
 * @param {Buffer} wasm
 * @param {boolean[]} isPrimary by defined function
 * @param {Constants} [constants] if it is missing, the primary module has all data
 * @returns {{ primary: Buffer, secondary: Buffer }}
 */
export function split(wasm, isPrimary, constants) {
  const module = parse(wasm);
  const { bodies, imports, tables, globals } = module;
  if (isPrimary.length !== bodies.length) {
    throw new Error(`${isPrimary.length} flags for ${bodies.length} functions`);
  }
  const [limitFlags, size] = [tables[0]?.[1], leb(tables[0] ?? Buffer.of(0, 0, 0), 2)[0]];
  if (limitFlags !== 0) throw new Error("expected a first table without a maximum size");
  if (globals[0]?.[1] !== 1) throw new Error("expected a mutable first global, the stack pointer");

  const isShort = (/** @type {number} */ at) => bodies[at].length <= SHORT;
  const exported = functionsIn(module, ["export", "element", "start"]);
  const hot = bodies.flatMap((_, at) => (isPrimary[at] && !isShort(at) ? [at] : []));
  const primary = part(module, (at) => isPrimary[at] || isShort(at), [...exported, ...hot]);
  const secondary = part(module, (at) => !isPrimary[at] || isShort(at), primary.stubs);
  // The first table grows by: the loader, the secondary module's functions, the primary module's functions.
  const loader = size;
  const slots = new Map(
    [...primary.stubs, ...secondary.stubs].map((at, i) => [at, loader + 1 + i]),
  );
  const layout = { slots, loader, imported: imports.length, tableSize: size + 1 + slots.size };
  const inPrimary = bodies.flatMap((_, at) =>
    primary.owns(at) && primary.needed.has(at) ? [at] : [],
  );
  const data = constants ? splitData(module, constants, constants.neededBy(inPrimary)) : null;
  return {
    primary: primaryModule(module, primary, secondary, layout, data?.primary),
    secondary: secondaryModule(module, primary, secondary, layout, data?.secondary),
  };
}

/**
 * The data section of each module. Data that may be written, or that a function of the primary module needs, is in the primary one.
 * Instantiating the secondary module writes the rest.
 * @param {Module} module @param {Constants} constants @param {Range[]} needed
 */
function splitData({ body, sections }, { readOnly }, needed) {
  if (sections.some(({ id }) => id === SECTION.dataCount))
    throw new Error("expected no instruction that copies data segments");
  const data = body("data");
  const kept = merged(needed);
  const [primary, secondary] = [/** @type {Buffer[]} */ ([]), /** @type {Buffer[]} */ ([])];
  for (const { start, end, at } of segmentsOf(data)) {
    const bytes = (/** @type {Range} */ range) =>
      dataSegment(range.start, data.subarray(at + range.start - start, at + range.end - start));
    if (start < readOnly.start || end > readOnly.end) {
      primary.push(bytes({ start, end }));
      continue;
    }
    let done = start;
    for (const range of kept.filter((one) => one.start < end && one.end > start)) {
      if (range.start > done) secondary.push(bytes({ start: done, end: range.start }));
      primary.push(bytes(range));
      done = range.end;
    }
    if (done < end) secondary.push(bytes({ start: done, end }));
  }
  return { primary: vector(primary), secondary: vector(secondary) };
}

/** The ranges in order, without overlaps and small gaps. @param {Range[]} ranges @returns {Range[]} */
function merged(ranges) {
  /** @type {Range[]} */
  const found = [];
  for (const { start, end } of ranges
    .filter((one) => one.end > one.start)
    .sort((a, b) => a.start - b.start)) {
    const last = found.at(-1);
    if (last && start - last.end < DATA_GAP) last.end = Math.max(last.end, end);
    else found.push({ start, end });
  }
  return found;
}

/** @param {number} address @param {Buffer} bytes */
function dataSegment(address, bytes) {
  const head = [0, I32_CONST, ...toSignedLeb(address), END, ...toLeb(bytes.length)];
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** @param {Buffer} wasm @returns {Module} */
function parse(wasm) {
  const sections = sectionsOf(wasm);
  /** @param {keyof typeof SECTION} kind */
  const body = (kind) => sections.find(({ id }) => id === SECTION[kind])?.body ?? Buffer.of(0);
  /** @param {keyof typeof SECTION} kind @param {(bytes: Buffer, at: number) => number} end */
  const itemsOf = (kind, end) => items(body(kind), (at) => end(body(kind), at));
  return {
    sections,
    body,
    types: itemsOf("type", endOfType),
    imports: itemsOf("import", endOfImport).map(typeOfImport),
    functions: itemsOf("function", (bytes, at) => leb(bytes, at)[1]).map((item) => leb(item, 0)[0]),
    tables: itemsOf("table", (bytes, at) => endOfLimits(bytes, at + 1)),
    memories: itemsOf("memory", endOfLimits),
    globals: itemsOf("global", endOfGlobal),
    bodies: bodiesOf(body("code")),
  };
}

/**
 * Defined functions that these sections may name: every number in them that is the index of one. A superset is enough, so the
 * items are not decoded.
 * @param {Module} module @param {(keyof typeof SECTION)[]} kinds
 */
function functionsIn({ body, imports, bodies }, kinds) {
  const found = new Set();
  for (const bytes of kinds.map(body)) {
    for (let at = 0; at < bytes.length; at++) found.add(leb(bytes, at)[0] - imports.length);
  }
  return [...found].filter((at) => at >= 0 && at < bodies.length);
}

/**
 * Defined functions that a body may call: every number behind a byte that is the opcode of a call. Operands that look like a
 * call add functions that are not called; none that is called is missed.
 * @param {Module} module @param {Buffer} body
 */
function callsIn({ imports, bodies }, body) {
  const found = [];
  for (let at = 0; at < body.length - 1; at++) {
    if (body[at] !== CALL && body[at] !== RETURN_CALL) continue;
    const callee = leb(body, at + 1)[0] - imports.length;
    if (callee >= 0 && callee < bodies.length) found.push(callee);
  }
  return found;
}

/** @param {Module} module @param {(at: number) => boolean} owns @param {number[]} roots @returns {Part} */
function part(module, owns, roots) {
  const needed = new Set(roots);
  for (const at of needed) {
    if (owns(at)) for (const callee of callsIn(module, module.bodies[at])) needed.add(callee);
  }
  return { owns, needed, stubs: [...needed].filter((at) => !owns(at)) };
}

/** @typedef {{ slots: Map<number, number>, loader: number, imported: number, tableSize: number }} Layout */

/** @param {Module} module @param {Part} primary @param {Part} secondary @param {Layout} layout @param {Buffer} [data] in place of all data */
function primaryModule(module, primary, secondary, { slots, loader, imported, tableSize }, data) {
  const { sections, body, types, imports, functions, tables, memories, globals } = module;
  // Added to the original module: a function that makes sure that the secondary module is there, and the loader's index.
  const ensureLoaded = imported + functions.length;
  const nullary = types.length;
  const [probe] = primary.stubs;
  const ensureLoadedBody =
    probe === undefined
      ? [0, END]
      : [
          ...[0, I32_CONST, ...toSignedLeb(slotOf(slots, probe)), TABLE_GET, 0, REF_IS_NULL],
          ...[
            IF,
            EMPTY_BLOCK,
            I32_CONST,
            ...toSignedLeb(loader),
            CALL_INDIRECT,
            ...toLeb(nullary),
            0,
            END,
            END,
          ],
        ];
  const code = bodiesFor(module, primary, slots, [CALL, ...toLeb(ensureLoaded)]);
  const shared = [
    ...imports.map((_, i) => exportOf(FUNCTION, i)),
    ...tables.map((_, i) => exportOf(TABLE, i)),
    ...memories.map((_, i) => exportOf(MEMORY, i)),
    ...globals.map((_, i) => exportOf(GLOBAL, i)),
  ];
  const forLoader = [
    exportAs(EXPORTS.table, TABLE, 0),
    exportAs(EXPORTS.stackPointer, GLOBAL, 0),
    exportAs(EXPORTS.loaderIndex, GLOBAL, globals.length),
  ];
  const grownTable = Buffer.from([tables[0][0], 0, ...toLeb(tableSize)]);
  const loaderGlobal = Buffer.from([I32, 0, I32_CONST, ...toSignedLeb(loader), END]);
  /** @type {Record<number, Buffer>} */
  const changed = {
    [SECTION.type]: vector([...types, Buffer.of(0x60, 0, 0)]),
    [SECTION.function]: vector([...functions, nullary].map(toLeb)),
    [SECTION.table]: vector([grownTable, ...tables.slice(1)]),
    [SECTION.global]: vector([...globals, loaderGlobal]),
    [SECTION.export]: append(body("export"), [...shared, ...forLoader]),
    [SECTION.element]: append(body("element"), segments(secondary.stubs, slots, imported)),
    [SECTION.code]: vector([...code, Buffer.from(ensureLoadedBody)].map(sized)),
    ...(data && { [SECTION.data]: data }),
  };
  if (!sections.some(({ id }) => id === SECTION.element))
    throw new Error("expected functions in the table");
  return moduleOf(sections.map(({ id, body }) => ({ id, body: changed[id] ?? body })));
}

/** @param {Module} module @param {Part} primary @param {Part} secondary @param {Layout} layout @param {Buffer} [data] */
function secondaryModule(module, primary, secondary, { slots, imported, tableSize }, data) {
  const { body, imports, tables, memories, globals } = module;
  const grownTable = Buffer.from([tables[0][0], 0, ...toLeb(tableSize)]);
  const shared = [
    ...imports.map((type, i) => importOf(FUNCTION, i, type)),
    ...[grownTable, ...tables.slice(1)].map((type, i) => importOf(TABLE, i, type)),
    ...memories.map((type, i) => importOf(MEMORY, i, type)),
    ...globals.map((global, i) => importOf(GLOBAL, i, global.subarray(0, 2))),
  ];
  return moduleOf([
    { id: SECTION.type, body: body("type") },
    { id: SECTION.import, body: vector(shared) },
    { id: SECTION.function, body: body("function") },
    { id: SECTION.element, body: vector(segments(primary.stubs, slots, imported)) },
    { id: SECTION.code, body: vector(bodiesFor(module, secondary, slots, []).map(sized)) },
    ...(data ? [{ id: SECTION.data, body: data }] : []),
  ]);
}

/**
 * The bodies of a part: its own, stubs for those in the other module, and traps for functions that it never calls.
 * @param {Module} module @param {Part} part @param {Map<number, number>} slots @param {number[]} beforeCall
 */
function bodiesFor({ bodies, types, functions }, { owns, needed }, slots, beforeCall) {
  return bodies.map((body, at) => {
    if (!needed.has(at)) return Buffer.of(0, UNREACHABLE, END);
    return owns(at)
      ? body
      : stub(types[functions[at]], functions[at], slotOf(slots, at), beforeCall);
  });
}

/** A body that calls the function in a table slot with its own parameters. @param {Buffer} type @param {number} typeIndex @param {number} slot @param {number[]} beforeCall */
function stub(type, typeIndex, slot, beforeCall) {
  const [params] = leb(type, 1);
  const parameters = Array.from({ length: params }, (_, i) => [LOCAL_GET, ...toLeb(i)]).flat();
  const call = [I32_CONST, ...toSignedLeb(slot), CALL_INDIRECT, ...toLeb(typeIndex), 0, END];
  return Buffer.from([0, ...beforeCall, ...parameters, ...call]);
}

/** @param {Map<number, number>} slots @param {number} at */
function slotOf(slots, at) {
  const slot = slots.get(at);
  if (slot === undefined) throw new Error(`function ${at} has no slot in the table`);
  return slot;
}

/** The element segments that put functions into consecutive slots. @param {number[]} functions @param {Map<number, number>} slots @param {number} imported */
function segments(functions, slots, imported) {
  if (functions.length === 0) return [];
  const offset = [0, I32_CONST, ...toSignedLeb(slotOf(slots, functions[0])), END];
  return [
    Buffer.concat([Buffer.from(offset), vector(functions.map((at) => toLeb(imported + at)))]),
  ];
}

const KIND_NAMES = ["$function", "$table", "$memory", "$global"];

/** @param {number} kind @param {number} i */
function exportOf(kind, i) {
  return exportAs(KIND_NAMES[kind] + i, kind, i);
}

/** @param {string} name @param {number} kind @param {number} i */
function exportAs(name, kind, i) {
  return Buffer.from([...text(name), kind, ...toLeb(i)]);
}

/** @param {number} kind @param {number} i @param {Buffer} type */
function importOf(kind, i, type) {
  return Buffer.concat([
    Buffer.from([...text("primary"), ...text(KIND_NAMES[kind] + i), kind]),
    type,
  ]);
}

/** @param {string} name */
function text(name) {
  return [...toLeb(Buffer.byteLength(name)), ...Buffer.from(name)];
}

/** @param {Buffer} body */
function sized(body) {
  return Buffer.concat([Buffer.from(toLeb(body.length)), body]);
}

/** A vector with more items at its end. @param {Buffer} old @param {Buffer[]} added */
function append(old, added) {
  const [count, start] = leb(old, 0);
  return Buffer.concat([Buffer.from(toLeb(count + added.length)), old.subarray(start), ...added]);
}

// ---- where each item of a section ends ----

/** @param {Buffer} bytes @param {number} at */
function endOfType(bytes, at) {
  if (bytes[at] !== 0x60) throw new Error("expected only function types");
  const [params, first] = leb(bytes, at + 1);
  const [results, second] = leb(bytes, first + params);
  return second + results; // one byte for each value type
}

/** @param {Buffer} bytes @param {number} at */
function endOfImport(bytes, at) {
  for (let names = 0; names < 2; names++) {
    const [length, start] = leb(bytes, at);
    at = start + length;
  }
  if (bytes[at] !== FUNCTION) throw new Error("expected only functions among the imports");
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

/** A global: its type, whether it is mutable, and its initial value. @param {Buffer} bytes @param {number} at */
function endOfGlobal(bytes, at) {
  if (bytes[at + 2] !== I32_CONST)
    throw new Error("expected an i32.const as each global's initial value");
  return leb(bytes, at + 3)[1] + 1;
}
