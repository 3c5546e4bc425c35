// The pages of the documentation site in the order of its navigation: Markdown files of the repository, which are also read there.

/**
 * The name of a page's file in dist/docs/, the source, and the title in the navigation.
 * @typedef {{ name: string, source: string, title: string }} DocPage
 */

/** @param {string} name @param {string} source @param {string} title @returns {DocPage} */
const page = (name, source, title) => ({ name, source, title });

/** The first page. */
export const HOME = page("index", "docs/README.md", "Overview");

/** @type {readonly { title: string, pages: readonly DocPage[] }[]} */
export const GROUPS = [
  {
    title: "Start",
    pages: [
      HOME,
      page("start", "docs/start.md", "Getting started"),
      page("guide", "docs/guide.md", "Guide"),
      page("checkpoints", "docs/checkpoints.md", "Your own model"),
      page("questions", "docs/questions.md", "Questions and answers"),
    ],
  },
  {
    title: "Methods",
    pages: [
      page("interventions", "docs/interventions.md", "Interventions"),
      page("measurements", "docs/measurements.md", "Measurements"),
      page("induction", "docs/induction.md", "The notebook, redone"),
      page("notebook", "docs/notebook.md", "The notebook, cell by cell"),
    ],
  },
  {
    title: "Figures",
    pages: [
      page("gallery", "docs/gallery.md", "Gallery"),
      page("elements", "www/elements/README.md", "Elements"),
      page("embedding", "docs/embedding.md", "Embedding cookbook"),
      page("snapshots", "docs/snapshots.md", "Snapshots"),
    ],
  },
  {
    title: "Reference",
    pages: [
      page("npm", "packages/candlescope/README.md", "npm packages"),
      page("capabilities", "docs/capabilities.md", "Capabilities"),
      page("console", "docs/console.md", "Code in the page"),
      page("errors", "docs/errors.md", "Errors"),
    ],
  },
  {
    title: "Background",
    pages: [
      page("peers", "docs/peers.md", "Other tools"),
      page("benchmark", "bench/README.md", "Benchmark"),
      page("model", "models/shakespeare/README.md", "The bundled model"),
      page("architecture", "ARCHITECTURE.md", "Architecture"),
      page("decisions", "docs/decisions/README.md", "Decisions"),
      page("contributing", "CONTRIBUTING.md", "Contributing"),
      page("fixtures", "tests/fixtures/README.md", "Reference values"),
      page("changes", "CHANGELOG.md", "Changes"),
    ],
  },
];
