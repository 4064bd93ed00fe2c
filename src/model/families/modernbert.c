/* ModernBERT: rotary positions of two kinds, every third layer sees everything and the others a window, gated feed-forward part,
 * norms without biases before each branch (none before the first). Warner et al. 2024. */
#include "model/families/encoders.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    { "hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_GGUF_REQUIRED },
    { "num_hidden_layers", "block_count", CONFIG_INT, AT(n_encoder_layer), 1, 1024, CONFIG_GGUF_REQUIRED },
    { "num_attention_heads", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "intermediate_size", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_GGUF_REQUIRED },
    { "max_position_embeddings", "context_length", CONFIG_INT, AT(context), 1, 1 << 24, CONFIG_GGUF_REQUIRED },
    { "local_attention", "attention.sliding_window", CONFIG_INT, AT(window), 1, 1 << 24, CONFIG_GGUF_REQUIRED },
    { "hidden_activation", "hidden_activation", CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "classifier_activation", NULL, CONFIG_ACTIVATION, AT(head_act), 0, 0, 0 },
    { "norm_eps", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    { "norm_bias", NULL, CONFIG_BOOL, AT(norm_bias), 0, 0, 0 },
    { "attention_bias", NULL, CONFIG_BOOL, AT(qkv_bias), 0, 0, 0 },
    { "mlp_bias", NULL, CONFIG_BOOL, AT(ffn_bias), 0, 0, 0 },
    { "decoder_bias", NULL, CONFIG_BOOL, AT(head_bias), 0, 0, 0 },
    { "classifier_bias", NULL, CONFIG_BOOL, AT(out_bias), 0, 0, 0 },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "rope_scaling.rope_type", NULL, "default" }, /* would hold for both kinds of layers */
    { "rope_scaling.type", NULL, "default" },
    { NULL, "attention.causal", "false" },
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

#define DENSE (1u << HEAD_MASKED | 1u << HEAD_FIRST_NORM | 1u << HEAD_MEAN_NORM | 1u << HEAD_ROWS_NORM)
#define LABEL (1u << HEAD_FIRST_NORM | 1u << HEAD_MEAN_NORM | 1u << HEAD_ROWS_NORM)

static const struct weight_name model_weights[] = {
    { W_embed, "model.embeddings.tok_embeddings.weight", "token_embd.weight", 0 },
    { W_embed_norm, "model.embeddings.norm.weight", "token_embd_norm.weight", 0 },
    { W_embed_norm_bias, "model.embeddings.norm.bias", NULL, 0, AT(norm_bias) },
    { W_encoder_norm, "model.final_norm.weight", "output_norm.weight", 0 },
    { W_encoder_norm_bias, "model.final_norm.bias", NULL, 0, AT(norm_bias) },
    { W_head_dense, "head.dense.weight", "cls.weight", 0, .heads = DENSE },
    { W_head_dense_bias, "head.dense.bias", NULL, 0, AT(out_bias), .heads = DENSE },
    { W_head_norm, "head.norm.weight", "cls.norm.weight", 0, .heads = DENSE },
    { W_head_norm_bias, "head.norm.bias", NULL, 0, AT(norm_bias), .heads = DENSE },
    { W_head, "decoder.weight", NULL, WEIGHT_OPTIONAL, .heads = 1u << HEAD_MASKED },
    { W_head_bias, "decoder.bias", NULL, 0, AT(head_bias), .heads = 1u << HEAD_MASKED },
    { W_classifier, "classifier.weight", "cls.output.weight", 0, .heads = LABEL },
    { W_classifier_bias, "classifier.bias", "cls.output.bias", 0, .heads = LABEL },
};

#define LAYER "model.layers.%d."
static const struct weight_name encoder_weights[] = {
    { W_mixer_norm, LAYER "attn_norm.weight", "blk.%d.attn_norm.weight", WEIGHT_OPTIONAL }, /* the first layer has none */
    { W_mixer_norm_bias, LAYER "attn_norm.bias", NULL, WEIGHT_OPTIONAL, AT(norm_bias) },
    FUSED_QKV(LAYER "attn.Wqkv.weight", "blk.%d.attn_qkv.weight", 0),
    FUSED_QKV_BIAS(LAYER "attn.Wqkv.bias", NULL, 0, AT(qkv_bias)),
    { W_attn_out, LAYER "attn.Wo.weight", "blk.%d.attn_output.weight", 0 },
    { W_attn_out_bias, LAYER "attn.Wo.bias", NULL, 0, AT(qkv_bias) },
    { W_ffn_norm, LAYER "mlp_norm.weight", "blk.%d.ffn_norm.weight", 0 },
    { W_ffn_norm_bias, LAYER "mlp_norm.bias", NULL, 0, AT(norm_bias) },
    { W_ffn_gate, LAYER "mlp.Wi.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_up, LAYER "mlp.Wi.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_gate_bias, LAYER "mlp.Wi.bias", NULL, 0, AT(ffn_bias) },
    { W_ffn_up_bias, LAYER "mlp.Wi.bias", NULL, 0, AT(ffn_bias) },
    { W_ffn_down, LAYER "mlp.Wo.weight", "blk.%d.ffn_down.weight", 0 },
    { W_ffn_down_bias, LAYER "mlp.Wo.bias", NULL, 0, AT(ffn_bias) },
};

/* The classifier looks at the first row or at the mean of all; GGUF: 2 and 1, and its readers take the mean when it is silent. */
static int read_pooling(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *kv = config_find(c, "classifier_pooling", "classifier.pooling_type");
    const bool number = kv && kv->type == KV_INT, word = kv && kv->type == KV_STRING;
    if (a->head != HEAD_FIRST_NORM) return 0;
    if ((!kv && c->gguf) || (number && kv->i == 1) || (word && str_is(kv->s, "mean"))) a->head = HEAD_MEAN_NORM;
    if (!kv || a->head == HEAD_MEAN_NORM || (number && kv->i == 2) || (word && str_is(kv->s, "cls"))) return 0;
    return fail(err, HEARTH_E_UNSUPPORTED, "the classifier's pooling is neither cls nor mean");
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double period = 3;
    const struct kv *pattern = config_find(c, "global_attn_every_n_layers", "attention.sliding_window_pattern");
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    if (pattern && pattern->type == KV_INT) period = pattern->f;
    if (!(period >= 1 && period <= 1024)) return fail(err, HEARTH_E_FORMAT, "a window in all but every %gth layer makes no sense", period);
    int status = config_layer_types(c, a, (int)period, 0, err);
    if (!status) status = config_number(c, "global_rope_theta", NULL, 160000, &a->rope.theta, err);
    if (!status) status = config_rope(c, a, err);
    if (!status) status = config_local_rope(c, a, c->gguf ? "rope.freq_base_swa" : "local_rope_theta", 10000, err);
    if (!status) status = read_pooling(a, c, err);
    return status ? status : encoder_labels(a, c, c->gguf ? "cls.output.weight" : "classifier.weight", err);
}

const struct family family_modernbert = {
    .name = "modernbert", .models = "ModernBERT base and large, gte-modernbert-base, nomic modernbert-embed-base, Granite Embedding R2",
    .hf_types = (const char *const[]){ "modernbert", NULL }, .gguf_archs = (const char *const[]){ "modern-bert", NULL },
    .encoder_heads = (const struct family_head[]){
        { "ModernBertForMaskedLM", HEAD_MASKED, "head.dense.weight", NULL },
        { "ModernBertForSequenceClassification", HEAD_FIRST_NORM, NULL, "cls.output.weight" },
        { "ModernBertForTokenClassification", HEAD_ROWS_NORM, NULL, NULL },
        { "ModernBertModel", HEAD_NONE, NULL, NULL },
        { NULL, HEAD_NONE, NULL, NULL } },
    .initial = { .task = HEARTH_TASK_ENCODER, .mixer = MIXER_ATTENTION, .ffn = FFN_GATED, .act = ACT_GELU,
                 .head_act = ACT_GELU, .norm = NORM_LAYER, .norm_eps = 1e-5f, .residual = RESIDUAL_PRE,
                 .position = POSITION_ROTARY, .tied = true, .head_bias = true, .window = 128, .width = 768,
                 .n_encoder_layer = 22, .n_head = 12, .ff_width = 1152, .context = 8192, .bos = -1, .eos = -1, .start = -1,
                 .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), ENCODER_WEIGHTS(encoder_weights), .prefix = "model.", .finish = finish,
    .harmless = (const char *const[]){ "inv_freq", "head.", NULL },
};
