/* Vision transformer: patches of a picture through an encoder, a classifier over the class row. Dosovitskiy et al. 2021. */
#include "model/families/encoders.h"

static const struct config_key keys[] = {
    { "hidden_size", NULL, CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_REQUIRED },
    { "num_hidden_layers", NULL, CONFIG_INT, AT(n_encoder_layer), 1, 1024, CONFIG_REQUIRED },
    { "num_attention_heads", NULL, CONFIG_INT, AT(n_head), 1, 4096, CONFIG_REQUIRED },
    { "intermediate_size", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_REQUIRED },
    { "hidden_act", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "layer_norm_eps", NULL, CONFIG_FLOAT, AT(norm_eps), 0, 1, 0 },
    { "qkv_bias", NULL, CONFIG_BOOL, AT(qkv_bias), 0, 0, 0 },
    { "patch_size", NULL, CONFIG_INT, AT(patch), 1, 1024, 0 },
    { "image_size", NULL, CONFIG_INT, AT(image_size), 1, 1 << 14, 0 },
    { "num_channels", NULL, CONFIG_INT, AT(channels), 1, 16, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_patch, "vit.embeddings.patch_embeddings.projection.weight", NULL, 0 },
    { W_patch_bias, "vit.embeddings.patch_embeddings.projection.bias", NULL, 0 },
    { W_class_row, "vit.embeddings.cls_token", NULL, 0 },
    { W_position, "vit.embeddings.position_embeddings", NULL, 0 },
    { W_encoder_norm, "vit.layernorm.weight", NULL, 0 },
    { W_encoder_norm_bias, "vit.layernorm.bias", NULL, 0 },
    { W_classifier, "classifier.weight", NULL, 0 },
    { W_classifier_bias, "classifier.bias", NULL, 0 },
};

#define LAYER "vit.encoder.layer.%d."
static const struct weight_name encoder_weights[] = {
    { W_mixer_norm, LAYER "layernorm_before.weight", NULL, 0 },
    { W_mixer_norm_bias, LAYER "layernorm_before.bias", NULL, 0 },
    { W_attn_q, LAYER "attention.attention.query.weight", NULL, 0 },
    { W_attn_q_bias, LAYER "attention.attention.query.bias", NULL, 0, AT(qkv_bias) },
    { W_attn_k, LAYER "attention.attention.key.weight", NULL, 0 },
    { W_attn_k_bias, LAYER "attention.attention.key.bias", NULL, 0, AT(qkv_bias) },
    { W_attn_v, LAYER "attention.attention.value.weight", NULL, 0 },
    { W_attn_v_bias, LAYER "attention.attention.value.bias", NULL, 0, AT(qkv_bias) },
    { W_attn_out, LAYER "attention.output.dense.weight", NULL, 0 },
    { W_attn_out_bias, LAYER "attention.output.dense.bias", NULL, 0 },
    { W_ffn_norm, LAYER "layernorm_after.weight", NULL, 0 },
    { W_ffn_norm_bias, LAYER "layernorm_after.bias", NULL, 0 },
    { W_ffn_up, LAYER "intermediate.dense.weight", NULL, 0 },
    { W_ffn_up_bias, LAYER "intermediate.dense.bias", NULL, 0 },
    { W_ffn_down, LAYER "output.dense.weight", NULL, 0 },
    { W_ffn_down_bias, LAYER "output.dense.bias", NULL, 0 },
};

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    if (a->image_size % a->patch)
        return fail(err, HEARTH_E_FORMAT, "a picture of %d is not a multiple of patches of %d", a->image_size, a->patch);
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    a->context = a->image_size / a->patch * (a->image_size / a->patch) + 1;
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    return encoder_labels(a, c, "classifier.weight", err);
}

const struct family family_vit = {
    .name = "vit", .models = "ViT base and large, classifiers fine-tuned from them",
    .hf_types = (const char *const[]){ "vit", NULL },
    .encoder_heads = (const struct family_head[]){ { "ViTForImageClassification", HEAD_FIRST, "classifier.weight", NULL },
                                                   { NULL, HEAD_NONE, NULL, NULL } },
    .initial = { .task = HEARTH_TASK_ENCODER, .mixer = MIXER_ATTENTION, .ffn = FFN_DENSE, .act = ACT_GELU, .norm = NORM_LAYER,
                 .norm_eps = 1e-12f, .position = POSITION_LEARNED, .qkv_bias = true, .patch = 16, .image_size = 224,
                 .channels = 3, .bos = -1, .eos = -1, .start = -1, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), ENCODER_WEIGHTS(encoder_weights), .finish = finish,
    .harmless = (const char *const[]){ "vit.pooler.", NULL },
};
