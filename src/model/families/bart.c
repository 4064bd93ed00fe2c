/* BART and the translators and summarisers of its shape: encoder-decoders with biases everywhere. They differ in where layers
 * are normalised, in a norm after the embeddings and one at the end, and in the kind of positions. Lewis et al. 2019 (BART),
 * Liu et al. 2020 (mBART), Fan et al. 2020 and NLLB team 2022 (M2M-100, NLLB), Zhang et al. 2019 (Pegasus), Junczys-Dowmunt et
 * al. 2018 (Marian), Roller et al. 2020 (BlenderBot). */
#include <math.h>

#include "model/families/encoders.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    { "d_model|hidden_size", NULL, CONFIG_INT, AT(width), 2, 1 << 20, 0 },
    { "encoder_layers|num_hidden_layers", NULL, CONFIG_INT, AT(n_encoder_layer), 1, 1024, 0 },
    { "decoder_layers", NULL, CONFIG_INT, AT(n_layer), 1, 1024, 0 },
    { "encoder_attention_heads|num_attention_heads", NULL, CONFIG_INT, AT(encoder_heads), 1, 4096, 0 },
    { "decoder_attention_heads", NULL, CONFIG_INT, AT(n_head), 1, 4096, 0 },
    { "encoder_ffn_dim", NULL, CONFIG_INT, AT(encoder_ff_width), 1, 1 << 22, 0 },
    { "decoder_ffn_dim", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    { "max_position_embeddings", NULL, CONFIG_INT, AT(context), 1, 1 << 24, 0 },
    { "activation_function", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "is_encoder_decoder", NULL, "true" },
    { "is_decoder", NULL, "false" },
    { "share_encoder_decoder_embeddings", NULL, "true" },
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

#define EMBEDDINGS                                                                                                                 \
    { W_embed, "model.decoder.embed_tokens.weight|model.shared.weight|model.encoder.embed_tokens.weight", NULL, 0 },               \
    { W_encoder_embed, "model.encoder.embed_tokens.weight|model.shared.weight", NULL, 0, AT(encoder_embed) },                      \
    { W_head, "lm_head.weight", NULL, WEIGHT_OPTIONAL },                                                                           \
    { W_head_bias, "final_logits_bias", NULL, WEIGHT_OPTIONAL }
#define POSITIONS(flags)                                                                                                           \
    { W_position, "model.decoder.embed_positions.weight", NULL, flags },                                                           \
    { W_encoder_position, "model.encoder.embed_positions.weight", NULL, flags }
#define EMBED_NORMS                                                                                                                \
    { W_embed_norm, "model.decoder.layernorm_embedding.weight", NULL, 0 },                                                         \
    { W_embed_norm_bias, "model.decoder.layernorm_embedding.bias", NULL, 0 },                                                      \
    { W_encoder_embed_norm, "model.encoder.layernorm_embedding.weight", NULL, 0 },                                                 \
    { W_encoder_embed_norm_bias, "model.encoder.layernorm_embedding.bias", NULL, 0 }
#define LAST_NORMS                                                                                                                 \
    { W_norm, "model.decoder.layer_norm.weight", NULL, 0 },                                                                        \
    { W_norm_bias, "model.decoder.layer_norm.bias", NULL, 0 },                                                                     \
    { W_encoder_norm, "model.encoder.layer_norm.weight", NULL, 0 },                                                                \
    { W_encoder_norm_bias, "model.encoder.layer_norm.bias", NULL, 0 }

static const struct weight_name bart_weights[] = { EMBEDDINGS, POSITIONS(0), EMBED_NORMS };
static const struct weight_name mbart_weights[] = { EMBEDDINGS, POSITIONS(0), EMBED_NORMS, LAST_NORMS };
static const struct weight_name blenderbot_weights[] = { EMBEDDINGS, POSITIONS(0), LAST_NORMS };
static const struct weight_name m2m_weights[] = { EMBEDDINGS, LAST_NORMS };
static const struct weight_name pegasus_weights[] = { EMBEDDINGS, POSITIONS(WEIGHT_OPTIONAL), LAST_NORMS };
static const struct weight_name marian_weights[] = { EMBEDDINGS, POSITIONS(WEIGHT_OPTIONAL) };

#define LAYER(p)                                                                                                                   \
    { W_mixer_norm, p "self_attn_layer_norm.weight", NULL, 0 },                                                                    \
    { W_mixer_norm_bias, p "self_attn_layer_norm.bias", NULL, 0 },                                                                 \
    { W_attn_q, p "self_attn.q_proj.weight", NULL, 0 },                                                                            \
    { W_attn_q_bias, p "self_attn.q_proj.bias", NULL, 0 },                                                                         \
    { W_attn_k, p "self_attn.k_proj.weight", NULL, 0 },                                                                            \
    { W_attn_k_bias, p "self_attn.k_proj.bias", NULL, 0 },                                                                         \
    { W_attn_v, p "self_attn.v_proj.weight", NULL, 0 },                                                                            \
    { W_attn_v_bias, p "self_attn.v_proj.bias", NULL, 0 },                                                                         \
    { W_attn_out, p "self_attn.out_proj.weight", NULL, 0 },                                                                        \
    { W_attn_out_bias, p "self_attn.out_proj.bias", NULL, 0 },                                                                     \
    { W_ffn_norm, p "final_layer_norm.weight", NULL, 0 },                                                                          \
    { W_ffn_norm_bias, p "final_layer_norm.bias", NULL, 0 },                                                                       \
    { W_ffn_up, p "fc1.weight", NULL, 0 },                                                                                         \
    { W_ffn_up_bias, p "fc1.bias", NULL, 0 },                                                                                      \
    { W_ffn_down, p "fc2.weight", NULL, 0 },                                                                                       \
    { W_ffn_down_bias, p "fc2.bias", NULL, 0 }

static const struct weight_name encoder_weights[] = { LAYER("model.encoder.layers.%d.") };

#define CROSS "model.decoder.layers.%d.encoder_attn"
static const struct weight_name layer_weights[] = {
    LAYER("model.decoder.layers.%d."),
    { W_cross_norm, CROSS "_layer_norm.weight", NULL, 0 },
    { W_cross_norm_bias, CROSS "_layer_norm.bias", NULL, 0 },
    { W_cross_q, CROSS ".q_proj.weight", NULL, 0 },
    { W_cross_q_bias, CROSS ".q_proj.bias", NULL, 0 },
    { W_cross_k, CROSS ".k_proj.weight", NULL, 0 },
    { W_cross_k_bias, CROSS ".k_proj.bias", NULL, 0 },
    { W_cross_v, CROSS ".v_proj.weight", NULL, 0 },
    { W_cross_v_bias, CROSS ".v_proj.bias", NULL, 0 },
    { W_cross_out, CROSS ".out_proj.weight", NULL, 0 },
    { W_cross_out_bias, CROSS ".out_proj.bias", NULL, 0 },
};

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool scaled;
    double vocabulary;
    int status = config_bool(c, "scale_embedding", NULL, a->embed_scale != 0.0f, &scaled, err);
    if (!status) status = config_number(c, "decoder_vocab_size", NULL, a->n_vocab, &vocabulary, err);
    if (status) return status;
    if (vocabulary != a->n_vocab)
        return fail(err, HEARTH_E_UNSUPPORTED, "vocabularies of %d and %g tokens for source and target are not supported yet",
                    a->n_vocab, vocabulary);
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
#define EITHER(half) "model." half ".embed_tokens.weight|" half ".embed_tokens.weight|model.shared.weight|shared.weight"
    a->encoder_embed = encoder_has_embed(c, EITHER("encoder"), EITHER("decoder"));
#undef EITHER
    a->embed_scale = scaled ? (float)sqrt(a->width) : 0.0f;
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    return 0;
}

/* What the classes default to, but for their sizes. */
#define INITIAL                                                                                                                    \
    .task = HEARTH_TASK_ENCODER_DECODER, .mixer = MIXER_ATTENTION, .ffn = FFN_DENSE, .norm = NORM_LAYER, .norm_eps = 1e-5f, .tied = true

#define SIZES(vocab, layers, ff, heads, d)                                                                                         \
    .n_vocab = vocab, .n_layer = layers, .n_encoder_layer = layers, .ff_width = ff, .encoder_ff_width = ff, .n_head = heads,       \
    .encoder_heads = heads, .width = d

#define SHARED                                                                                                                     \
    .keys = keys, .guards = guards, LAYER_WEIGHTS(layer_weights), ENCODER_WEIGHTS(encoder_weights),                                \
    .prefix = "model.", .finish = finish,                                                                                          \
    .harmless = (const char *const[]){ "shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight",              \
                                       "embed_positions.weights", "encoder.version", "decoder.version", NULL }

const struct family family_bart = {
    .name = "bart", .models = "BART base and large, bart-large-cnn, bart-large-xsum, DistilBART, KoBART summarisers",
    .hf_types = (const char *const[]){ "bart", NULL }, .heads = (const char *const[]){ "BartForConditionalGeneration", NULL },
    .initial = { INITIAL, SIZES(50265, 12, 4096, 16, 1024), .act = ACT_GELU, .residual = RESIDUAL_POST, .position = POSITION_LEARNED,
                 .position_offset = 2, .context = 1024, .bos = 0, .eos = 2, .start = 2, .pad = 1 },
    SHARED, MODEL_WEIGHTS(bart_weights),
};

const struct family family_mbart = {
    .name = "mbart", .models = "mBART-50 (translators), mBART large",
    .hf_types = (const char *const[]){ "mbart", NULL }, .heads = (const char *const[]){ "MBartForConditionalGeneration", NULL },
    .initial = { INITIAL, SIZES(50265, 12, 4096, 16, 1024), .act = ACT_GELU, .residual = RESIDUAL_PRE, .position = POSITION_LEARNED,
                 .position_offset = 2, .context = 1024, .bos = 0, .eos = 2, .start = -1, .pad = 1 },
    SHARED, MODEL_WEIGHTS(mbart_weights),
};

const struct family family_m2m_100 = {
    .name = "m2m_100", .models = "M2M-100 418M and 1.2B, NLLB-200 (distilled 600M and 1.3B, 1.3B, 3.3B)",
    .hf_types = (const char *const[]){ "m2m_100", NULL }, .heads = (const char *const[]){ "M2M100ForConditionalGeneration", NULL },
    .initial = { INITIAL, SIZES(128112, 12, 4096, 16, 1024), .act = ACT_RELU, .residual = RESIDUAL_PRE, .position = POSITION_WAVES,
                 .pad_positions = true, .embed_scale = 1, .context = 1024, .bos = 0, .eos = 2, .start = 2, .pad = 1 },
    SHARED, MODEL_WEIGHTS(m2m_weights),
};

const struct family family_pegasus = {
    .name = "pegasus", .models = "Pegasus (xsum, cnn_dailymail, large), pegasus-paraphrase",
    .hf_types = (const char *const[]){ "pegasus", NULL }, .heads = (const char *const[]){ "PegasusForConditionalGeneration", NULL },
    .initial = { INITIAL, SIZES(50265, 12, 4096, 16, 1024), .act = ACT_GELU, .residual = RESIDUAL_PRE, .position = POSITION_LEARNED,
                 .wave_table = true, .context = 1024, .bos = -1, .eos = 1, .start = 0, .pad = 0 },
    SHARED, MODEL_WEIGHTS(pegasus_weights),
};

const struct family family_marian = {
    .name = "marian", .models = "OPUS-MT translators (opus-mt-en-de and some thousand pairs)",
    .hf_types = (const char *const[]){ "marian", NULL }, .heads = (const char *const[]){ "MarianMTModel", NULL },
    .initial = { INITIAL, SIZES(58101, 12, 4096, 16, 1024), .act = ACT_GELU, .residual = RESIDUAL_POST, .position = POSITION_LEARNED,
                 .wave_table = true, .context = 1024, .bos = -1, .eos = 0, .start = 58100, .pad = 58100 },
    SHARED, MODEL_WEIGHTS(marian_weights),
};

const struct family family_blenderbot = {
    .name = "blenderbot", .models = "BlenderBot 400M-distill, 1B-distill, 3B",
    .hf_types = (const char *const[]){ "blenderbot", NULL }, .heads = (const char *const[]){ "BlenderbotForConditionalGeneration", NULL },
    .initial = { INITIAL, SIZES(8008, 2, 10240, 32, 2560), .act = ACT_GELU, .residual = RESIDUAL_PRE, .position = POSITION_LEARNED,
                 .context = 128, .bos = 1, .eos = 2, .start = 1, .pad = 0 },
    SHARED, MODEL_WEIGHTS(blenderbot_weights),
};
