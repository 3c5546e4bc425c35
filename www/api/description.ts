// What a loaded model says about itself: its config and the notices about its files.

/** A GPT-2 config with Hugging Face field names. */
export interface Config {
  readonly n_layer: number;
  readonly n_head: number;
  /** d_model */
  readonly n_embd: number;
  /** d_mlp; null for four times `n_embd` */
  readonly n_inner: number | null;
  /** the longest context, in tokens */
  readonly n_positions: number;
  readonly vocab_size: number;
  readonly layer_norm_epsilon: number;
  readonly activation_function: string;
  readonly scale_attn_weights: boolean;
  readonly scale_attn_by_inverse_layer_idx: boolean;
  readonly reorder_and_upcast_attn: boolean;
  readonly tie_word_embeddings: boolean;
  readonly bos_token_id: number | null;
  readonly eos_token_id: number | null;
}

/** A remark about a model that loaded successfully. */
export interface Notice {
  kind: "nonFinite" | "ignored" | "used" | "assumed";
  /** a tensor, a field or a file */
  name: string;
  /** one full sentence */
  message: string;
  /** how many numbers or files it is about */
  count?: number;
}
