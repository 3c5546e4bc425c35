// What this site adds to Markdown: an example in HTML that is marked `live` also runs below its code, and wide tables scroll.

import { createHash } from "node:crypto";

/** @typedef {import("markdown-it")} MarkdownIt */

/** The scripts of the live examples, by their file in dist/docs/examples/. @type {Map<string, string>} */
export const scripts = new Map();

const SCRIPT = /<script type="module"(?: src="([^"]+)")?>([\s\S]*?)<\/script>\n?/g;

/** Examples name the folder `candlescope/`, which is the one above the site's. @param {string} text @param {string} folder */
const inSite = (text, folder) => text.replaceAll(/(?:\.\/)?candlescope\/(?=\w)/g, folder);

/**
 * The HTML of an example as it stands on a page of the site, and its scripts as one module.
 * @param {string} example
 */
export function split(example) {
  let module = "";
  for (const [, source, code] of example.matchAll(SCRIPT)) {
    if (source) module += `import "${inSite(source, "../../")}";\n`;
    // Imports are relative to the module, all other addresses to the page.
    else
      module += inSite(
        code.replaceAll(/(import [^"]*"|from ")(?:\.\/)?candlescope\//g, "$1../../"),
        "../",
      );
  }
  return { html: inSite(example.replaceAll(SCRIPT, ""), "../").trim(), module };
}

/** How many examples have the same scripts. @type {Map<string, number>} */
const counts = new Map();

/** Equal examples have files of their own: a browser runs a module once, also if a page names it twice. @param {string} module */
function numbered(module) {
  const count = counts.get(module) ?? 0;
  counts.set(module, count + 1);
  return count === 0 ? module : `${module}\n${count}`;
}

/** @param {MarkdownIt} md */
export function liveExamples(md) {
  const fence = md.renderer.rules.fence;
  md.renderer.rules.fence = (tokens, at, options, env, self) => {
    const [language, ...flags] = tokens[at].info.trim().split(/\s+/);
    const code = fence?.(tokens, at, options, env, self) ?? "";
    if (language !== "html" || !flags.includes("live")) return code;
    const { html, module } = split(tokens[at].content);
    const name = `${createHash("sha256").update(numbered(module)).digest("hex").slice(0, 10)}.js`;
    scripts.set(name, module);
    const figure = `<div class="live" data-script="../examples/${name}">${html}</div>`;
    return `<div class="example">${figure}<details><summary>code</summary>${code}</details></div>\n`;
  };
}

/** Wide tables and formulas scroll, also by keyboard. @param {MarkdownIt} md */
export function scrollWide(md) {
  md.renderer.rules.table_open = () => '<div class="table" tabindex="0"><table>\n';
  md.renderer.rules.table_close = () => "</table></div>\n";
  const math = md.renderer.rules.math_block;
  md.renderer.rules.math_block = (...args) =>
    (math?.(...args) ?? "").replace("<p ", '<p tabindex="0" ');
}

/**
 * TypeDoc makes the anchor and the entry in the list of headings from tokens of type "text" only. So code in a heading becomes such a
 * token, and is still rendered as code.
 * @param {MarkdownIt} md
 */
export function codeInHeadings(md) {
  md.core.ruler.push("code in headings", ({ tokens }) => {
    tokens.forEach(({ children }, at) => {
      if (tokens[at - 1]?.type !== "heading_open") return;
      for (const child of children ?? [])
        if (child.type === "code_inline")
          Object.assign(child, { type: "text", meta: { isCode: true } });
    });
  });
  const text = md.renderer.rules.text;
  md.renderer.rules.text = (tokens, at, ...rest) => {
    const html = text?.(tokens, at, ...rest) ?? "";
    return tokens[at].meta?.isCode ? `<code>${html}</code>` : html;
  };
}
