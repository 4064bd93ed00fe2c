/* Phi-3 and Phi-4: the shape of LLaMA with fused projections and, for long texts, factors of rotary frequencies by dimension
 * (longrope). Microsoft 2024. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    SIZE_KEYS, HEAD_KEYS, RMS_KEYS, ACT_KEYS,
    { "sliding_window", "attention.sliding_window", CONFIG_INT, AT(window), 0, 1 << 28, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, END_GUARDS };

static const struct weight_name model_weights[] = { MODEL_ROWS, LONGROPE_ROWS };

static const struct weight_name layer_weights[] = {
    PRE_NORM_ROWS,
    FUSED_QKV(LAYER "self_attn.qkv_proj.weight", "blk.%d.attn_qkv.weight", 0),
    { W_attn_out, LAYER "self_attn.o_proj.weight", "blk.%d.attn_output.weight", 0 },
    { W_ffn_gate, LAYER "mlp.gate_up_proj.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_up, LAYER "mlp.gate_up_proj.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_down, LAYER "mlp.down_proj.weight", "blk.%d.ffn_down.weight", 0 },
};

/* "su" and "yarn" were names of longrope here; the class knows no other scaling. GGUF has its factors or has not. */
static int rope_kind(struct arch *a, const struct config *c, struct hearth_error *err)
{
    static const char *const longrope[] = { "longrope", "su", "yarn" };
    static const char names[] = "rope_parameters.rope_type|rope_parameters.type|rope_scaling.rope_type|rope_scaling.type";
    const struct kv *kind = config_find(c, names, NULL);
    if (container_tensor(c->c, "rope_factors_long.weight")) a->rope.kind = ROPE_LONGROPE;
    if (!kind || kind->type != KV_STRING || str_is(kind->s, "default")) return 0;
    for (int i = 0; i < 3; i++)
        if (str_is(kind->s, longrope[i])) a->rope.kind = ROPE_LONGROPE;
    if (a->rope.kind == ROPE_LONGROPE) return 0;
    return fail(err, HEARTH_E_UNSUPPORTED, "phi3 models have no rotary scaling \"%.*s\"", STR_ARG(kind->s));
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = rows_heads(a, c, err);
    if (!status) status = config_partial_rotary(c, a, "partial_rotary_factor", 1, err);
    if (!status) status = rope_kind(a, c, err);
    return status ? status : config_rope(c, a, err);
}

const struct family family_phi3 = {
    .name = "phi3", .models = "Phi-3 mini and medium, Phi-3.5 mini, Phi-4, Phi-4 mini, Phi-4 reasoning",
    .hf_types = (const char *const[]){ "phi3", NULL }, .gguf_archs = (const char *const[]){ "phi3", NULL },
    .heads = (const char *const[]){ "Phi3ForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .norm_eps = 1e-5f, .context = 4096, .rope.theta = 10000,
                 .rope.original_context = 4096,
                 .rope_anew = true, .bos = 1, .eos = 32000, .pad = 32000 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
