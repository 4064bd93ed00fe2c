/* GPT-J: rotary pairs (2i, 2i + 1) in part of each head, attention and feed-forward part side by side behind one norm, a head with
 * a bias. CodeGen is the same with one fused product for queries, values and keys. Wang & Komatsuzaki 2021; Nijkamp et al. 2022. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    { "n_embd|hidden_size", NULL, CONFIG_INT, AT(width), 1, 1 << 20, 0 },
    { "n_layer|num_hidden_layers", NULL, CONFIG_INT, AT(n_layer), 1, 1024, 0 },
    { "n_head|num_attention_heads", NULL, CONFIG_INT, AT(n_head), 1, 4096, 0 },
    { "n_positions|max_position_embeddings", NULL, CONFIG_INT, AT(context), 1, 1 << 28, 0 },
    { "n_inner", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    { "rotary_dim", NULL, CONFIG_INT, AT(rope.part), 2, 1024, 0 },
    { "layer_norm_epsilon", NULL, CONFIG_FLOAT, AT(norm_eps), 0, 1, 0 },
    { "activation_function", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    END_KEYS,
};

/* The classes know neither scaling nor another base. */
static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    PLAIN_ROPE_GUARDS,
    { "scale_attn_weights", NULL, "true" },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "transformer.wte.weight", NULL, 0 },
    { W_norm, "transformer.ln_f.weight", NULL, 0 },
    { W_norm_bias, "transformer.ln_f.bias", NULL, 0 },
    { W_head, "lm_head.weight", NULL, WEIGHT_OPTIONAL },
    { W_head_bias, "lm_head.bias", NULL, 0 },
};

#define LAYER_FRAME                                                                                                    \
    { W_mixer_norm, GPT_LAYER "ln_1.weight", NULL, 0 },                                                                \
    { W_mixer_norm_bias, GPT_LAYER "ln_1.bias", NULL, 0 },                                                             \
    { W_attn_out, GPT_LAYER "attn.out_proj.weight", NULL, 0 },                                                         \
    { W_ffn_up, GPT_LAYER "mlp.fc_in.weight", NULL, 0 },                                                               \
    { W_ffn_up_bias, GPT_LAYER "mlp.fc_in.bias", NULL, 0 },                                                            \
    { W_ffn_down, GPT_LAYER "mlp.fc_out.weight", NULL, 0 },                                                            \
    { W_ffn_down_bias, GPT_LAYER "mlp.fc_out.bias", NULL, 0 }

static const struct weight_name layer_weights[] = {
    LAYER_FRAME,
    { W_attn_q, GPT_LAYER "attn.q_proj.weight", NULL, 0 },
    { W_attn_k, GPT_LAYER "attn.k_proj.weight", NULL, 0 },
    { W_attn_v, GPT_LAYER "attn.v_proj.weight", NULL, 0 },
};

static const struct weight_name codegen_weights[] = {
    LAYER_FRAME,
    { W_attn_q, GPT_LAYER "attn.qkv_proj.weight", NULL, WEIGHT_GROUPED },
    { W_attn_v, GPT_LAYER "attn.qkv_proj.weight", NULL, WEIGHT_GROUPED },
    { W_attn_k, GPT_LAYER "attn.qkv_proj.weight", NULL, WEIGHT_GROUPED },
};

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *part = container_kv(c->c, "rotary_dim");
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (!a->ff_width) a->ff_width = 4 * a->width;
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    if (part && part->type == KV_NULL) a->rope.part = a->width; /* the class's rule: one table as wide as the state */
    return config_rope(c, a, err);
}

/* The product was spread over 4 accelerators, each with the queries, values and keys of its heads; over 8 for CodeGen2 1B and 3.7B,
 * which are told by a key that the others do not have (after the converter of CTranslate2). */
static int finish_codegen(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double head_dim;
    int status = config_number(c, "head_dim", NULL, 0, &head_dim, err);
    if (status) return status;
    a->fused_groups = head_dim == 128 || head_dim == 256 ? 8 : 4;
    if (a->n_head % a->fused_groups)
        return fail(err, HEARTH_E_FORMAT, "%d heads cannot be shared out among %d groups", a->n_head, a->fused_groups);
    return finish(a, c, err);
}

#define GPTJ_AXES                                                                                                      \
    GPT_AXES, .act = ACT_GELU_TANH, .residual = RESIDUAL_PARALLEL, .position = POSITION_ROTARY, .rope.theta = 10000,   \
    .rope.interleaved = true, .rope.part = 64, .context = 2048, .width = 4096, .n_layer = 28, .n_head = 16,            \
    .bos = 50256, .eos = 50256, .pad = -1

const struct family family_gptj = {
    .name = "gptj", .models = "GPT-J 6B, Pygmalion 6B, Skein, Adventure, Janeway, Shinen 6B, GPT-JT, GPT4All-J, Dolly v1, Lit 6B",
    .hf_types = (const char *const[]){ "gptj", NULL }, .heads = (const char *const[]){ "GPTJForCausalLM", NULL },
    .initial = { GPTJ_AXES }, .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
    .prefix = "transformer.",
    .harmless = (const char *const[]){ ".attn.bias", ".attn.masked_bias", ".attn.embed_positions", NULL }, .finish = finish,
};

const struct family family_codegen = {
    .name = "codegen", .models = "CodeGen 350M to 16B (nl, multi, mono), CodeGen2 1B to 16B",
    .hf_types = (const char *const[]){ "codegen", NULL }, .heads = (const char *const[]){ "CodeGenForCausalLM", NULL },
    .initial = { GPTJ_AXES }, .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(codegen_weights),
    .prefix = "transformer.", .finish = finish_codegen,
    .harmless = (const char *const[]){ ".attn.causal_mask", ".attn.bias", ".attn.masked_bias", ".attn.embed_positions", NULL },
};
