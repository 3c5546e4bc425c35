"""A small Penzai model with random weights, for the tests of tools/snapshot.py and the Python examples of the documentation."""

IDS = [3, 9, 4, 9, 3]


def build(groups=2, multiplier=1):
    """The model, and a text as a NamedArray. There are `groups` heads of keys and values, each for `multiplier` heads of queries."""
    import jax
    import jax.numpy as jnp
    from penzai import pz
    from penzai.models.transformer.variants import llamalike_common

    config = llamalike_common.LlamalikeTransformerConfig(
        num_kv_heads=groups,
        query_head_multiplier=multiplier,
        embedding_dim=12,
        projection_dim=4,
        mlp_hidden_dim=16,
        num_decoder_blocks=2,
        vocab_size=31,
        mlp_variant="swiglu",
        tie_embedder_and_logits=False,
    )
    model = llamalike_common.build_llamalike_transformer(config, init_base_rng=jax.random.key(7))
    return model, pz.nx.wrap(jnp.asarray(IDS), "seq")
