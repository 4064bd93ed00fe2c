/* BERT and those of its shape: learned positions, kinds of rows, layers normalised after each branch. Devlin et al. 2018;
 * RoBERTa (Liu et al. 2019) counts positions from the padding token's id + 1; ELECTRA (Clark et al. 2020) projects narrow
 * embeddings; DistilBERT (Sanh et al. 2019) and MPNet (Song et al. 2020) have no kinds of rows. */
#include "model/families/encoders.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    { "hidden_size|dim", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_GGUF_REQUIRED },
    { "embedding_size", NULL, CONFIG_INT, AT(embed_width), 1, 1 << 20, 0 },
    { "num_hidden_layers|n_layers", "block_count", CONFIG_INT, AT(n_encoder_layer), 1, 1024, CONFIG_GGUF_REQUIRED },
    { "num_attention_heads|n_heads", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "intermediate_size|hidden_dim", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_GGUF_REQUIRED },
    { "max_position_embeddings", "context_length", CONFIG_INT, AT(context), 1, 1 << 24, CONFIG_GGUF_REQUIRED },
    { "type_vocab_size", NULL, CONFIG_INT, AT(n_type), 0, 1 << 16, 0 },
    { "hidden_act|activation", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "layer_norm_eps", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "position_embedding_type", NULL, "absolute" },
    { "relative_attention_num_buckets", NULL, "32" }, /* MPNet's class counts in 32 whatever the file says */
    { "is_decoder", NULL, "false" },
    { "add_cross_attention", NULL, "false" },
    { NULL, "attention.causal", "false" },
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

/* Heads whose weights have these names. */
#define MASKED (1u << HEAD_MASKED)
#define FIRST  (1u << HEAD_FIRST | 1u << HEAD_FIRST_DENSE)
#define DENSE  (1u << HEAD_FIRST_DENSE)
#define ROWS   (1u << HEAD_ROWS)

/* Norms of files made before 2019 are called gamma and beta. */
#define NORM_NAMES(name) name ".weight|" name ".gamma"
#define BIAS_NAMES(name) name ".bias|" name ".beta"

#define EMBEDDINGS(p)                                                                                                              \
    { W_embed, p "embeddings.word_embeddings.weight", "token_embd.weight", 0 },                                                    \
    { W_position, p "embeddings.position_embeddings.weight", "position_embd.weight", 0 },                                          \
    { W_types, p "embeddings.token_type_embeddings.weight", "token_types.weight", WEIGHT_TYPES },                                  \
    { W_embed_norm, NORM_NAMES(p "embeddings.LayerNorm"), "token_embd_norm.weight", 0 },                                           \
    { W_embed_norm_bias, BIAS_NAMES(p "embeddings.LayerNorm"), "token_embd_norm.bias", 0 }

#define CLASSIFIER(dense, weight, bias)                                                                                            \
    { W_head_dense, dense ".weight", "cls.weight", 0, .heads = DENSE },                                                            \
    { W_head_dense_bias, dense ".bias", "cls.bias", 0, .heads = DENSE },                                                           \
    { W_classifier, weight, "cls.output.weight", 0, .heads = FIRST },                                                              \
    { W_classifier_bias, bias, "cls.output.bias", 0, .heads = FIRST },                                                             \
    { W_classifier, "classifier.weight", NULL, 0, .heads = ROWS },                                                                 \
    { W_classifier_bias, "classifier.bias", NULL, 0, .heads = ROWS }

#define VOCABULARY(dense, norm, decoder, bias)                                                                                     \
    { W_head_dense, dense ".weight", NULL, 0, .heads = MASKED },                                                                   \
    { W_head_dense_bias, dense ".bias", NULL, 0, .heads = MASKED },                                                                \
    { W_head_norm, NORM_NAMES(norm), NULL, 0, .heads = MASKED },                                                                   \
    { W_head_norm_bias, BIAS_NAMES(norm), NULL, 0, .heads = MASKED },                                                              \
    { W_head, decoder ".weight", NULL, WEIGHT_OPTIONAL, .heads = MASKED },                                                         \
    { W_head_bias, bias, NULL, 0, .heads = MASKED }

static const struct weight_name bert_weights[] = {
    EMBEDDINGS("bert."),
    VOCABULARY("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.decoder",
               "cls.predictions.decoder.bias|cls.predictions.bias"),
    CLASSIFIER("bert.pooler.dense", "classifier.weight|cls.seq_relationship.weight", "classifier.bias|cls.seq_relationship.bias"),
};

static const struct weight_name roberta_weights[] = {
    EMBEDDINGS("roberta."),
    VOCABULARY("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.decoder.bias|lm_head.bias"),
    CLASSIFIER("classifier.dense", "classifier.out_proj.weight", "classifier.out_proj.bias"),
};

static const struct weight_name electra_weights[] = {
    EMBEDDINGS("electra."),
    { W_project_in, "electra.embeddings_project.weight", NULL, 0, AT(project_last) },
    { W_project_in_bias, "electra.embeddings_project.bias", NULL, 0, AT(project_last) },
    VOCABULARY("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head", "generator_lm_head.bias"),
    CLASSIFIER("classifier.dense", "classifier.out_proj.weight", "classifier.out_proj.bias"),
    { W_head_dense, "discriminator_predictions.dense.weight", NULL, 0, .heads = 1u << HEAD_ROWS_DENSE },
    { W_head_dense_bias, "discriminator_predictions.dense.bias", NULL, 0, .heads = 1u << HEAD_ROWS_DENSE },
    { W_classifier, "discriminator_predictions.dense_prediction.weight", NULL, 0, .heads = 1u << HEAD_ROWS_DENSE },
    { W_classifier_bias, "discriminator_predictions.dense_prediction.bias", NULL, 0, .heads = 1u << HEAD_ROWS_DENSE },
};

static const struct weight_name distilbert_weights[] = {
    EMBEDDINGS("distilbert."),
    VOCABULARY("vocab_transform", "vocab_layer_norm", "vocab_projector", "vocab_projector.bias"),
    CLASSIFIER("pre_classifier", "classifier.weight", "classifier.bias"),
};

static const struct weight_name mpnet_weights[] = {
    EMBEDDINGS("mpnet."),
    { W_encoder_buckets, "mpnet.encoder.relative_attention_bias.weight", NULL, 0 },
    VOCABULARY("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.decoder.bias|lm_head.bias"),
    CLASSIFIER("classifier.dense", "classifier.out_proj.weight", "classifier.out_proj.bias"),
};

#define LAYER_NAMES(p)                                                                                                             \
    { W_attn_q, p "attention.self.query.weight", "blk.%d.attn_q.weight", 0 },                                                      \
    { W_attn_q_bias, p "attention.self.query.bias", "blk.%d.attn_q.bias", 0 },                                                     \
    { W_attn_k, p "attention.self.key.weight", "blk.%d.attn_k.weight", 0 },                                                        \
    { W_attn_k_bias, p "attention.self.key.bias", "blk.%d.attn_k.bias", 0 },                                                       \
    { W_attn_v, p "attention.self.value.weight", "blk.%d.attn_v.weight", 0 },                                                      \
    { W_attn_v_bias, p "attention.self.value.bias", "blk.%d.attn_v.bias", 0 },                                                     \
    { W_attn_out, p "attention.output.dense.weight", "blk.%d.attn_output.weight", 0 },                                             \
    { W_attn_out_bias, p "attention.output.dense.bias", "blk.%d.attn_output.bias", 0 },                                            \
    { W_mixer_norm, NORM_NAMES(p "attention.output.LayerNorm"), "blk.%d.attn_output_norm.weight", 0 },                             \
    { W_mixer_norm_bias, BIAS_NAMES(p "attention.output.LayerNorm"), "blk.%d.attn_output_norm.bias", 0 },                          \
    { W_ffn_up, p "intermediate.dense.weight", "blk.%d.ffn_up.weight", 0 },                                                        \
    { W_ffn_up_bias, p "intermediate.dense.bias", "blk.%d.ffn_up.bias", 0 },                                                       \
    { W_ffn_down, p "output.dense.weight", "blk.%d.ffn_down.weight", 0 },                                                          \
    { W_ffn_down_bias, p "output.dense.bias", "blk.%d.ffn_down.bias", 0 },                                                         \
    { W_ffn_norm, NORM_NAMES(p "output.LayerNorm"), "blk.%d.layer_output_norm.weight", 0 },                                        \
    { W_ffn_norm_bias, BIAS_NAMES(p "output.LayerNorm"), "blk.%d.layer_output_norm.bias", 0 }

static const struct weight_name bert_layers[] = { LAYER_NAMES("bert.encoder.layer.%d.") };
static const struct weight_name roberta_layers[] = { LAYER_NAMES("roberta.encoder.layer.%d.") };
static const struct weight_name electra_layers[] = { LAYER_NAMES("electra.encoder.layer.%d.") };

#define DISTIL "distilbert.transformer.layer.%d."
static const struct weight_name distilbert_layers[] = {
    { W_attn_q, DISTIL "attention.q_lin.weight", NULL, 0 },
    { W_attn_q_bias, DISTIL "attention.q_lin.bias", NULL, 0 },
    { W_attn_k, DISTIL "attention.k_lin.weight", NULL, 0 },
    { W_attn_k_bias, DISTIL "attention.k_lin.bias", NULL, 0 },
    { W_attn_v, DISTIL "attention.v_lin.weight", NULL, 0 },
    { W_attn_v_bias, DISTIL "attention.v_lin.bias", NULL, 0 },
    { W_attn_out, DISTIL "attention.out_lin.weight", NULL, 0 },
    { W_attn_out_bias, DISTIL "attention.out_lin.bias", NULL, 0 },
    { W_mixer_norm, DISTIL "sa_layer_norm.weight", NULL, 0 },
    { W_mixer_norm_bias, DISTIL "sa_layer_norm.bias", NULL, 0 },
    { W_ffn_up, DISTIL "ffn.lin1.weight", NULL, 0 },
    { W_ffn_up_bias, DISTIL "ffn.lin1.bias", NULL, 0 },
    { W_ffn_down, DISTIL "ffn.lin2.weight", NULL, 0 },
    { W_ffn_down_bias, DISTIL "ffn.lin2.bias", NULL, 0 },
    { W_ffn_norm, DISTIL "output_layer_norm.weight", NULL, 0 },
    { W_ffn_norm_bias, DISTIL "output_layer_norm.bias", NULL, 0 },
};

#define MPNET "mpnet.encoder.layer.%d."
static const struct weight_name mpnet_layers[] = {
    { W_attn_q, MPNET "attention.attn.q.weight", NULL, 0 },
    { W_attn_q_bias, MPNET "attention.attn.q.bias", NULL, 0 },
    { W_attn_k, MPNET "attention.attn.k.weight", NULL, 0 },
    { W_attn_k_bias, MPNET "attention.attn.k.bias", NULL, 0 },
    { W_attn_v, MPNET "attention.attn.v.weight", NULL, 0 },
    { W_attn_v_bias, MPNET "attention.attn.v.bias", NULL, 0 },
    { W_attn_out, MPNET "attention.attn.o.weight", NULL, 0 },
    { W_attn_out_bias, MPNET "attention.attn.o.bias", NULL, 0 },
    { W_mixer_norm, MPNET "attention.LayerNorm.weight", NULL, 0 },
    { W_mixer_norm_bias, MPNET "attention.LayerNorm.bias", NULL, 0 },
    { W_ffn_up, MPNET "intermediate.dense.weight", NULL, 0 },
    { W_ffn_up_bias, MPNET "intermediate.dense.bias", NULL, 0 },
    { W_ffn_down, MPNET "output.dense.weight", NULL, 0 },
    { W_ffn_down_bias, MPNET "output.dense.bias", NULL, 0 },
    { W_ffn_norm, MPNET "output.LayerNorm.weight", NULL, 0 },
    { W_ffn_norm_bias, MPNET "output.LayerNorm.bias", NULL, 0 },
};

/* ---- numbers that rows cannot say */

static int common(struct arch *a, const struct config *c, const char *labels, struct hearth_error *err)
{
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    return encoder_labels(a, c, c->gguf ? "cls.output.weight" : labels, err);
}

/* GGUF carries neither activations nor which model it was: one without kinds of rows was a DistilBERT. */
static int finish_bert(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const bool first = a->head == HEAD_FIRST_DENSE;
    if (c->gguf) {
        const struct file_tensor *types = container_tensor(c->c, "token_types.weight");
        a->n_type = types && types->rank == 2 && types->dim[0] <= 1 << 16 ? (int32_t)types->dim[0] : 0;
        if (first && !container_tensor(c->c, "cls.weight"))
            return fail(err, HEARTH_E_UNSUPPORTED,
                        "the file lacks the pooler that stood before its classifier (converters drop it): use the original folder");
    }
    a->head_act = !first ? a->act : c->gguf && !a->n_type ? ACT_RELU : ACT_TANH;
    return common(a, c, "classifier.weight|cls.seq_relationship.weight", err);
}

static int finish_roberta(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double pad;
    int status = config_number(c, "pad_token_id", NULL, 1, &pad, err);
    if (status) return status;
    if (!(pad >= 0 && pad + 1 < a->context))
        return fail(err, HEARTH_E_FORMAT, "a padding token of %g leaves no positions of %d", pad, a->context);
    a->pad_positions = true;
    a->position_offset = (int32_t)pad + 1; /* max_position_embeddings counts the rows that no text uses */
    a->context -= a->position_offset;
    a->head_act = a->head == HEAD_MASKED ? ACT_GELU : ACT_TANH;
    return common(a, c, a->head == HEAD_ROWS ? "classifier.weight" : "classifier.out_proj.weight", err);
}

/* Positions as RoBERTa's, with padding always token 1; beside them T5's biases by distance. */
static int finish_mpnet(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double pad;
    int status = config_number(c, "pad_token_id", NULL, 1, &pad, err);
    if (status) return status;
    if (pad != 1) return fail(err, HEARTH_E_UNSUPPORTED, "pad_token_id %g: the reference takes 1 for the positions of this family", pad);
    a->n_type = 0;
    return finish_roberta(a, c, err);
}

static int finish_electra(struct arch *a, const struct config *c, struct hearth_error *err)
{
    a->project_last = a->embed_width != a->width;
    a->head_act = a->head == HEAD_ROWS_DENSE ? a->act : ACT_GELU;
    return common(a, c,
                  a->head == HEAD_ROWS         ? "classifier.weight"
                  : a->head == HEAD_ROWS_DENSE ? "discriminator_predictions.dense_prediction.weight"
                                               : "classifier.out_proj.weight",
                  err);
}

static int finish_distilbert(struct arch *a, const struct config *c, struct hearth_error *err)
{
    a->norm_eps = 1e-12f;
    a->n_type = 0;
    a->head_act = a->head == HEAD_MASKED ? a->act : ACT_RELU;
    return common(a, c, "classifier.weight", err);
}

#define INITIAL                                                                                                                    \
    .task = HEARTH_TASK_ENCODER, .mixer = MIXER_ATTENTION, .ffn = FFN_DENSE, .act = ACT_GELU, .norm = NORM_LAYER, .norm_eps = 1e-12f, \
    .residual = RESIDUAL_POST, .position = POSITION_LEARNED, .tied = true, .context = 512, .n_type = 2, .bos = -1, .eos = -1, .start = -1
#define SIZES(d, layers, heads, ff) .width = d, .n_encoder_layer = layers, .n_head = heads, .ff_width = ff

const struct family family_bert = {
    .name = "bert",
    .models = "BERT (base, large, multilingual, Chinese, German), FinBERT, SciBERT, BioBERT, LegalBERT, all-MiniLM-L6/L12, "
              "BGE small/base/large, E5, GTE, UAE, mxbai-embed-large, Snowflake Arctic Embed, LaBSE, bert-base-NER, "
              "MS MARCO MiniLM cross-encoders; as GGUF also RoBERTa, XLM-R and DistilBERT",
    .hf_types = (const char *const[]){ "bert", NULL }, .gguf_archs = (const char *const[]){ "bert", NULL },
    .encoder_heads = (const struct family_head[]){
        { "BertForMaskedLM", HEAD_MASKED, "cls.predictions.transform.dense.weight", NULL },
        { "BertForPreTraining", HEAD_MASKED, NULL, NULL },
        { "BertForSequenceClassification", HEAD_FIRST_DENSE, NULL, "cls.output.weight" },
        { "BertForNextSentencePrediction", HEAD_FIRST_DENSE, NULL, NULL },
        { "BertForTokenClassification", HEAD_ROWS, NULL, NULL },
        { "BertModel", HEAD_NONE, NULL, NULL },
        { NULL, HEAD_NONE, NULL, NULL } },
    .initial = { INITIAL, SIZES(768, 12, 12, 3072), .pad = 0 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(bert_weights), ENCODER_WEIGHTS(bert_layers), .prefix = "bert.", .finish = finish_bert,
    .harmless = (const char *const[]){ "position_ids", "pooler.", "cls.seq_relationship.", "cls.predictions.", NULL },
};

const struct family family_roberta = {
    .name = "roberta",
    .models = "RoBERTa (base, large), CodeBERT, Twitter-RoBERTa, all-distilroberta-v1, XLM-RoBERTa, multilingual E5, BGE-M3, "
              "BGE rerankers, CamemBERT",
    .hf_types = (const char *const[]){ "roberta", "xlm-roberta", "camembert", NULL },
    .encoder_heads = (const struct family_head[]){
        { "RobertaForMaskedLM", HEAD_MASKED, "lm_head.dense.weight", NULL },
        { "RobertaForSequenceClassification", HEAD_FIRST_DENSE, "classifier.out_proj.weight", NULL },
        { "RobertaForTokenClassification", HEAD_ROWS, "classifier.weight", NULL },
        { "RobertaModel", HEAD_NONE, NULL, NULL },
        { "XLMRobertaForMaskedLM", HEAD_MASKED, NULL, NULL },
        { "XLMRobertaForSequenceClassification", HEAD_FIRST_DENSE, NULL, NULL },
        { "XLMRobertaForTokenClassification", HEAD_ROWS, NULL, NULL },
        { "XLMRobertaModel", HEAD_NONE, NULL, NULL },
        { "CamembertForMaskedLM", HEAD_MASKED, NULL, NULL },
        { "CamembertForSequenceClassification", HEAD_FIRST_DENSE, NULL, NULL },
        { "CamembertForTokenClassification", HEAD_ROWS, NULL, NULL },
        { "CamembertModel", HEAD_NONE, NULL, NULL },
        { NULL, HEAD_NONE, NULL, NULL } },
    .initial = { INITIAL, SIZES(768, 12, 12, 3072), .pad = 1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(roberta_weights), ENCODER_WEIGHTS(roberta_layers), .prefix = "roberta.",
    .finish = finish_roberta,
    .harmless = (const char *const[]){ "position_ids", "pooler.", "lm_head.", NULL },
};

const struct family family_electra = {
    .name = "electra", .models = "ELECTRA small, base, large (generator, discriminator, classifiers fine-tuned from them)",
    .hf_types = (const char *const[]){ "electra", NULL },
    .encoder_heads = (const struct family_head[]){
        { "ElectraForMaskedLM", HEAD_MASKED, "generator_predictions.dense.weight", NULL },
        { "ElectraForSequenceClassification", HEAD_FIRST_DENSE, "classifier.out_proj.weight", NULL },
        { "ElectraForTokenClassification", HEAD_ROWS, "classifier.weight", NULL },
        { "ElectraForPreTraining", HEAD_ROWS_DENSE, "discriminator_predictions.dense.weight", NULL },
        { "ElectraModel", HEAD_NONE, NULL, NULL },
        { NULL, HEAD_NONE, NULL, NULL } },
    .initial = { INITIAL, SIZES(256, 12, 4, 1024), .embed_width = 128, .pad = 0 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(electra_weights), ENCODER_WEIGHTS(electra_layers), .prefix = "electra.",
    .finish = finish_electra,
    .harmless = (const char *const[]){ "position_ids", "generator_lm_head.bias", "generator_predictions.",
                                       "discriminator_predictions.", NULL },
};

const struct family family_distilbert = {
    .name = "distilbert", .models = "DistilBERT (English, multilingual), distilbert-sst-2, msmarco-distilbert",
    .hf_types = (const char *const[]){ "distilbert", NULL },
    .encoder_heads = (const struct family_head[]){
        { "DistilBertForMaskedLM", HEAD_MASKED, "vocab_transform.weight", NULL },
        { "DistilBertForSequenceClassification", HEAD_FIRST_DENSE, "pre_classifier.weight", NULL },
        { "DistilBertForTokenClassification", HEAD_ROWS, "classifier.weight", NULL },
        { "DistilBertModel", HEAD_NONE, NULL, NULL },
        { NULL, HEAD_NONE, NULL, NULL } },
    .initial = { INITIAL, SIZES(768, 6, 12, 3072), .pad = 0 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(distilbert_weights), ENCODER_WEIGHTS(distilbert_layers),
    .prefix = "distilbert.", .finish = finish_distilbert,
    .harmless = (const char *const[]){ "position_ids", "vocab_", "pre_classifier.", NULL },
};

const struct family family_mpnet = {
    .name = "mpnet", .models = "all-mpnet-base-v2, multi-qa-mpnet, paraphrase-mpnet, MPNet base, SetFit classifiers made from them",
    .hf_types = (const char *const[]){ "mpnet", NULL },
    .encoder_heads = (const struct family_head[]){
        { "MPNetForMaskedLM", HEAD_MASKED, "lm_head.dense.weight", NULL },
        { "MPNetForSequenceClassification", HEAD_FIRST_DENSE, "classifier.out_proj.weight", NULL },
        { "MPNetForTokenClassification", HEAD_ROWS, "classifier.weight", NULL },
        { "MPNetModel", HEAD_NONE, NULL, NULL },
        { NULL, HEAD_NONE, NULL, NULL } },
    .initial = { INITIAL, .buckets = 32, .bucket_distance = 128, .pad = 1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(mpnet_weights), ENCODER_WEIGHTS(mpnet_layers), .prefix = "mpnet.", .finish = finish_mpnet,
    .harmless = (const char *const[]){ "position_ids", "pooler.", "lm_head.", NULL },
};
