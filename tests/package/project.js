// A project that has installed the npm packages from their tarballs, in a temporary folder.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The repository. */
export const ROOT = resolve(import.meta.dirname, "../..");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const APPS = join(import.meta.dirname, "apps");

/** The names of the packages that `make package` writes. */
export const PACKAGES = ["candlescope", "candlescope-shakespeare"];

/** @param {string} name */
const tarball = (name) => join(ROOT, "dist-npm", `${name}-${version}.tgz`);

/** @typedef {ReturnType<typeof newProject>} Project */

/** Installs the packages without a network, and copies the programs of apps/ beside them. */
export function newProject() {
  for (const name of PACKAGES)
    if (!existsSync(tarball(name))) throw new Error(`expected ${tarball(name)}: run make package`);
  const folder = mkdtempSync(join(tmpdir(), "candlescope-package-"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  execFileSync(
    "npm",
    [
      "install",
      "--offline",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      ...PACKAGES.map(tarball),
    ],
    { cwd: folder, stdio: ["ignore", "ignore", "inherit"] },
  );
  cpSync(APPS, folder, { recursive: true });
  return {
    folder,
    /** The path of a file in the project. @param {string[]} parts */
    path: (...parts) => join(folder, ...parts),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
