/* GPT-NeoX: fused products with queries, keys and values of each head together, rotary in part of each head, attention and
 * feed-forward part side by side behind a norm each, or one after the other. Black et al. 2022. */
#include <math.h>

#include "model/families/rows.h"
#include "model/rope.h"

static const struct config_key keys[] = { VOCAB_KEYS, DEFAULT_SIZE_KEYS, NORM_KEYS, ACT_KEYS, ATTENTION_BIAS_KEYS, END_KEYS };

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { NULL, "attention.clamp_kqv", NULL },
    ROPE_SCALE_GUARDS, END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "gpt_neox.embed_in.weight", "token_embd.weight", 0 },
    { W_norm, "gpt_neox.final_layer_norm.weight", "output_norm.weight", 0 },
    { W_norm_bias, "gpt_neox.final_layer_norm.bias", "output_norm.bias", 0 },
    { W_head, "embed_out.weight|lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
    { W_rope_divisors, NULL, "rope_freqs.weight", WEIGHT_OPTIONAL },
};

#define L "gpt_neox.layers.%d."
static const struct weight_name layer_weights[] = {
    BIASED_NORM_ROWS(L),
    FUSED_QKV(L "attention.query_key_value.weight", "blk.%d.attn_qkv.weight", WEIGHT_GROUPED),
    FUSED_QKV_BIAS(L "attention.query_key_value.bias", "blk.%d.attn_qkv.bias", WEIGHT_GROUPED, AT(qkv_bias)),
    { W_attn_out, L "attention.dense.weight", "blk.%d.attn_output.weight", 0 },
    { W_attn_out_bias, L "attention.dense.bias", "blk.%d.attn_output.bias", 0, AT(out_bias) },
    DENSE_4H_ROWS(L),
};
#undef L

/* The share of a head that turns. Of an odd number of values the class makes frequencies as if one were left over, then turns one
 * more: the next even part, with a base that gives the same frequencies. */
static int rotary(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = config_partial_rotary(c, a, "rotary_pct", 0.25, err);
    const int32_t odd = a->rope.part % 2 ? a->rope.part : 0;
    if (odd) a->rope.part++;
    if (!status) status = config_rope(c, a, err);
    if (status || !odd) return status;
    if (a->rope.kind != ROPE_DEFAULT && a->rope.kind != ROPE_LINEAR)
        return fail(err, HEARTH_E_UNSUPPORTED, "rotary scaling %s of an odd part, %d values, is not supported",
                    rope_kind_name(a->rope.kind), odd);
    a->rope.theta = pow(a->rope.theta, (odd + 1.0) / odd);
    return 0;
}

/* GGUF files keep queries, keys and values apart; their tensors tell ties and biases. They state no rotary base but 10000. */
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool parallel;
    int status = config_bool(c, "use_parallel_residual", "use_parallel_residual", true, &parallel, err);
    if (!status) status = config_number(c, "rotary_emb_base", NULL, a->rope.theta, &a->rope.theta, err);
    if (status) return status;
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    a->residual = parallel ? RESIDUAL_PARALLEL : RESIDUAL_PRE;
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    a->fused_groups = c->gguf ? 1 : a->n_head;
    if (c->gguf) {
        a->tied = true;
        a->qkv_bias = container_tensor(c->c, "blk.0.attn_qkv.bias") != NULL;
        a->out_bias = container_tensor(c->c, "blk.0.attn_output.bias") != NULL;
    }
    return rotary(a, c, err);
}

const struct family family_gpt_neox = {
    .name = "gpt_neox", .models = "GPT-NeoX 20B, Pythia, Dolly v2, RedPajama-INCITE, StableLM-Alpha, Open Assistant Pythia, h2oGPT, "
                                  "Pygmalion 1.4B, Metharme 1.3B, GPT-NeoXT-Chat, Polyglot-Ko",
    .hf_types = (const char *const[]){ "gpt_neox", NULL }, .gguf_archs = (const char *const[]){ "gptneox", NULL },
    .heads = (const char *const[]){ "GPTNeoXForCausalLM", NULL },
    .initial = { GPT_AXES, .act = ACT_GELU, .position = POSITION_ROTARY, .rope.theta = 10000, .context = 2048, .width = 6144,
                 .n_layer = 44, .n_head = 64, .ff_width = 24576, .qkv_bias = true, .out_bias = true, .bos = 0, .eos = 2,
                 .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .prefix = "gpt_neox.",
    .harmless = (const char *const[]){ ".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq", NULL }, .finish = finish,
};
