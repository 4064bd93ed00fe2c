/* LLaMA and what shares its shape: rotary, RMS norm, gated feed-forward, grouped queries. Mistral adds a window, Mixtral experts;
 * their GGUF files call themselves "llama" too, so the GGUF rows know experts. Touvron et al. 2023; Jiang et al. 2023, 2024. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    SIZE_KEYS, HEAD_KEYS, RMS_KEYS, ACT_KEYS,
    { NULL, "expert_count", CONFIG_INT, AT(n_expert), 0, 4096, 0 },
    { NULL, "expert_used_count", CONFIG_INT, AT(n_expert_used), 0, 4096, 0 },
    { NULL, "attention.sliding_window", CONFIG_INT, AT(window), 0, 1 << 28, 0 },
    END_KEYS,
};

/* Keys that only LLaMA itself reads. */
static const struct config_key llama_keys[] = {
    ATTENTION_BIAS_KEYS,
    { "mlp_bias", NULL, CONFIG_BOOL, AT(ffn_bias), 0, 0, 0 },
    END_KEYS,
};

static const struct config_key mistral_keys[] = {
    { "sliding_window", NULL, CONFIG_INT, AT(window), 1, 1 << 28, 0 },
    END_KEYS,
};

static const struct config_key mixtral_keys[] = {
    { "sliding_window", NULL, CONFIG_INT, AT(window), 1, 1 << 28, 0 },
    { "num_local_experts", NULL, CONFIG_INT, AT(n_expert), 1, 4096, CONFIG_HF_REQUIRED },
    { "num_experts_per_tok", NULL, CONFIG_INT, AT(n_expert_used), 1, 4096, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { "layer_types", NULL, NULL },
    { NULL, "attention.scale", NULL },
    { NULL, "logit_scale", NULL },
    { NULL, "embedding_scale", NULL },
    { NULL, "residual_scale", NULL },
    { NULL, "attention.causal", "true" },
    { NULL, "attention.clamp_kqv", NULL },
    { NULL, "use_parallel_residual", "false" },
    { NULL, "rope.scaling.finetuned", "true" },
    ROPE_SCALE_GUARDS,
    END_GUARDS,
};

static const struct config_guard scaled_guards[] = { WHOLE_HEAD_GUARDS, END_GUARDS };

static const struct weight_name model_weights[] = {
    MODEL_ROWS,
    { W_rope_divisors, NULL, "rope_freqs.weight", WEIGHT_OPTIONAL },
};

static const struct weight_name layer_weights[] = {
    PRE_NORM_ROWS, QKV_ROWS, OUT_ROWS,
    { W_ffn_gate, LAYER "mlp.gate_proj.weight", "blk.%d.ffn_gate.weight", WEIGHT_DENSE },
    { W_ffn_gate_bias, LAYER "mlp.gate_proj.bias", "blk.%d.ffn_gate.bias", WEIGHT_DENSE, AT(ffn_bias) },
    { W_ffn_up, LAYER "mlp.up_proj.weight", "blk.%d.ffn_up.weight", WEIGHT_DENSE },
    { W_ffn_up_bias, LAYER "mlp.up_proj.bias", "blk.%d.ffn_up.bias", WEIGHT_DENSE, AT(ffn_bias) },
    { W_ffn_down, LAYER "mlp.down_proj.weight", "blk.%d.ffn_down.weight", WEIGHT_DENSE },
    { W_ffn_down_bias, LAYER "mlp.down_proj.bias", "blk.%d.ffn_down.bias", WEIGHT_DENSE, AT(ffn_bias) },
    { W_router, LAYER "block_sparse_moe.gate.weight", "blk.%d.ffn_gate_inp.weight", WEIGHT_EXPERTS },
    { W_expert_gate, LAYER "block_sparse_moe.experts.%e.w1.weight", "blk.%d.ffn_gate_exps.weight|blk.%d.ffn_gate.%e.weight",
      WEIGHT_EXPERTS },
    { W_expert_up, LAYER "block_sparse_moe.experts.%e.w3.weight", "blk.%d.ffn_up_exps.weight|blk.%d.ffn_up.%e.weight", WEIGHT_EXPERTS },
    { W_expert_down, LAYER "block_sparse_moe.experts.%e.w2.weight", "blk.%d.ffn_down_exps.weight|blk.%d.ffn_down.%e.weight",
      WEIGHT_EXPERTS },
};

/* Derived numbers; Hugging Face keeps queries and keys in half-split order, GGUF and llama2.c in pairs. */
static int finish_shape(struct arch *a, const struct config *c, struct hearth_error *err)
{
    if (!a->n_kv) a->n_kv = a->n_head;
    if (!a->key_width) a->key_width = a->width / a->n_head;
    if (!a->value_width) a->value_width = a->key_width;
    if (a->n_head % a->n_kv) return fail(err, HEARTH_E_FORMAT, "%d query heads cannot share %d key/value heads", a->n_head, a->n_kv);
    if (a->n_expert) {
        a->ffn = FFN_EXPERTS;
        a->expert_normalize = true;
    }
    a->rope.interleaved = c->gguf;
    int status = config_rope(c, a, err);
    /* the class turns whole heads, whatever this key says; with a scaling it would fail */
    if (!status && a->rope.kind != ROPE_DEFAULT) status = config_guards(c, scaled_guards, err);
    return status;
}

/* GGUF says nothing about biases and ties: the tensors tell. */
static int finish_llama(struct arch *a, const struct config *c, struct hearth_error *err)
{
    if (c->gguf) {
        a->tied = true;
        a->qkv_bias = container_tensor(c->c, "blk.0.attn_q.bias") != NULL;
        a->out_bias = container_tensor(c->c, "blk.0.attn_output.bias") != NULL;
        a->ffn_bias = container_tensor(c->c, "blk.0.ffn_gate.bias") != NULL;
    }
    int status = config_read(c, llama_keys, a, err);
    return status ? status : finish_shape(a, c, err);
}

static int finish_mistral(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *window = container_kv(c->c, "sliding_window");
    if (window && window->type == KV_NULL) a->window = 0; /* null switches it off; absent means the class's 4096 */
    int status = config_read(c, mistral_keys, a, err);
    return status ? status : finish_shape(a, c, err);
}

static int finish_mixtral(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = config_read(c, mixtral_keys, a, err);
    return status ? status : finish_shape(a, c, err);
}

#define LLAMA_AXES DECODER_AXES, .act = ACT_SILU, .bos = 1, .pad = -1

const struct family family_llama = {
    .name = "llama", .models =
        "LLaMA 7B to 65B, Llama 2, Llama 3, Code Llama, Phind-CodeLlama, Alpaca, Vicuna, Koala, WizardLM, GPT4All, OpenLLaMA, XGen, "
        "Nous Hermes, MythoMax, Mythalion, Pygmalion 7B and 2, Xwin, Zarablend, MLewd-ReMM, Holodeck and HoloMax 13B, "
        "Spring Dragon, Marx 3B, TinyLlama, SOLAR, Yi, DeepSeek LLM and Coder",
    .hf_types = (const char *const[]){ "llama", NULL }, .gguf_archs = (const char *const[]){ "llama", NULL },
    .heads = (const char *const[]){ "LlamaForCausalLM", "LLaMAForCausalLM", "YiForCausalLM", NULL },
    .initial = { LLAMA_AXES, .eos = 2, .context = 2048, .norm_eps = 1e-6f, .rope.theta = 10000 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish_llama,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};

const struct family family_mistral = {
    .name = "mistral", .models = "Mistral 7B, Instruct, OpenOrca, OpenHermes, Zephyr, Dans-AdventurousWinds, Mistral Nemo, Codestral 22B",
    .hf_types = (const char *const[]){ "mistral", NULL }, .heads = (const char *const[]){ "MistralForCausalLM", NULL },
    .initial = { LLAMA_AXES, .eos = 2, .context = 4096 * 32, .norm_eps = 1e-6f, .rope.theta = 10000, .n_kv = 8, .window = 4096 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish_mistral,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};

const struct family family_mixtral = {
    .name = "mixtral", .models = "Mixtral 8x7B, 8x22B, Nous-Hermes-2-Mixtral, Dolphin-Mixtral",
    .hf_types = (const char *const[]){ "mixtral", NULL }, .heads = (const char *const[]){ "MixtralForCausalLM", NULL },
    .initial = { LLAMA_AXES, .eos = 2, .context = 4096 * 32, .norm_eps = 1e-5f, .rope.theta = 1e6, .n_kv = 8, .n_expert_used = 2 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish_mixtral,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};

/* llama2.c files state no epsilon, theta or end: run.c has 1e-5, 10000, and ends where the next text would begin (BOS). */
const struct family family_llama2c = {
    .name = "llama2c", .models = "stories15M, stories42M, stories110M and other llama2.c exports",
    .gguf_archs = (const char *const[]){ "llama2c", NULL },
    .initial = { LLAMA_AXES, .eos = 1, .norm_eps = 1e-5f, .rope.theta = 10000 },
    .keys = (const struct config_key[]){
        { NULL, "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_REQUIRED },
        { NULL, "block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_REQUIRED },
        { NULL, "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_REQUIRED },
        { NULL, "attention.head_count_kv", CONFIG_INT, AT(n_kv), 1, 4096, CONFIG_REQUIRED },
        { NULL, "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_REQUIRED },
        { NULL, "context_length", CONFIG_INT, AT(context), 1, 1 << 28, CONFIG_REQUIRED },
        END_KEYS,
    },
    .finish = finish_llama,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
