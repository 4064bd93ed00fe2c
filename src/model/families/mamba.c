/* Mamba: selective state spaces instead of attention, no feed-forward part. Gu & Dao 2023. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    MAMBA_KEYS,
    { "intermediate_size", "ssm.inner_size", CONFIG_INT, AT(rnn_width), 1, 1 << 20, CONFIG_GGUF_REQUIRED },
    END_KEYS,
};

/* dt_b_c_rms: Falcon Mamba, which normalises dt, b and c. */
static const struct config_guard guards[] = {
    { NULL, "ssm.dt_b_c_rms", "false" },
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "backbone.embeddings.weight|backbone.embedding.weight", "token_embd.weight", 0 },
    { W_norm, "backbone.norm_f.weight", "output_norm.weight", 0 },
    { W_head, "lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
};

#define MIXER "backbone.layers.%d.mixer."
static const struct weight_name layer_weights[] = {
    { W_mixer_norm, "backbone.layers.%d.norm.weight", "blk.%d.attn_norm.weight", 0 },
    { W_mamba_in, MIXER "in_proj.weight", "blk.%d.ssm_in.weight", 0 },
    { W_mamba_in_bias, MIXER "in_proj.bias", "blk.%d.ssm_in.bias", 0, AT(qkv_bias) },
    { W_mamba_conv, MIXER "conv1d.weight", "blk.%d.ssm_conv1d.weight", 0 },
    { W_mamba_conv_bias, MIXER "conv1d.bias", "blk.%d.ssm_conv1d.bias", 0, AT(out_bias) },
    { W_mamba_x, MIXER "x_proj.weight", "blk.%d.ssm_x.weight", 0 },
    { W_mamba_dt, MIXER "dt_proj.weight", "blk.%d.ssm_dt.weight", 0 },
    { W_mamba_dt_bias, MIXER "dt_proj.bias", "blk.%d.ssm_dt.bias", 0 },
    { W_mamba_a_log, MIXER "A_log", "blk.%d.ssm_a", 0 },
    { W_mamba_d, MIXER "D", "blk.%d.ssm_d", 0 },
    { W_mamba_out, MIXER "out_proj.weight", "blk.%d.ssm_out.weight", 0 },
    { W_mamba_out_bias, MIXER "out_proj.bias", "blk.%d.ssm_out.bias", 0, AT(qkv_bias) },
};

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double expand, rank;
    const struct kv *kv = config_find(c, "time_step_rank", NULL);
    int status = config_number(c, "expand", NULL, 2, &expand, err);
    if (!status && kv && kv->type == KV_STRING && str_is(kv->s, "auto")) rank = (a->width + 15) / 16;
    else if (!status) status = config_number(c, "time_step_rank", NULL, (a->width + 15) / 16, &rank, err);
    if (!status && c->gguf) status = config_number(c, NULL, "ssm.time_step_rank", rank, &rank, err);
    if (status) return status;
    if (!a->rnn_width && expand >= 1 && expand <= 64) a->rnn_width = (int32_t)(expand * a->width);
    if (!a->rnn_width || !(rank >= 1 && rank <= 1 << 16))
        return fail(err, HEARTH_E_FORMAT, "expand %g or time_step_rank %g makes no sense", expand, rank);
    a->dt_rank = (int32_t)rank;
    if (!c->gguf) return 0;
    a->decay = DECAY_LOG; /* -exp(A_log) */
    a->qkv_bias = container_tensor(c->c, "blk.0.ssm_in.bias") != NULL;
    a->out_bias = container_tensor(c->c, "blk.0.ssm_conv1d.bias") != NULL;
    return 0;
}

const struct family family_mamba = {
    .name = "mamba", .models = "Mamba 130M to 2.8B",
    .hf_types = (const char *const[]){ "mamba", NULL }, .gguf_archs = (const char *const[]){ "mamba", NULL },
    .heads = (const char *const[]){ "MambaForCausalLM", NULL },
    .initial = { .task = HEARTH_TASK_LM, .mixer = MIXER_MAMBA, .ffn = FFN_NONE, .act = ACT_SILU, .norm = NORM_RMS,
                 .norm_eps = 1e-5f, .n_state = 16, .conv_kernel = 4, .out_bias = true, .tied = true, .hidden_skip = 1,
                 .bos = 0, .eos = 0, .start = -1, .pad = 0 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish,
};
