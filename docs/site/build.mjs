#!/usr/bin/env node
// Writes the documentation site into dist/docs/: `node docs/site/build.mjs`. TypeDoc makes pages of the Markdown files that pages.mjs
// lists, and the API reference of www/api/. All addresses in it are relative, so the folder works under any path.

import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import katex from "@vscode/markdown-it-katex";
import { build } from "esbuild";
import { Application, LogLevel } from "typedoc";

import { codeInHeadings, liveExamples, scripts, scrollWide } from "./markdown.mjs";
import { GROUPS, HOME } from "./pages.mjs";
import { addTheme } from "./theme.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const OUT = "dist/docs";
/** What the site was made from. */
const STAMP = join(OUT, ".inputs");
const HERE = fileURLToPath(new URL(".", import.meta.url));

process.chdir(ROOT);
const pages = GROUPS.flatMap((group) => group.pages);
const others = pages.filter((page) => page !== HOME).map(({ source }) => source);

const decisions = (await readdir("docs/decisions"))
  .map((name) => `docs/decisions/${name}`)
  .filter((source) => !others.includes(source));

const stamp = await inputs();
if ((await readFile(STAMP, "utf8").catch(() => "")) === stamp) {
  console.log(`${OUT}/ is up to date`);
  process.exit();
}

const app = await Application.bootstrapWithPlugins({
  name: "Candlescope",
  entryPoints: ["www/api/candlescope.ts"],
  tsconfig: "tsconfig.json",
  skipErrorChecking: true, // `make check` does, with another version of TypeScript
  readme: HOME.source,
  projectDocuments: [...others, ...decisions],
  plugin: [addTheme],
  theme: "candlescope",
  router: "candlescope",
  out: OUT,
  githubPages: false,
  disableSources: true,
  excludePrivate: true,
  excludeInternal: true,
  excludeExternals: true,
  includeHierarchySummary: false,
  searchInDocuments: true,
  searchInComments: true,
  lightHighlightTheme: "github-light-high-contrast",
  darkHighlightTheme: "github-dark-high-contrast",
  highlightLanguages: [
    "typescript",
    "javascript",
    "html",
    "css",
    "json",
    "shellscript",
    "python",
    "rust",
    "toml",
  ],
  ignoredHighlightLanguages: ["mermaid"],
  markdownItOptions: { html: true, linkify: false },
  markdownItLoader: (/** @type {import("markdown-it")} */ parser) => {
    parser.use(katex.default ?? katex, { output: "mathml", throwOnError: true });
    parser.use(codeInHeadings);
    parser.use(liveExamples);
    parser.use(scrollWide);
  },
  validation: { invalidLink: true, invalidPath: true, notExported: false, notDocumented: false },
  treatWarningsAsErrors: true,
  logLevel: LogLevel.Warn,
});

const project = await app.convert();
if (!project) process.exit(1);
for (const document of project.documents ?? []) {
  const source = relative(ROOT, app.files.getReflectionPath(document) ?? "");
  const page = pages.find((one) => one.source === source);
  const heading = document.content
    .map(({ text }) => text)
    .join("")
    .match(/^# (.*)$/m)?.[1];
  document.name = page?.title ?? heading ?? source;
}
await app.generateDocs(project, resolve(OUT));
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);

await mkdir(join(OUT, "examples"), { recursive: true });
await Promise.all([
  ...[...scripts].map(([name, code]) => writeFile(join(OUT, "examples", name), code)),
  ...["text.css", "early.js"].map((name) => cp(join(HERE, name), join(OUT, "assets", name))),
  // With what the lab has too: the palette, and the button for the theme.
  build({
    entryPoints: ["site.css", "site.js"].map((name) => join(HERE, name)),
    outdir: join(OUT, "assets"),
    bundle: true,
    format: "esm",
    target: "esnext",
    minify: true,
    logLevel: "warning",
  }),
  // This theme has no use for them.
  ...["navigation.js", "hierarchy.js"].map((name) =>
    rm(join(OUT, "assets", name), { force: true }),
  ),
]);
await removeEmptyStyle(join(OUT, "assets", "main.js"));
await writeFile(STAMP, stamp);
console.log(`${OUT}/index.html`);

/**
 * TypeDoc's script adds an empty style element, for filters that this site does not have. A policy without inline styles forbids that.
 * @param {string} path
 */
async function removeEmptyStyle(path) {
  const text = await readFile(path, "utf8");
  const adding = 'document.head.appendChild(document.createElement("style"))';
  if (text.split(adding).length !== 2) throw new Error(`${path}: expected one style element`);
  await writeFile(path, text.replace(adding, 'document.createElement("style")'));
}

/** A hash of everything that the site is made from: its pages and what they link to, the API, and this folder. */
async function inputs() {
  const sources = [...others, ...decisions, HOME.source];
  const files = new Set([...sources, "www/palette.css", "www/page/theme-button.ts"]);
  for (const source of sources) {
    const text = await readFile(source, "utf8");
    for (const [, link] of text.matchAll(/\]\((?!\w+:|#)([^)#]+)/g))
      files.add(join(dirname(source), link));
  }
  for (const folder of ["docs/site", "www/api"])
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      if (entry.isFile() && !path.includes("node_modules")) files.add(path);
    }
  const hash = createHash("sha256");
  // A link may lead to a folder; TypeDoc says if it leads to nothing.
  for (const path of [...files].sort())
    hash.update(`${path}\n`).update(await readFile(path).catch(String));
  return hash.digest("hex");
}
