// The imports between the files of a Rust crate, from `use` declarations and from paths in the code.
//
// `rustImports(sources)` takes the text of each file by its path and returns the files that each one refers to. A path is
// followed through modules and re-exports to the file that defines the item. A re-export itself (`pub use`) is not an import:
// it only gives the item another name. Code under `#[cfg(test)]` is left out.

/**
 * @typedef {{ text: string, isWord: boolean, isString?: boolean }} Token
 * @typedef {{ segments: string[], alias: string }} Use `alias`: the name in scope, or "*"
 * @typedef {object} Module
 * @property {string} file
 * @property {Module | undefined} parent
 * @property {Map<string, Module>} children
 * @property {Map<string, string[]>} names imported or re-exported names, and their paths
 * @property {string[][]} globs paths of `use …::*`
 * @property {string[][]} references paths that count as imports
 */

/**
 * @param {Map<string, string>} sources by path, such as src/lib.rs
 * @param {string[]} roots of crates; files that no root declares have no imports in the result
 * @returns {Map<string, Set<string>>}
 */
export function rustImports(sources, roots = ["src/lib.rs"]) {
  const imports = new Map([...sources.keys()].map((file) => [file, new Set()]));
  for (const file of roots) {
    /** @type {Module[]} */
    const modules = [];
    const root = readModule(file, undefined, sources, modules);
    for (const module of modules) {
      for (const path of module.references) {
        const target = resolve(path, module, root);
        if (target && target !== module.file) imports.get(module.file)?.add(target);
      }
    }
  }
  return imports;
}

/** @param {string} file @param {Module | undefined} parent @param {Map<string, string>} sources @param {Module[]} modules @returns {Module} */
function readModule(file, parent, sources, modules) {
  const text = sources.get(file);
  if (text === undefined)
    throw new Error(`${file}: declared with \`mod\`, but there is no such file`);
  const module = newModule(file, parent, modules);
  parseItems(tokens(text), 0, module, sources, modules);
  return module;
}

/** @param {string} file @param {Module | undefined} parent @param {Module[]} modules @returns {Module} */
function newModule(file, parent, modules) {
  const module = { file, parent, children: new Map(), names: new Map(), globs: [], references: [] };
  modules.push(module);
  return module;
}

/**
 * Reads items until the end of the file, or the brace that closes an inline module; returns the offset behind it.
 * @param {Token[]} list @param {number} at @param {Module} module @param {Map<string, string>} sources @param {Module[]} modules
 */
function parseItems(list, at, module, sources, modules) {
  let isPublic = false;
  let path = "";
  for (let depth = 0; at < list.length; ) {
    const { text, isWord } = list[at];
    if (text === "#" && (list[at + 1]?.text === "[" || list[at + 1]?.text === "!")) {
      const end = closing(
        list,
        list.findIndex((token, i) => i > at && token.text === "["),
      );
      const attribute = list.slice(at, end);
      const words = attribute.map((token) => token.text);
      at = end;
      if (words.includes("path")) path = attribute.find(({ isString }) => isString)?.text ?? "";
      // `cfg(test)`, `cfg(all(test, …))`
      if (words.includes("cfg") && words.includes("test") && !words.includes("not"))
        at = itemEnd(list, at);
    } else if (isWord && text === "pub") {
      isPublic = true;
      at = list[at + 1]?.text === "(" ? closing(list, at + 1) : at + 1;
    } else if (isWord && text === "mod" && list[at + 1]?.isWord) {
      const name = list[at + 1].text;
      if (list[at + 2]?.text === "{") {
        const child = newModule(module.file, module, modules);
        module.children.set(name, child);
        at = parseItems(list, at + 3, child, sources, modules);
      } else {
        const file = path ? `${folderOf(module.file)}/${path}` : childFile(module, name, sources);
        module.children.set(name, readModule(file, module, sources, modules));
        at += 3;
      }
      isPublic = false;
      path = "";
    } else if (isWord && text === "use") {
      const { uses, end } = parseUse(list, at + 1, []);
      for (const { segments, alias } of uses) {
        if (alias === "*") module.globs.push(segments);
        else module.names.set(alias, segments);
        if (!isPublic) module.references.push(segments);
      }
      at = end + 1;
      isPublic = false;
    } else if (isWord && list[at + 1]?.text === "::" && list[at - 1]?.text !== "::") {
      const segments = [text];
      for (at += 1; list[at]?.text === "::" && list[at + 1]?.isWord; at += 2)
        segments.push(list[at + 1].text);
      module.references.push(segments);
    } else {
      if (isWord || text === ";") isPublic = false;
      if (text === "{") depth += 1;
      if (text === "}" && depth-- === 0) return at + 1;
      at += 1;
    }
  }
  return at;
}

/** @param {Module} module @param {string} name @param {Map<string, string>} sources */
function childFile(module, name, sources) {
  const isRoot = !module.parent || module.file.endsWith("/mod.rs");
  const folder = isRoot ? folderOf(module.file) : module.file.replace(/\.rs$/, "");
  return sources.has(`${folder}/${name}.rs`) ? `${folder}/${name}.rs` : `${folder}/${name}/mod.rs`;
}

/** @param {string} file */
const folderOf = (file) => file.replace(/\/[^/]*$/, "");

/** The tree of a `use` declaration as a list; `end` is the offset of what follows it. @param {Token[]} list @param {number} at @param {string[]} prefix @returns {{ uses: Use[], end: number }} */
function parseUse(list, at, prefix) {
  const segments = [...prefix];
  for (; list[at]?.isWord; at += 2) {
    segments.push(list[at].text);
    if (list[at + 1]?.text === "::") continue;
    if (list[at + 1]?.text === "as")
      return { uses: [{ segments, alias: list[at + 2].text }], end: at + 3 };
    const alias = segments.at(-1) === "self" ? segments.at(-2) : segments.at(-1);
    if (segments.length > 1 && segments.at(-1) === "self") segments.pop();
    return { uses: [{ segments, alias: alias ?? "" }], end: at + 1 };
  }
  if (list[at]?.text === "*") return { uses: [{ segments, alias: "*" }], end: at + 1 };
  /** @type {Use[]} */
  const uses = [];
  if (list[at]?.text === "::") at += 1; // an external crate
  if (list[at]?.text !== "{") return { uses, end: at };
  at += 1;
  while (list[at] && list[at].text !== "}") {
    const branch = parseUse(list, at, segments);
    uses.push(...branch.uses);
    at = list[branch.end]?.text === "," ? branch.end + 1 : branch.end;
  }
  return { uses, end: at + 1 };
}

/**
 * The file that defines what a path names; undefined if it is not in this crate.
 * @param {string[]} path @param {Module} from @param {Module} root @param {number} [depth]
 * @returns {string | undefined}
 */
function resolve(path, from, root, depth = 0) {
  if (depth > 16) return undefined; // names that refer to each other
  const [first, ...rest] = path;
  /** @type {Module | undefined} */
  let module;
  if (first === "crate") module = root;
  else if (first === "self") module = from;
  else if (first === "super") module = from.parent;
  else if (from.children.has(first)) module = from.children.get(first);
  else {
    const imported = from.names.get(first);
    if (!imported || imported[0] === first) return undefined;
    return resolve([...imported, ...rest], from, root, depth + 1);
  }
  for (let i = 0; module && i < rest.length; i++) {
    if (rest[i] === "super") module = module.parent;
    else if (module.children.has(rest[i])) module = module.children.get(rest[i]);
    else {
      const imported = module.names.get(rest[i]);
      if (imported) return resolve([...imported, ...rest.slice(i + 1)], module, root, depth + 1);
      return module === root ? undefined : module.file; // a root defines nothing itself
    }
  }
  return module?.file;
}

/** The offset behind the next item: its block, or its semicolon. @param {Token[]} list @param {number} at */
function itemEnd(list, at) {
  for (; at < list.length; at++) {
    if (list[at].text === "(" || list[at].text === "[") at = closing(list, at) - 1;
    else if (list[at].text === "{") return closing(list, at);
    else if (list[at].text === ";" || list[at].text === ",") return at + 1;
  }
  return at;
}

/** The offset behind the bracket that closes the one at `open`. @param {Token[]} list @param {number} open */
function closing(list, open) {
  let depth = 0;
  for (let at = open; at < list.length; at++) {
    if ("([{".includes(list[at].text)) depth += 1;
    else if (")]}".includes(list[at].text) && --depth === 0) return at + 1;
  }
  return list.length;
}

const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|b?r(#*)"[\s\S]*?"\1|b?"((?:[^"\\]|\\[\s\S])*)"|b?'(?:[^'\\]|\\(?:x[0-9a-f]{2}|u\{[0-9a-f]+\}|.))'|'\w+|(?:r#)?([A-Za-z_]\w*)|::|\S/gi;

/** Words, `::`, strings and single characters; comments are left out. @param {string} text @returns {Token[]} */
function tokens(text) {
  const list = [];
  for (const [match, , string, word] of text.matchAll(TOKEN)) {
    if (match.startsWith("//") || match.startsWith("/*")) continue;
    if (string !== undefined) list.push({ text: string, isWord: false, isString: true });
    else if (word) list.push({ text: word, isWord: true });
    else if (match === "::" || match.length === 1) list.push({ text: match, isWord: false });
  }
  return list;
}
