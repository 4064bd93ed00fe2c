/* CodeT5+ of 2B and more: an encoder and a decoder in the shape of CodeGen, each with numbers of its own in an object of its own.
 * The encoder sees both ways; of the decoder's layers only the last attends to the source, beside its own attention, and its heads
 * turn there too. Wang et al. 2023, after the code beside the models (modeling_codet5p.py). */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, 0 },
    { "n_embd|hidden_size", NULL, CONFIG_INT, AT(width), 1, 1 << 20, 0 },
    { "n_layer|num_hidden_layers", NULL, CONFIG_INT, AT(n_layer), 1, 1024, 0 },
    { "n_head|num_attention_heads", NULL, CONFIG_INT, AT(n_head), 1, 4096, 0 },
    { "n_positions|max_position_embeddings", NULL, CONFIG_INT, AT(context), 1, 1 << 28, 0 },
    { "n_inner", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    { "rotary_dim", NULL, CONFIG_INT, AT(rope.part), 2, 1 << 20, 0 },
    { "layer_norm_epsilon", NULL, CONFIG_FLOAT, AT(norm_eps), 0, 1, 0 },
    { "activation_function", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "decoder.tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { "tie_encoder_decoder", NULL, "false" },
    { "decoder.cross_attention_hidden_size", NULL, NULL },
    END_GUARDS,
};

/* The encoder's states are projected when its width is another than the decoder's. */
static const struct weight_name model_weights[] = {
    { W_encoder_embed, "encoder.wte.weight", NULL, 0 },
    { W_encoder_norm, "encoder.ln_f.weight", NULL, 0 },
    { W_encoder_norm_bias, "encoder.ln_f.bias", NULL, 0 },
    { W_cross_in, "enc_to_dec_proj.weight", NULL, 0, AT(projected) },
    { W_cross_in_bias, "enc_to_dec_proj.bias", NULL, 0, AT(projected) },
    { W_embed, "decoder.transformer.wte.weight", NULL, 0 },
    { W_norm, "decoder.transformer.ln_f.weight", NULL, 0 },
    { W_norm_bias, "decoder.transformer.ln_f.bias", NULL, 0 },
    { W_head, "decoder.lm_head.weight", NULL, WEIGHT_OPTIONAL },
    { W_head_bias, "decoder.lm_head.bias", NULL, 0 },
};

#define BLOCK(p)                                                                                                       \
    { W_mixer_norm, p "ln_1.weight", NULL, 0 },                                                                        \
    { W_mixer_norm_bias, p "ln_1.bias", NULL, 0 },                                                                     \
    { W_attn_q, p "attn.qkv_proj.weight", NULL, WEIGHT_GROUPED },                                                      \
    { W_attn_v, p "attn.qkv_proj.weight", NULL, WEIGHT_GROUPED },                                                      \
    { W_attn_k, p "attn.qkv_proj.weight", NULL, WEIGHT_GROUPED },                                                      \
    { W_attn_out, p "attn.out_proj.weight", NULL, 0 },                                                                 \
    { W_ffn_up, p "mlp.fc_in.weight", NULL, 0 },                                                                       \
    { W_ffn_up_bias, p "mlp.fc_in.bias", NULL, 0 },                                                                    \
    { W_ffn_down, p "mlp.fc_out.weight", NULL, 0 },                                                                    \
    { W_ffn_down_bias, p "mlp.fc_out.bias", NULL, 0 }

static const struct weight_name encoder_weights[] = { BLOCK("encoder.h.%d.") };

#define CROSS "decoder.transformer.h.%d.crossattention."
static const struct weight_name layer_weights[] = {
    BLOCK("decoder.transformer.h.%d."),
    { W_cross_q, CROSS "q_attn.weight", NULL, WEIGHT_CROSS },
    { W_cross_v, CROSS "qkv_proj.weight", NULL, WEIGHT_CROSS | WEIGHT_GROUPED },
    { W_cross_k, CROSS "qkv_proj.weight", NULL, WEIGHT_CROSS | WEIGHT_GROUPED },
    { W_cross_out, CROSS "out_proj.weight", NULL, WEIGHT_CROSS },
};

/* A flag of the half that is being read, which the other half must not answer for. */
static int check_flag(const struct config *c, const char *key, bool want, struct hearth_error *err)
{
    bool value;
    int status = config_bool(c, key, NULL, false, &value, err);
    if (status || value == want) return status;
    return fail(err, HEARTH_E_UNSUPPORTED, "%s.%s is %s; the model's halves are supported as CodeT5+ has them, with %s there",
                c->nested, key, value ? "true" : "false", want ? "true" : "false");
}

/* What only the decoder has: cross attention in its last layer, a projection before it, a token to begin with. */
static int finish_decoder(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double encoder_width, bos;
    int status = config_number(c, "encoder.n_embd|encoder.hidden_size", NULL, 4096, &encoder_width, err);
    if (!status) status = config_number(c, "bos_token_id", NULL, a->bos, &bos, err);
    if (status) return status;
    a->projected = encoder_width != a->width;
    a->cross_first = a->n_layer - 1;
    a->cross_rotary = true;
    a->start = bos >= 0 && bos < a->n_vocab ? (int32_t)bos : -1; /* unless the file names another */
    return 0;
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const bool decoder = strcmp(c->nested, "decoder") == 0;
    const struct kv *part = container_kv(c->c, decoder ? "decoder.rotary_dim" : "encoder.rotary_dim");
    int status = check_flag(c, "is_decoder", decoder, err);
    if (!status) status = check_flag(c, "add_cross_attention", decoder, err);
    if (status) return status;
    if (part && part->type == KV_NULL) return fail(err, HEARTH_E_FORMAT, "%s.rotary_dim is null, which CodeT5+ does not allow", c->nested);
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (a->n_head % a->fused_groups)
        return fail(err, HEARTH_E_FORMAT, "%d heads cannot be shared out among %d groups", a->n_head, a->fused_groups);
    if (!a->ff_width) a->ff_width = 4 * a->width;
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    if (a->rope.part > a->key_width) a->rope.part = a->key_width; /* the slice of a head ends where the head does */
    a->rope.original_context = a->context;
    if (a->rope.part % 2) return fail(err, HEARTH_E_FORMAT, "rotary part %d of a head is not an even number", a->rope.part);
    return decoder ? finish_decoder(a, c, err) : 0;
}

const struct family family_codet5p = {
    .name = "codet5p", .models = "CodeT5+ 2B, 6B and 16B, InstructCodeT5+ 16B",
    .hf_types = (const char *const[]){ "codet5p", NULL }, .heads = (const char *const[]){ "CodeT5pEncoderDecoderModel", NULL },
    .initial = { .task = HEARTH_TASK_ENCODER_DECODER, .mixer = MIXER_ATTENTION, .ffn = FFN_DENSE, .act = ACT_GELU_TANH, .norm = NORM_LAYER,
                 .norm_eps = 1e-5f, .residual = RESIDUAL_PARALLEL, .fused_groups = 4, .position = POSITION_ROTARY, .rope.theta = 10000,
                 .rope.interleaved = true, .rope.part = 64, .context = 2048, .n_vocab = 50400, .width = 4096, .n_layer = 28, .n_head = 16,
                 .bos = 50256, .eos = 50256, .start = -1, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), ENCODER_WEIGHTS(encoder_weights),
    .nested = "decoder", .nested_encoder = "encoder", .finish = finish, .harmless = (const char *const[]){ ".causal_mask", NULL },
};
