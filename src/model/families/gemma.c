/* Gemma: embeddings scaled by the root of their width, norms stored less 1. Gemma 2: norms after the branches too, soft caps,
 * windows in every second layer. Gemma 3: norms of queries and keys instead of caps, windows in five of six layers, which turn
 * by a rope of their own; larger ones lie in a folder beside a vision tower, which is left out. Gemma Team 2024, 2025. */
#include <math.h>

#include "model/families/rows.h"

static const struct config_key gemma_keys[] = { SIZE_KEYS, HEAD_KEYS, RMS_KEYS, ATTENTION_BIAS_KEYS, END_KEYS };

static const struct config_key gemma2_keys[] = {
    SIZE_KEYS, HEAD_KEYS, RMS_KEYS, ATTENTION_BIAS_KEYS,
    { "hidden_activation", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "sliding_window", "attention.sliding_window", CONFIG_INT, AT(window), 1, 1 << 28, 0 },
    { "attn_logit_softcapping", "attn_logit_softcapping", CONFIG_FLOAT, AT(attn_softcap), 1e-9, 1e9, 0 },
    { "final_logit_softcapping", "final_logit_softcapping", CONFIG_FLOAT, AT(head_softcap), 1e-9, 1e9, 0 },
    END_KEYS,
};

/* Folders of pictures and text leave out what the class has as its default. */
static const struct config_key gemma3_keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, 0 },
    DEFAULT_SIZE_KEYS, HEAD_KEYS, RMS_KEYS, ATTENTION_BIAS_KEYS,
    { "num_key_value_heads", "attention.head_count_kv", CONFIG_INT, AT(n_kv), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "hidden_activation", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "sliding_window", "attention.sliding_window", CONFIG_INT, AT(window), 1, 1 << 28, 0 },
    { "final_logit_softcapping", "final_logit_softcapping", CONFIG_FLOAT, AT(head_softcap), 1e-9, 1e9, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, { "use_bidirectional_attention", NULL, "false" }, END_GUARDS };

#define PLUS_ONE WEIGHT_PLUS_ONE

/* In folders with a vision tower the text model has a prefix: "language_model.model." first, then "model.language_model.". */
#define TEXT(name)       "model." name "|language_model.model." name "|model.language_model." name
#define TEXT_LAYER(name) TEXT("layers.%d." name)

static const struct weight_name model_weights[] = {
    { W_embed, TEXT("embed_tokens.weight"), "token_embd.weight", 0 },
    { W_norm, TEXT("norm.weight"), "output_norm.weight", PLUS_ONE },
    { W_head, "lm_head.weight|language_model.lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
};

#define BRANCH_ROWS                                                                                                    \
    { W_mixer_norm, TEXT_LAYER("input_layernorm.weight"), "blk.%d.attn_norm.weight", PLUS_ONE },                       \
    { W_attn_q, TEXT_LAYER("self_attn.q_proj.weight"), "blk.%d.attn_q.weight", 0 },                                    \
    { W_attn_q_bias, TEXT_LAYER("self_attn.q_proj.bias"), "blk.%d.attn_q.bias", 0, AT(qkv_bias) },                     \
    { W_attn_k, TEXT_LAYER("self_attn.k_proj.weight"), "blk.%d.attn_k.weight", 0 },                                    \
    { W_attn_k_bias, TEXT_LAYER("self_attn.k_proj.bias"), "blk.%d.attn_k.bias", 0, AT(qkv_bias) },                     \
    { W_attn_v, TEXT_LAYER("self_attn.v_proj.weight"), "blk.%d.attn_v.weight", 0 },                                    \
    { W_attn_v_bias, TEXT_LAYER("self_attn.v_proj.bias"), "blk.%d.attn_v.bias", 0, AT(qkv_bias) },                     \
    { W_attn_q_norm, TEXT_LAYER("self_attn.q_norm.weight"), "blk.%d.attn_q_norm.weight", PLUS_ONE | WEIGHT_QK_NORM },  \
    { W_attn_k_norm, TEXT_LAYER("self_attn.k_norm.weight"), "blk.%d.attn_k_norm.weight", PLUS_ONE | WEIGHT_QK_NORM },  \
    { W_attn_out, TEXT_LAYER("self_attn.o_proj.weight"), "blk.%d.attn_output.weight", 0 },                             \
    { W_attn_out_bias, TEXT_LAYER("self_attn.o_proj.bias"), "blk.%d.attn_output.bias", 0, AT(out_bias) },              \
    { W_ffn_gate, TEXT_LAYER("mlp.gate_proj.weight"), "blk.%d.ffn_gate.weight", 0 },                                   \
    { W_ffn_up, TEXT_LAYER("mlp.up_proj.weight"), "blk.%d.ffn_up.weight", 0 },                                         \
    { W_ffn_down, TEXT_LAYER("mlp.down_proj.weight"), "blk.%d.ffn_down.weight", 0 }

static const struct weight_name gemma_layers[] = {
    BRANCH_ROWS,
    { W_ffn_norm, TEXT_LAYER("post_attention_layernorm.weight"), "blk.%d.ffn_norm.weight", PLUS_ONE },
};

static const struct weight_name gemma2_layers[] = {
    BRANCH_ROWS,
    { W_mixer_post_norm, TEXT_LAYER("post_attention_layernorm.weight"), "blk.%d.post_attention_norm.weight", PLUS_ONE },
    { W_ffn_norm, TEXT_LAYER("pre_feedforward_layernorm.weight"), "blk.%d.ffn_norm.weight", PLUS_ONE },
    { W_ffn_post_norm, TEXT_LAYER("post_feedforward_layernorm.weight"), "blk.%d.post_ffw_norm.weight", PLUS_ONE },
};

static const char *const harmless[] = { "rotary_emb.inv_freq", "vision_tower.", "multi_modal_projector.", NULL };

static int finish_shape(struct arch *a, const struct config *c, struct hearth_error *err)
{
    a->embed_scale = sqrtf((float)a->width);
    return rows_heads_and_rope(a, c, err);
}

/* Hub files of the first Gemma say "gelu" and mean its approximation. */
static int finish_gemma(struct arch *a, const struct config *c, struct hearth_error *err)
{
    static const struct config_key act[] = { ACT_KEYS, END_KEYS };
    const struct kv *name = config_find(c, "hidden_act", NULL);
    int status = config_read(c, act, a, err);
    if (name && name->type == KV_STRING && str_is(name->s, "gelu")) a->act = ACT_GELU_TANH; /* "gelu_python" means itself */
    if (!a->n_kv && !c->gguf) a->n_kv = 16;
    return status ? status : finish_shape(a, c, err);
}

/* GGUF lacks query_pre_attn_scalar. It is the width of a head in all published models but the two largest, known by their
 * shape. */
static double query_scalar(const struct arch *a, const struct config *c, double initial)
{
    static const struct { int32_t n_layer, width, n_head, scalar; } exceptions[] = {
        { 46, 4608, 32, 144 }, /* Gemma 2 27B */
        { 62, 5376, 32, 168 }, /* Gemma 3 27B */
    };
    if (!c->gguf) return initial;
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (a->n_layer == exceptions[i].n_layer && a->width == exceptions[i].width && a->n_head == exceptions[i].n_head)
            return exceptions[i].scalar;
    return a->key_width;
}

static int finish_scale(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double scalar;
    int status = config_number(c, "query_pre_attn_scalar", NULL, query_scalar(a, c, 256), &scalar, err);
    if (status) return status;
    if (!(scalar > 0 && scalar < 1e9)) return fail(err, HEARTH_E_FORMAT, "query_pre_attn_scalar %g makes no sense", scalar);
    a->attn_scale = (float)(1.0 / sqrt(scalar));
    return 0;
}

static int finish_gemma2(struct arch *a, const struct config *c, struct hearth_error *err)
{
    static const struct { const char *key; size_t field; } caps[] = {
        { "attn_logit_softcapping", AT(attn_softcap) }, { "final_logit_softcapping", AT(head_softcap) },
    };
    for (int i = 0; i < 2; i++) { /* absent means the class's number, null none */
        const struct kv *kv = container_kv(c->c, caps[i].key);
        if (kv && kv->type == KV_NULL) *(float *)((char *)a + caps[i].field) = 0;
    }
    if (!a->n_kv && !c->gguf) a->n_kv = 4;
    int status = finish_shape(a, c, err);
    if (!status) status = finish_scale(a, c, err);
    return status ? status : config_layer_types(c, a, 2, 1, err);
}

/* Of a model of pictures and text the whole says whether the head is the embeddings, not its text part, and never caps logits. */
static void read_head(struct arch *a, const struct config *c)
{
    const struct kv *type = container_kv(c->c, "model_type"), *tie = container_kv(c->c, "tie_word_embeddings");
    if (!type || type->type != KV_STRING || !str_is(type->s, "gemma3")) return;
    a->tied = !tie || tie->type != KV_BOOL || tie->b;
    a->head_softcap = 0;
}

static int finish_gemma3(struct arch *a, const struct config *c, struct hearth_error *err)
{
    read_head(a, c);
    if (c->gguf && !config_find(c, NULL, "attention.sliding_window")) a->window = 0;
    int status = finish_shape(a, c, err);
    if (!status) status = finish_scale(a, c, err);
    if (!status) status = config_layer_types(c, a, 6, 5, err);
    return status ? status : config_local_rope(c, a, "rope_local_base_freq|rope.freq_base_swa", 10000, err);
}

#define GEMMA_AXES DECODER_AXES, .act = ACT_GELU_TANH, .norm_eps = 1e-6f, .tied = true, .key_width = 256, .value_width = 256, \
                   .bos = 2, .eos = 1, .pad = 0

const struct family family_gemma = {
    .name = "gemma", .models = "Gemma 2B and 7B, Gemma 1.1, CodeGemma, Zephyr 7B Gemma",
    .hf_types = (const char *const[]){ "gemma", NULL }, .gguf_archs = (const char *const[]){ "gemma", NULL },
    .heads = (const char *const[]){ "GemmaForCausalLM", NULL },
    .initial = { GEMMA_AXES, .context = 8192, .rope.theta = 10000 },
    .keys = gemma_keys, .guards = guards, .harmless = harmless, .finish = finish_gemma,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(gemma_layers),
};

const struct family family_gemma2 = {
    .name = "gemma2", .models = "Gemma 2 2B, 9B, 27B, SPPO and SimPO on Gemma 2",
    .hf_types = (const char *const[]){ "gemma2", NULL }, .gguf_archs = (const char *const[]){ "gemma2", NULL },
    .heads = (const char *const[]){ "Gemma2ForCausalLM", NULL },
    .initial = { GEMMA_AXES, .context = 8192, .rope.theta = 10000, .window = 4096, .attn_softcap = 50, .head_softcap = 30 },
    .keys = gemma2_keys, .guards = guards, .harmless = harmless, .finish = finish_gemma2,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(gemma2_layers),
};

const struct family family_gemma3 = {
    .name = "gemma3", .models = "Gemma 3 270M, 1B, 4B, 12B, 27B (their text part), MedGemma (text part)",
    .hf_types = (const char *const[]){ "gemma3_text", "gemma3", NULL }, .gguf_archs = (const char *const[]){ "gemma3", NULL },
    .heads = (const char *const[]){ "Gemma3ForCausalLM", "Gemma3ForConditionalGeneration", NULL }, .nested = "text_config",
    .initial = { GEMMA_AXES, .n_vocab = 262208, .width = 2304, .ff_width = 9216, .n_layer = 26, .n_head = 8, .n_kv = 4,
                 .context = 131072,
                 .rope.theta = 1000000, .window = 4096, .qk_norm = QK_NORM_HEAD },
    .keys = gemma3_keys, .guards = guards, .harmless = harmless, .finish = finish_gemma3,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(gemma2_layers),
};
