// Calls that a program on a server makes, and what it gets for those that cannot work there.

import { mkdir, symlink } from "node:fs/promises";
import { pathToFileURL } from "node:url";

import { forgetStored, loadModel, storedModels } from "candlescope";
import shakespeare from "candlescope-shakespeare";

const FOLDER = "node_modules/candlescope-shakespeare";
const [, , server] = process.argv;

/** @param {() => Promise<unknown>} call @returns {Promise<string>} */
const failure = (call) =>
  call().then(
    () => "no error",
    (error) => `${error.name}: ${error.message}`,
  );

/** @param {Parameters<typeof loadModel>} args */
async function lossOf(...args) {
  const model = await loadModel(...args);
  const { loss } = await model.runWithCache("To be, or not to be");
  model.dispose();
  return loss;
}

// Characters that mean something else in an address.
await mkdir("100% models #1");
await symlink(`../${FOLDER}`, "100% models #1/what?");

/** @type {import("candlescope").Progress[]} */
const progress = [];
const requested = [];
const aborted = new AbortController();
aborted.abort();
const model = await loadModel(FOLDER, { onProgress: (one) => progress.push(one) });

console.log(
  JSON.stringify({
    losses: {
      path: await lossOf(FOLDER),
      "path of the weights": await lossOf(`${FOLDER}/model.safetensors`),
      "absolute path": await lossOf(`${process.cwd()}/${FOLDER}/`),
      "path with % # ?": await lossOf("100% models #1/what?"),
      "file: text": await lossOf(pathToFileURL(FOLDER).href),
      "file: URL": await lossOf(pathToFileURL(FOLDER)),
      "URLs of the package": await lossOf(shakespeare),
      paths: await lossOf({
        config: `${FOLDER}/config.json`,
        tokenizer: `${FOLDER}/tokenizer.json`,
        weights: `${FOLDER}/model.safetensors`,
      }),
      "http:": await lossOf(`${server}${FOLDER}`),
      "own fetch": await lossOf(`${server}${FOLDER}`, {
        fetch: (address, init) => {
          requested.push(address);
          return fetch(address, init);
        },
      }),
    },
    requested: requested.length > 0,
    progress: progress.at(-1)?.stage,
    stored: await storedModels(),
    forgotten: await forgetStored(),
    failures: {
      keep: await failure(() => loadModel(FOLDER, { keep: true })),
      nowhere: await failure(() => loadModel("nowhere")),
      "a file": await failure(() => loadModel("package.json")),
      weights: await failure(() => loadModel({ weights: "nowhere.safetensors" })),
      aborted: await failure(() => loadModel(FOLDER, { signal: aborted.signal })),
      names: await failure(() => model.runWithCache("To be", { names: ["blocks.9.hook_q"] })),
      code: await failure(() =>
        model.runWithCache("To be", {
          interventions: [
            { at: "hook_embed", do: { js: "() => { throw new TypeError('mine') }" } },
          ],
        }),
      ),
    },
    exit: await failure(() =>
      model.runWithCache("To be", {
        interventions: [{ at: "hook_embed", do: { js: "() => process.exit(3)" } }],
      }),
    ),
    after: (await model.runWithCache("To be, or not to be")).loss,
  }),
);
