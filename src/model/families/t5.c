/* T5 v1.0 and v1.1: encoder-decoder, distance buckets instead of positions, no scale on q k^T. Raffel et al. 2020. mT5 (Xue et
 * al. 2020) never scales its last state, umT5 (Chung et al. 2023) always, and there every layer has buckets of its own. */
#include <math.h>

#include "model/families/encoders.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    { "d_model", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_REQUIRED },
    { "num_layers", "block_count", CONFIG_INT, AT(n_encoder_layer), 1, 1024, CONFIG_REQUIRED },
    { "num_decoder_layers|num_layers", "decoder_block_count|block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_REQUIRED },
    { "num_heads", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_REQUIRED },
    { "d_kv", "attention.key_length", CONFIG_INT, AT(key_width), 1, 1024, CONFIG_REQUIRED },
    { "d_kv", "attention.value_length", CONFIG_INT, AT(value_width), 1, 1024, CONFIG_REQUIRED },
    { "d_ff", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_REQUIRED },
    { "layer_norm_epsilon", "attention.layer_norm_rms_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    { "relative_attention_num_buckets", "attention.relative_buckets_count", CONFIG_INT, AT(buckets), 4, 4096, CONFIG_GGUF_REQUIRED },
    { "relative_attention_max_distance", NULL, /* GGUF does not carry it: all published models have 128 */
       CONFIG_INT, AT(bucket_distance), 1, 1 << 16, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "is_encoder_decoder", NULL, "true" },
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "decoder.embed_tokens.weight|shared.weight|encoder.embed_tokens.weight", "token_embd.weight", 0 },
    { W_encoder_embed, "encoder.embed_tokens.weight|shared.weight", NULL, 0, AT(encoder_embed) },
    { W_encoder_norm, "encoder.final_layer_norm.weight", "enc.output_norm.weight", 0 },
    { W_norm, "decoder.final_layer_norm.weight", "dec.output_norm.weight", 0 },
    { W_head, "lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
};

static const struct weight_name encoder_weights[] = {
    { W_mixer_norm, "encoder.block.%d.layer.0.layer_norm.weight", "enc.blk.%d.attn_norm.weight", 0 },
    { W_attn_buckets, "encoder.block.%d.layer.0.SelfAttention.relative_attention_bias.weight", "enc.blk.%d.attn_rel_b.weight",
      WEIGHT_OPTIONAL },
    { W_attn_q, "encoder.block.%d.layer.0.SelfAttention.q.weight", "enc.blk.%d.attn_q.weight", 0 },
    { W_attn_k, "encoder.block.%d.layer.0.SelfAttention.k.weight", "enc.blk.%d.attn_k.weight", 0 },
    { W_attn_v, "encoder.block.%d.layer.0.SelfAttention.v.weight", "enc.blk.%d.attn_v.weight", 0 },
    { W_attn_out, "encoder.block.%d.layer.0.SelfAttention.o.weight", "enc.blk.%d.attn_o.weight", 0 },
    { W_ffn_norm, "encoder.block.%d.layer.1.layer_norm.weight", "enc.blk.%d.ffn_norm.weight", 0 },
    { W_ffn_gate, "encoder.block.%d.layer.1.DenseReluDense.wi_0.weight", "enc.blk.%d.ffn_gate.weight", WEIGHT_GATED },
    { W_ffn_up, "encoder.block.%d.layer.1.DenseReluDense.wi.weight|encoder.block.%d.layer.1.DenseReluDense.wi_1.weight",
      "enc.blk.%d.ffn_up.weight", 0 },
    { W_ffn_down, "encoder.block.%d.layer.1.DenseReluDense.wo.weight", "enc.blk.%d.ffn_down.weight", 0 },
};

static const struct weight_name layer_weights[] = {
    { W_mixer_norm, "decoder.block.%d.layer.0.layer_norm.weight", "dec.blk.%d.attn_norm.weight", 0 },
    { W_attn_buckets, "decoder.block.%d.layer.0.SelfAttention.relative_attention_bias.weight", "dec.blk.%d.attn_rel_b.weight",
      WEIGHT_OPTIONAL },
    { W_attn_q, "decoder.block.%d.layer.0.SelfAttention.q.weight", "dec.blk.%d.attn_q.weight", 0 },
    { W_attn_k, "decoder.block.%d.layer.0.SelfAttention.k.weight", "dec.blk.%d.attn_k.weight", 0 },
    { W_attn_v, "decoder.block.%d.layer.0.SelfAttention.v.weight", "dec.blk.%d.attn_v.weight", 0 },
    { W_attn_out, "decoder.block.%d.layer.0.SelfAttention.o.weight", "dec.blk.%d.attn_o.weight", 0 },
    { W_cross_norm, "decoder.block.%d.layer.1.layer_norm.weight", "dec.blk.%d.cross_attn_norm.weight", 0 },
    { W_cross_q, "decoder.block.%d.layer.1.EncDecAttention.q.weight", "dec.blk.%d.cross_attn_q.weight", 0 },
    { W_cross_k, "decoder.block.%d.layer.1.EncDecAttention.k.weight", "dec.blk.%d.cross_attn_k.weight", 0 },
    { W_cross_v, "decoder.block.%d.layer.1.EncDecAttention.v.weight", "dec.blk.%d.cross_attn_v.weight", 0 },
    { W_cross_out, "decoder.block.%d.layer.1.EncDecAttention.o.weight", "dec.blk.%d.cross_attn_o.weight", 0 },
    { W_ffn_norm, "decoder.block.%d.layer.2.layer_norm.weight", "dec.blk.%d.ffn_norm.weight", 0 },
    { W_ffn_gate, "decoder.block.%d.layer.2.DenseReluDense.wi_0.weight", "dec.blk.%d.ffn_gate.weight", WEIGHT_GATED },
    { W_ffn_up, "decoder.block.%d.layer.2.DenseReluDense.wi.weight|decoder.block.%d.layer.2.DenseReluDense.wi_1.weight",
      "dec.blk.%d.ffn_up.weight", 0 },
    { W_ffn_down, "decoder.block.%d.layer.2.DenseReluDense.wo.weight", "dec.blk.%d.ffn_down.weight", 0 },
};

static const struct weight_name encoder_model_weights[] = {
    { W_embed, "encoder.embed_tokens.weight|shared.weight", "token_embd.weight", 0 },
    { W_encoder_norm, "encoder.final_layer_norm.weight", "enc.output_norm.weight", 0 },
};

static const char *const harmless[] = { "shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight",
                                        "EncDecAttention.relative_attention_bias.weight", "cross_attn_rel_b", NULL };

/* feed_forward_proj is "relu" or "gated-gelu": activation, and whether a gate stands before it. */
static int read_projection(struct arch *a, const struct config *c, struct str name, struct hearth_error *err)
{
    const struct kv *kv = config_find(c, "feed_forward_proj", NULL);
    if (kv && kv->type == KV_STRING) name = kv->s;
    a->ffn = FFN_DENSE;
    if (str_starts(name, STR("gated-"))) {
        a->ffn = FFN_GATED;
        name = str_is(name, "gated-gelu") ? STR("gelu_new") : str_sub(name, 6, name.n); /* the reference's own exception */
    }
    const int act = activation_from_name(name);
    if (act < 0) return fail(err, HEARTH_E_UNSUPPORTED, "feed_forward_proj \"%.*s\" is not known", STR_ARG(name));
    a->act = (enum activation)act;
    return 0;
}

static int check(struct arch *a, const struct config *c, struct hearth_error *err)
{
    a->encoder_embed = a->n_layer && encoder_has_embed(c, "encoder.embed_tokens.weight|shared.weight",
                                                       "decoder.embed_tokens.weight|shared.weight");
    a->n_kv = a->n_head;
    if (a->bucket_distance <= a->buckets / 2)
        return fail(err, HEARTH_E_FORMAT, "relative_attention_max_distance %d is too small for %d buckets", a->bucket_distance, a->buckets);
    return 0;
}

static int finish_mt5(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = read_projection(a, c, STR("gated-gelu"), err);
    if (a->buckets_by_layer) a->head_scale = 1.0f / sqrtf((float)a->width); /* umT5's class ties and scales whatever the file says */
    return status ? status : check(a, c, err);
}

/* v1.1: GGUF names neither gate nor activation; its relatives all use GELU. */
static bool is_gated_gguf(struct arch *a, const struct config *c)
{
    if (!c->gguf || !container_tensor(c->c, "enc.blk.0.ffn_gate.weight")) return false;
    a->ffn = FFN_GATED;
    a->act = ACT_GELU_TANH;
    return true;
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool scaled;
    int status = read_projection(a, c, STR("relu"), err);
    /* the class takes an untied head as "not scaled"; newer files say it outright, and then tie all the same */
    if (!status) status = config_bool(c, "tie_word_embeddings", NULL, true, &scaled, err);
    if (!status) status = config_bool(c, "scale_decoder_outputs", NULL, scaled, &scaled, err);
    if (status) return status;
    if (is_gated_gguf(a, c)) scaled = false;
    if (c->gguf && container_tensor(c->c, "enc.blk.1.attn_rel_b.weight")) scaled = true; /* buckets by layer: it was an umT5 */
    if (scaled) a->head_scale = 1.0f / sqrtf((float)a->width);
    return check(a, c, err);
}

/* Only the encoder: it serves embeddings (sentence-t5, gtr-t5) and text encoders of picture models. */
static int finish_encoder(struct arch *a, const struct config *c, struct hearth_error *err)
{
    /* T5's class has no gate unless told so, those of mT5 and umT5 have one */
    const bool gated = !c->gguf && container_tensor(c->c, "encoder.block.0.layer.1.DenseReluDense.wi_0.weight");
    int status = read_projection(a, c, gated ? STR("gated-gelu") : STR("relu"), err);
    is_gated_gguf(a, c);
    a->n_layer = 0;
    a->head_scale = 0.0f;
    return status ? status : check(a, c, err);
}

#define INITIAL                                                                                                                    \
    .mixer = MIXER_ATTENTION, .ffn = FFN_DENSE, .act = ACT_RELU, .norm = NORM_RMS, .norm_eps = 1e-6f, .position = POSITION_BUCKETS, \
    .buckets = 32, .bucket_distance = 128, .attn_scale = 1.0f, .tied = true, .bos = -1, .eos = 1, .start = 0, .pad = 0

const struct family family_t5 = {
    .name = "t5", .models = "T5, Flan-T5, T5 v1.1, FastChat-T5, LaMini-Flan-T5, UL2, Flan-UL2, ByT5, CodeT5, CodeT5+ 220M/770M",
    .hf_types = (const char *const[]){ "t5", NULL }, .gguf_archs = (const char *const[]){ "t5", NULL },
    .heads = (const char *const[]){ "T5ForConditionalGeneration", "T5WithLMHeadModel", NULL },
    .initial = { INITIAL, .task = HEARTH_TASK_ENCODER_DECODER },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), ENCODER_WEIGHTS(encoder_weights),
    .harmless = harmless, .finish = finish,
};

const struct family family_mt5 = {
    .name = "mt5", .models = "mT5 small to XXL, mT0, summarisers and translators made from mT5",
    .hf_types = (const char *const[]){ "mt5", NULL }, .heads = (const char *const[]){ "MT5ForConditionalGeneration", NULL },
    .initial = { INITIAL, .task = HEARTH_TASK_ENCODER_DECODER },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), ENCODER_WEIGHTS(encoder_weights),
    .harmless = harmless, .finish = finish_mt5,
};

const struct family family_umt5 = {
    .name = "umt5", .models = "umT5 small to XXL, Pile-T5",
    .hf_types = (const char *const[]){ "umt5", NULL }, .heads = (const char *const[]){ "UMT5ForConditionalGeneration", NULL },
    .initial = { INITIAL, .task = HEARTH_TASK_ENCODER_DECODER, .buckets_by_layer = true },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), ENCODER_WEIGHTS(encoder_weights),
    .harmless = harmless, .finish = finish_mt5,
};

const struct family family_t5_encoder = {
    .name = "t5_encoder", .models = "sentence-t5, gtr-t5, instructor (all as T5EncoderModel); encoders of mT5 and umT5",
    .hf_types = (const char *const[]){ "t5", "mt5", "umt5", NULL }, .gguf_archs = (const char *const[]){ "t5encoder", NULL },
    .encoder_heads = (const struct family_head[]){
        { "T5EncoderModel", HEAD_NONE, NULL, NULL },
        { "MT5EncoderModel", HEAD_NONE, NULL, NULL },
        { "UMT5EncoderModel", HEAD_NONE, NULL, NULL },
        { NULL, HEAD_NONE, NULL, NULL } },
    .initial = { INITIAL, .task = HEARTH_TASK_ENCODER },
    .keys = keys, MODEL_WEIGHTS(encoder_model_weights), ENCODER_WEIGHTS(encoder_weights), .harmless = harmless, .finish = finish_encoder,
};
