// The files of the model, as loadModel takes them. Bundlers copy files that are named in this way.

export default {
  config: new URL("./config.json", import.meta.url),
  tokenizer: new URL("./tokenizer.json", import.meta.url),
  weights: new URL("./model.safetensors", import.meta.url),
};
