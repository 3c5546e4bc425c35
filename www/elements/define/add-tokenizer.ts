export * from "../add-tokenizer.js";
import { define } from "../base.js";
import { AddTokenizer } from "../add-tokenizer.js";

define("add-tokenizer", AddTokenizer);
