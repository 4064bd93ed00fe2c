/* MiniCPM: the shape of LLaMA, scaled as by muP: embeddings, branches by depth, logits by width. Hu et al. 2024. */
#include <math.h>

#include "model/families/rows.h"

static const struct config_key keys[] = {
    SIZE_KEYS, HEAD_KEYS, RMS_KEYS, ACT_KEYS, ATTENTION_BIAS_KEYS,
    { "scale_emb", "embedding_scale", CONFIG_FLOAT, AT(embed_scale), 1e-9, 1e9, 0 },
    { NULL, "residual_scale", CONFIG_FLOAT, AT(residual_scale), 1e-9, 1e9, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    COMMON_GUARDS, { "num_experts", NULL, "0" }, { "kv_lora_rank", NULL, NULL }, { "sparse_config.kernel_size", NULL, NULL }, END_GUARDS,
};

static const struct weight_name model_weights[] = { MODEL_ROWS, LONGROPE_ROWS };
static const struct weight_name layer_weights[] = { PRE_NORM_ROWS, QKV_ROWS, OUT_ROWS, GATED_ROWS };

/* Logits are divided by width / dim_model_base. GGUF files before that had keys are of the 2B model: 12, 1.4, 256. */
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double depth, base, scale;
    int status = config_number(c, "scale_depth", NULL, c->gguf ? 1.4 : 1, &depth, err);
    if (!status) status = config_number(c, "dim_model_base", NULL, c->gguf ? 256 : 1, &base, err);
    if (status) return status;
    if (!(depth > 0 && depth < 1e6 && base > 0 && base < 1e6))
        return fail(err, HEARTH_E_FORMAT, "scale_depth %g or dim_model_base %g makes no sense", depth, base);
    status = config_number(c, NULL, "logit_scale", a->width / base, &scale, err);
    if (status) return status;
    if (!(scale > 0 && scale < 1e9)) return fail(err, HEARTH_E_FORMAT, "logit_scale %g makes no sense", scale);
    if (a->embed_scale == 0.0f) a->embed_scale = c->gguf ? 12 : 1;
    if (a->residual_scale == 0.0f) a->residual_scale = (float)(depth / sqrt(a->n_layer));
    a->head_scale = (float)(1.0 / scale);
    a->rope.interleaved = c->gguf;
    return rows_heads_and_rope(a, c, err);
}

const struct family family_minicpm = {
    .name = "minicpm", .models = "MiniCPM 1B and 2B, MiniCPM4",
    .hf_types = (const char *const[]){ "minicpm", NULL }, .gguf_archs = (const char *const[]){ "minicpm", NULL },
    .heads = (const char *const[]){ "MiniCPMForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .norm_eps = 1e-6f, .context = 2048, .rope.theta = 10000, .tied = true, .bos = 1,
                 .eos = 2, .pad = -1 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
