/* Mamba 2: state spaces with one decay for each head, in groups that share input and output maps. Dao & Gu 2024. */
#include <math.h>

#include "model/families/rows.h"

static const struct config_key keys[] = {
    MAMBA_KEYS,
    { "num_heads", "ssm.time_step_rank", CONFIG_INT, AT(n_head), 1, 1 << 16, CONFIG_GGUF_REQUIRED },
    { NULL, "ssm.inner_size", CONFIG_INT, AT(rnn_width), 1, 1 << 20, CONFIG_GGUF_REQUIRED },
    { "n_groups", "ssm.group_count", CONFIG_INT, AT(state_groups), 1, 4096, CONFIG_GGUF_REQUIRED },
    END_KEYS,
};

/* norm_before_gate, which Codestral's configuration sets, is read by no reference: all of them gate first. */
static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

/* Some files put the whole under "model.". */
#define HF(name) "backbone." name "|model.backbone." name
static const struct weight_name model_weights[] = {
    { W_embed, HF("embeddings.weight") "|" HF("embedding.weight"), "token_embd.weight", 0 },
    { W_norm, HF("norm_f.weight"), "output_norm.weight", 0 },
    { W_head, "lm_head.weight|model.lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
};

static const struct weight_name layer_weights[] = {
    { W_mixer_norm, HF("layers.%d.norm.weight"), "blk.%d.attn_norm.weight", 0 },
    { W_ssd_in, HF("layers.%d.mixer.in_proj.weight"), "blk.%d.ssm_in.weight", 0 },
    { W_ssd_in_bias, HF("layers.%d.mixer.in_proj.bias"), "blk.%d.ssm_in.bias", 0, AT(qkv_bias) },
    { W_ssd_conv, HF("layers.%d.mixer.conv1d.weight"), "blk.%d.ssm_conv1d.weight", 0 },
    { W_ssd_conv_bias, HF("layers.%d.mixer.conv1d.bias"), "blk.%d.ssm_conv1d.bias", 0, AT(out_bias) },
    { W_ssd_dt_bias, HF("layers.%d.mixer.dt_bias"), "blk.%d.ssm_dt.bias", 0 },
    { W_ssd_a, HF("layers.%d.mixer.A_log"), "blk.%d.ssm_a", 0 },
    { W_ssd_d, HF("layers.%d.mixer.D"), "blk.%d.ssm_d", 0 },
    { W_ssd_norm, HF("layers.%d.mixer.norm.weight"), "blk.%d.ssm_norm.weight", 0 },
    { W_mamba_out, HF("layers.%d.mixer.out_proj.weight"), "blk.%d.ssm_out.weight", 0 },
    { W_mamba_out_bias, HF("layers.%d.mixer.out_proj.bias"), "blk.%d.ssm_out.bias", 0, AT(qkv_bias) },
};

/* [least, most]; the upper one may be infinite, which some JSON writers express by an object. */
static int read_limits(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *kv = config_find(c, "time_step_limit", NULL);
    struct kv_iter it;
    struct kv x[2];
    a->dt_min = 0.0f;
    a->dt_max = INFINITY;
    if (!kv) return 0;
    bool good = kv->type == KV_ARRAY && kv->array.n == 2;
    if (good) kv_iterate(&it, c->c, kv);
    for (int i = 0; i < 2 && good; i++)
        good = kv_next(&it, &x[i]) && (x[i].type == KV_INT || x[i].type == KV_FLOAT || (i && x[i].type == KV_NULL));
    if (good) a->dt_min = (float)x[0].f;
    if (good && x[1].type != KV_NULL) a->dt_max = (float)x[1].f;
    if (!good || !(a->dt_min <= a->dt_max))
        return fail(err, HEARTH_E_FORMAT, "time_step_limit is not a pair of numbers, the smaller one first");
    return 0;
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double expand, head = 0;
    int status = config_number(c, "expand", NULL, 2, &expand, err);
    if (!status) status = config_number(c, "head_dim", NULL, 64, &head, err);
    if (!status) status = read_limits(a, c, err);
    if (status) return status;
    if (!c->gguf && expand >= 1 && expand <= 64) a->rnn_width = (int32_t)(expand * a->width);
    if (a->rnn_width < 1 || a->rnn_width > 1 << 20) return fail(err, HEARTH_E_FORMAT, "expand %g makes no sense", expand);
    if (a->rnn_width % a->n_head || (!c->gguf && head != a->rnn_width / a->n_head))
        return fail(err, HEARTH_E_FORMAT, "%d heads of %g do not make the inner width %d", a->n_head, head, a->rnn_width);
    if (a->n_head % a->state_groups || a->rnn_width % a->state_groups)
        return fail(err, HEARTH_E_FORMAT, "%d heads do not fall into %d groups", a->n_head, a->state_groups);
    if ((int64_t)a->state_groups * a->n_state > 1 << 20)
        return fail(err, HEARTH_E_FORMAT, "%d groups of %d states are too many", a->state_groups, a->n_state);
    if (c->gguf) a->decay = DECAY_LOG;
    if (c->gguf) a->out_bias = container_tensor(c->c, "blk.0.ssm_conv1d.bias") != NULL;
    if (c->gguf) a->qkv_bias = container_tensor(c->c, "blk.0.ssm_in.bias") != NULL;
    if (c->gguf) a->tied = true; /* GGUF says it by leaving the head out */
    return 0;
}

const struct family family_mamba2 = {
    .name = "mamba2", .models = "Mamba 2 130M to 2.7B, Mamba-Codestral 7B",
    .hf_types = (const char *const[]){ "mamba2", NULL }, .gguf_archs = (const char *const[]){ "mamba2", NULL },
    .heads = (const char *const[]){ "Mamba2ForCausalLM", NULL },
    .initial = { .task = HEARTH_TASK_LM, .mixer = MIXER_MAMBA2, .ffn = FFN_NONE, .act = ACT_SILU, .norm = NORM_RMS,
                 .norm_eps = 1e-5f, .n_head = 128, .n_state = 128, .state_groups = 8, .conv_kernel = 4, .out_bias = true,
                 .hidden_skip = 1, .bos = 0, .eos = 2, .start = -1, .pad = 1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish,
};
