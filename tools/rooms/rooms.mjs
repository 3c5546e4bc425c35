// The import rule of ARCHITECTURE.md: the sources are sorted into rooms, and a file imports only from its own room and from those
// above it in the table. No files import each other in a circle.

/** @typedef {{ name: string, paths: string[] }} Room */
/** @typedef {Map<string, Set<string>>} Imports by file */

/**
 * Reads the table between `<!-- rooms -->` and `<!-- end -->`: the first column names the room, the second has its files and
 * folders in backticks.
 * @param {string} markdown @returns {Room[]} in the order of the table
 */
export function roomsIn(markdown) {
  const [, table = ""] = /<!-- rooms -->([\s\S]*?)<!-- end -->/.exec(markdown) ?? [];
  const rows = table.split("\n").filter((line) => line.startsWith("| ") && line.includes("`"));
  return rows.map((row) => {
    const [, name, files] = row.split("|");
    return { name: name.trim(), paths: [...files.matchAll(/`([^`]+)`/g)].map(([, path]) => path) };
  });
}

/** The index of the room of a file: the one with the longest path that fits; -1 if there is none. @param {Room[]} rooms @param {string} file */
export function roomOf(rooms, file) {
  let best = { index: -1, length: 0 };
  for (const [index, { paths }] of rooms.entries()) {
    for (const path of paths) {
      const fits = path.endsWith("/") ? file.startsWith(path) : file === path;
      if (fits && path.length > best.length) best = { index, length: path.length };
    }
  }
  return best.index;
}

/** Everything that breaks the rule, as sentences. @param {Room[]} rooms @param {Imports} imports @returns {string[]} */
export function violations(rooms, imports) {
  /** @type {string[]} */
  const found = [];
  const files = [...imports.keys()];
  for (const file of files) if (roomOf(rooms, file) < 0) found.push(`${file} is in no room`);
  for (const { name, paths } of rooms) {
    for (const path of paths) {
      const isUsed = files.some((file) =>
        path.endsWith("/") ? file.startsWith(path) : file === path,
      );
      if (!isUsed) found.push(`room ${name}: there is no ${path}`);
    }
  }
  for (const [file, targets] of imports) {
    for (const target of targets) {
      const [own, other] = [roomOf(rooms, file), roomOf(rooms, target)];
      if (own < 0 || other < 0 || other <= own) continue;
      found.push(
        `${file} (${rooms[own].name}) imports ${target} (${rooms[other].name}), a room below it`,
      );
    }
  }
  return [...found, ...circles(imports)];
}

/** Each group of files that import each other, directly or through others of the group. @param {Imports} imports */
function circles(imports) {
  /** @type {string[]} */
  const found = [];
  /** Tarjan's algorithm for strongly connected components. @type {Map<string, { index: number, low: number, isOpen: boolean }>} */
  const states = new Map();
  /** @type {string[]} */
  const stack = [];
  /** @param {string} file @returns {{ low: number }} */
  const visit = (file) => {
    const state = { index: states.size, low: states.size, isOpen: true };
    states.set(file, state);
    stack.push(file);
    for (const target of imports.get(file) ?? []) {
      const seen = states.get(target);
      if (!seen) state.low = Math.min(state.low, visit(target).low);
      else if (seen.isOpen) state.low = Math.min(state.low, seen.index);
    }
    if (state.low !== state.index) return state;
    const group = stack.splice(stack.indexOf(file));
    for (const member of group) {
      const { index, low } = states.get(member) ?? state;
      states.set(member, { index, low, isOpen: false });
    }
    if (group.length > 1) found.push(`import circle: ${group.sort().join(", ")}`);
    return state;
  };
  for (const file of imports.keys()) if (!states.has(file)) visit(file);
  return found;
}
