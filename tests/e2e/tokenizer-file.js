// A tokenizer.json for tests.

/** A byte-level BPE without merges. @param {Record<string, number>} vocab ids by token */
export function byteLevelTokenizer(vocab) {
  const level = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: level,
    post_processor: null,
    decoder: level,
    model: { type: "BPE", vocab, merges: [] },
  };
}
