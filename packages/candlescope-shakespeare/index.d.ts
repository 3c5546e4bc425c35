/** The addresses of the model's files: the argument of loadModel. */
declare const files: { config: URL; tokenizer: URL; weights: URL };
export default files;
