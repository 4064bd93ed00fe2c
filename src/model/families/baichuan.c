/* Baichuan: LLaMA with queries, keys and values in one tensor. 13B has ALiBi in place of a rope, Baichuan 2 a head whose rows
 * count as if their length were 1. Neither is a key: the first is known by the absence of max_position_embeddings, and in GGUF
 * by the shape of the one such model, the second by its vocabulary. Baichuan Inc. 2023. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    BODY_KEYS,
    { "intermediate_size", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_REQUIRED },
    { "max_position_embeddings|model_max_length", "context_length", CONFIG_INT, AT(context), 1, 1 << 28, CONFIG_GGUF_REQUIRED },
    TIED_KEYS, RMS_KEYS, ACT_KEYS, END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, END_GUARDS };

static const struct weight_name model_weights[] = { MODEL_ROWS };

static const struct weight_name layer_weights[] = {
    PRE_NORM_ROWS,
    FUSED_QKV(LAYER "self_attn.W_pack.weight", NULL, 0),
    { W_attn_q, NULL, "blk.%d.attn_q.weight", 0 },
    { W_attn_k, NULL, "blk.%d.attn_k.weight", 0 },
    { W_attn_v, NULL, "blk.%d.attn_v.weight", 0 },
    OUT_ROWS, GATED_ROWS,
};

#define BAICHUAN2_VOCABULARY 125696

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const bool is_13b = a->n_layer == 40 && a->width == 5120 && a->n_head == 40;
    if (c->gguf ? is_13b : !config_find(c, "max_position_embeddings", NULL)) a->position = POSITION_ALIBI;
    a->head_unit = a->n_vocab == BAICHUAN2_VOCABULARY;
    a->rope.interleaved = c->gguf;
    return a->position == POSITION_ALIBI ? rows_heads(a, c, err) : rows_heads_and_rope(a, c, err);
}

const struct family family_baichuan = {
    .name = "baichuan", .models = "Baichuan 7B and 13B, Baichuan 2 7B and 13B",
    .hf_types = (const char *const[]){ "baichuan", NULL }, .gguf_archs = (const char *const[]){ "baichuan", NULL },
    .heads = (const char *const[]){ "BaichuanForCausalLM", "BaiChuanForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .norm_eps = 1e-6f, .context = 4096, .rope.theta = 10000, .bos = 1, .eos = 2,
                 .pad = 0 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
