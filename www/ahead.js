// Asks for a model's files while the wasm module that will read them is still on its way.

/** @typedef {import("./source.js").Files} Files */
/** ahead: the answer, or undefined where it was not worth asking. @typedef {import("./source.js").File_ & { ahead?: Promise<Response | undefined> }} AskedFor */

/**
 * The same files, those with an address asked for. Tokenizer and weights wait until the config is seen to be there: often it
 * is not, and the next place is tried.
 * @param {Files} files @param {AbortSignal} signal
 */
export function askAhead(files, signal) {
  /** @param {AskedFor} file @param {Promise<boolean>} [isWorthIt] @returns {AskedFor} */
  const ask = (file, isWorthIt = Promise.resolve(true)) => {
    if (file.address === undefined) return file;
    const { address } = file;
    const ahead = isWorthIt.then((is) => (is ? fetch(address, { signal }) : undefined));
    ahead.catch(() => {}); // whoever takes the answer is told
    return { ...file, ahead };
  };
  const config = ask(files.config);
  const isThere = Promise.resolve(config.ahead).then((answer) => answer === undefined || isFile(answer), () => false);
  return { ...files, config, weights: ask(files.weights, isThere), ...(files.tokenizer && { tokenizer: ask(files.tokenizer, isThere) }) };
}

/** Many hosts answer with a page, and status 200, for an address that they do not know. @param {Response} answer */
function isFile(answer) {
  return answer.ok && !answer.headers.get("content-type")?.startsWith("text/html");
}
