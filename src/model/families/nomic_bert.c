/* Nomic's BERT: rotary positions, gated feed-forward part, one fused product for queries, keys and values, no biases; layers
 * normalised after each branch. The hub's files have configurations in the manner of GPT-2. Nussbaum et al. 2024. */
#include "model/families/encoders.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    { "n_embd|hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_GGUF_REQUIRED },
    { "n_layer|num_hidden_layers", "block_count", CONFIG_INT, AT(n_encoder_layer), 1, 1024, CONFIG_GGUF_REQUIRED },
    { "n_head|num_attention_heads", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "head_dim", NULL, CONFIG_INT, AT(key_width), 1, 1024, 0 },
    { "n_inner|intermediate_size", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_GGUF_REQUIRED },
    { "n_positions|max_position_embeddings", "context_length", CONFIG_INT, AT(context), 1, 1 << 24, CONFIG_GGUF_REQUIRED },
    { "type_vocab_size", NULL, CONFIG_INT, AT(n_type), 0, 1 << 16, 0 },
    { "hidden_act", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "layer_norm_epsilon|layer_norm_eps", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "prenorm", NULL, "false" },
    { "parallel_block", NULL, "false" },
    { "causal", "attention.causal", "false" },
    { "qkv_proj_bias", NULL, "false" },
    { "mlp_fc1_bias", NULL, "false" },
    { "mlp_fc2_bias", NULL, "false" },
    { "use_rms_norm", NULL, "false" },
    { "rotary_emb_interleaved", NULL, "false" },
    { "rotary_emb_scale_base", NULL, NULL },
    { "rotary_emb_fraction", NULL, "1" },
    { "add_pooling_layer", NULL, "false" },
    { "moe_every_n_layers", "moe_every_n_layers", "0" },
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

#define MASKED (1u << HEAD_MASKED)
#define FIRST  (1u << HEAD_FIRST_DENSE)
#define P      "nomic_bert."

static const struct weight_name model_weights[] = {
    { W_embed, P "embeddings.word_embeddings.weight|bert.embeddings.word_embeddings.weight", "token_embd.weight", 0 },
    { W_types, P "embeddings.token_type_embeddings.weight|bert.embeddings.token_type_embeddings.weight", "token_types.weight",
      WEIGHT_TYPES },
    { W_embed_norm, P "emb_ln.weight|bert.emb_ln.weight|" P "embeddings.LayerNorm.weight", "token_embd_norm.weight", 0 },
    { W_embed_norm_bias, P "emb_ln.bias|bert.emb_ln.bias|" P "embeddings.LayerNorm.bias", "token_embd_norm.bias", 0 },
    { W_head_dense, "cls.predictions.transform.dense.weight", NULL, 0, .heads = MASKED },
    { W_head_dense_bias, "cls.predictions.transform.dense.bias", NULL, WEIGHT_OPTIONAL, .heads = MASKED },
    { W_head_norm, "cls.predictions.transform.layer_norm.weight", NULL, 0, .heads = MASKED },
    { W_head_norm_bias, "cls.predictions.transform.layer_norm.bias", NULL, 0, .heads = MASKED },
    { W_head, "cls.predictions.decoder.weight", NULL, WEIGHT_OPTIONAL, .heads = MASKED },
    { W_head_bias, "cls.predictions.decoder.bias|cls.predictions.bias", NULL, WEIGHT_OPTIONAL, .heads = MASKED },
    { W_head_dense, P "pooler.dense.weight", NULL, 0, .heads = FIRST },
    { W_head_dense_bias, P "pooler.dense.bias", NULL, 0, .heads = FIRST },
    { W_classifier, "classifier.weight", NULL, 0, .heads = FIRST | 1u << HEAD_ROWS },
    { W_classifier_bias, "classifier.bias", NULL, 0, .heads = FIRST | 1u << HEAD_ROWS },
};

#define LAYER(name) P "encoder.layers.%d." name "|bert.encoder.layers.%d." name
static const struct weight_name encoder_weights[] = {
    FUSED_QKV(LAYER("attn.Wqkv.weight"), "blk.%d.attn_qkv.weight", 0),
    { W_attn_out, LAYER("attn.out_proj.weight"), "blk.%d.attn_output.weight", 0 },
    { W_mixer_norm, LAYER("norm1.weight"), "blk.%d.attn_output_norm.weight", 0 },
    { W_mixer_norm_bias, LAYER("norm1.bias"), "blk.%d.attn_output_norm.bias", 0 },
    { W_ffn_up, LAYER("mlp.fc11.weight"), "blk.%d.ffn_up.weight", 0 },
    { W_ffn_gate, LAYER("mlp.fc12.weight"), "blk.%d.ffn_gate.weight", 0 },
    { W_ffn_down, LAYER("mlp.fc2.weight"), "blk.%d.ffn_down.weight", 0 },
    { W_ffn_norm, LAYER("norm2.weight"), "blk.%d.layer_output_norm.weight", 0 },
    { W_ffn_norm_bias, LAYER("norm2.bias"), "blk.%d.layer_output_norm.bias", 0 },
};

/* activation_function names the whole feed-forward part. */
static int read_activation(struct arch *a, const struct config *c, struct hearth_error *err)
{
    static const struct { const char *name; enum activation act; } gates[] = {
        { "swiglu", ACT_SILU }, { "geglu", ACT_GELU }, { "glu", ACT_SIGMOID },
    };
    const struct kv *kv = config_find(c, "activation_function", NULL);
    if (!kv || kv->type != KV_STRING) return 0;
    for (size_t i = 0; i < sizeof gates / sizeof *gates; i++)
        if (str_is(kv->s, gates[i].name)) {
            a->act = gates[i].act;
            return 0;
        }
    return fail(err, HEARTH_E_UNSUPPORTED,
                "activation_function \"%.*s\": only gated ones (swiglu, geglu, glu) are supported here", STR_ARG(kv->s));
}

/* Texts beyond the trained length turn more slowly, where the file asks for it. */
static int read_rotary(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double factor, trained;
    int status = config_number(c, "rotary_emb_base", NULL, 1000, &a->rope.theta, err);
    if (!status) status = config_rope(c, a, err);
    if (!status) status = config_number(c, "rotary_scaling_factor", NULL, 0, &factor, err);
    if (!status) status = config_number(c, "max_trained_positions", NULL, 2048, &trained, err);
    if (status || factor == 0.0) return status;
    if (!(factor >= 1.0 && factor < 1e6 && trained >= 1.0 && trained < 1e9) || a->rope.part < 4)
        return fail(err, HEARTH_E_FORMAT, "rotary_scaling_factor %g and max_trained_positions %g make no sense", factor, trained);
    a->rope.kind = ROPE_DYNAMIC;
    a->rope.factor = factor;
    a->rope.original_context = trained;
    return 0;
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct file_tensor *types = container_tensor(c->c, "token_types.weight");
    if (c->gguf) a->n_type = types && types->rank == 2 && types->dim[0] <= 1 << 16 ? (int32_t)types->dim[0] : 0;
    if (!a->key_width && a->width % a->n_head)
        return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (!a->key_width) a->key_width = a->width / a->n_head;
    a->value_width = a->key_width;
    a->n_kv = a->n_head;
    int status = read_activation(a, c, err);
    if (!status) status = read_rotary(a, c, err);
    a->head_act = a->head == HEAD_MASKED ? a->act : ACT_TANH;
    return status ? status : encoder_labels(a, c, "classifier.weight", err);
}

const struct family family_nomic_bert = {
    .name = "nomic_bert", .models = "nomic-embed-text v1 and v1.5, nomic-bert-2048, CodeRankEmbed",
    .hf_types = (const char *const[]){ "nomic_bert", NULL }, .gguf_archs = (const char *const[]){ "nomic-bert", NULL },
    .encoder_heads = (const struct family_head[]){
        { "NomicBertModel", HEAD_NONE, NULL, NULL },
        { "NomicBertForMaskedLM", HEAD_MASKED, "cls.predictions.transform.dense.weight", NULL },
        { "NomicBertForPreTraining", HEAD_MASKED, NULL, NULL },
        { "NomicBertForSequenceClassification", HEAD_FIRST_DENSE, NULL, NULL },
        { "NomicBertForTokenClassification", HEAD_ROWS, NULL, NULL },
        { NULL, HEAD_NONE, NULL, NULL } },
    .initial = { .task = HEARTH_TASK_ENCODER, .mixer = MIXER_ATTENTION, .ffn = FFN_GATED, .act = ACT_SILU, .norm = NORM_LAYER,
                 .norm_eps = 1e-12f, .residual = RESIDUAL_POST, .position = POSITION_ROTARY, .tied = true, .width = 768,
                 .n_encoder_layer = 12, .n_head = 12, .ff_width = 3072, .context = 2048, .n_type = 2, .bos = -1, .eos = -1,
                 .start = -1, .pad = 0 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), ENCODER_WEIGHTS(encoder_weights), .prefix = P, .finish = finish,
    .harmless = (const char *const[]){ "inv_freq", "pooler.", "cls.predictions.bias", NULL },
};
