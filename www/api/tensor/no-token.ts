// The id that stands for none. A file of its own, so that drawing does not load the code of tensors.

/** The id in the padding, and in the place of a token or an index where numbers are NaN. No vocabulary has it. */
export const NO_TOKEN = 0xffff_ffff;
