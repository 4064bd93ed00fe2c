/* Configurations: every form is honoured, contradictions are refused with both numbers, unknown settings by name. Each case is
 * a golden folder with its config.json changed. */
#include "test.h"

#include <dirent.h>
#include <sys/stat.h>

#include "golden_data.h"

#include "backends/cpu/cpu_backend.h"
#include "base/file.h"
#include "hearth_inspect.h"
#include "model/model.h"

/* A copy of golden text/NAME (links; the path lasts until the next call) whose config.json has `from` replaced by `to`; from NULL: `to` is the whole file. */
static const char *variant(const char *name, const char *from, const char *to)
{
    static int number;
    static char copy[4096];
    char golden[64], folder[64];
    snprintf(golden, sizeof golden, "text/%s", name);
    snprintf(folder, sizeof folder, "model-%d", number++);
    char *source = strdup(hearth_golden(golden)); /* test_path's own slots go round */
    snprintf(copy, sizeof copy, "%s", test_scratch(folder));
    assert_int_equal(mkdir(copy, 0700), 0);
    DIR *d = opendir(source);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.' || !strcmp(e->d_name, "config.json") || !strcmp(e->d_name, "model.gguf")) continue;
        assert_int_equal(symlink(test_path(source, e->d_name), test_path(copy, e->d_name)), 0);
    }
    closedir(d);
    char *text = read_file(test_path(source, "config.json"), NULL);
    struct buf b;
    buf_init(&b, 1 << 20);
    const char *at = from ? strstr(text, from) : text;
    if (!at) fail_msg("%s: config.json has no %s", name, from);
    buf_put(&b, text, (size_t)(at - text));
    buf_puts(&b, to);
    if (from) buf_puts(&b, at + strlen(from));
    write_file(test_path(copy, "config.json"), b.p, b.n);
    buf_free(&b);
    free(text);
    free(source);
    return copy;
}

static int open_status(const char *path, struct hearth_error *err)
{
    struct backend *b;
    struct model *m = NULL;
    assert_ok(cpu_backend_new(&b, &(struct cpu_options){ .threads = 1 }, err), err);
    int status = model_open(&m, path, b, err);
    model_close(m);
    cpu_backend_free(b);
    return status;
}

static int ignore_text(void *user, const char *text, size_t n)
{
    (void)user, (void)text, (void)n;
    return 0;
}

static const struct refusal {
    const char *name, *from, *to;
    int         status;
    const char *says[3]; /* all must be in the sentence */
} refusals[] = {
    { "llama", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4", HEARTH_E_FORMAT, { "layers.3" } },
    { "llama", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2", HEARTH_E_FORMAT, { "layers.2" } },
    { "llama", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2.5", HEARTH_E_FORMAT, { "num_hidden_layers", "whole" } },
    { "llama", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 1000000000000", HEARTH_E_FORMAT, { "num_hidden_layers" } },
    { "llama", "\"num_hidden_layers\": 3,", "", HEARTH_E_FORMAT, { "num_hidden_layers" } },
    { "llama", "\"hidden_size\": 32", "\"hidden_size\": 64", HEARTH_E_FORMAT, { "32", "64" } },
    { "llama", "\"hidden_size\": 32", "\"hidden_size\": \"32\"", HEARTH_E_FORMAT, { "hidden_size" } },
    { "llama", "\"hidden_size\": 32", "\"hidden_size\": -32", HEARTH_E_FORMAT, { "hidden_size", "-32" } },
    { "llama", "\"intermediate_size\": 88", "\"intermediate_size\": 96", HEARTH_E_FORMAT, { "88", "96" } },
    { "llama", "\"vocab_size\": 512", "\"vocab_size\": 513", HEARTH_E_FORMAT, { "512", "513" } },
    { "llama", "\"num_key_value_heads\": 4", "\"num_key_value_heads\": 2", HEARTH_E_FORMAT, { "32", "16" } },
    { "llama", "\"num_key_value_heads\": 4", "\"num_key_value_heads\": 3", HEARTH_E_FORMAT, { "4", "3" } },
    { "llama", "\"head_dim\": 8", "\"head_dim\": 16", HEARTH_E_FORMAT, { "32", "64" } },
    { "llama", "\"head_dim\": 8", "\"head_dim\": 7", HEARTH_E_FORMAT, { "7" } },
    { "llama", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": NaN", HEARTH_E_FORMAT, { "rms_norm_eps" } },
    { "llama", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": Infinity", HEARTH_E_FORMAT, { "rms_norm_eps" } },
    { "llama", "\"rope_theta\": 10000.0", "\"rope_theta\": NaN", HEARTH_E_FORMAT, { "rope_theta" } },
    { "llama", "\"rope_theta\": 10000.0", "\"rope_theta\": -1", HEARTH_E_FORMAT, { "rope_theta" } },
    { "llama", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"mish\"", HEARTH_E_UNSUPPORTED, { "mish", "hidden_act" } },
    { "llama", "\"attention_bias\": false", "\"attention_bias\": true", HEARTH_E_FORMAT, { "q_proj.bias" } },
    { "llama", "\"mlp_bias\": false", "\"mlp_bias\": true", HEARTH_E_FORMAT, { "gate_proj.bias" } },
    { "llama", "\"mlp_bias\": false", "\"mlp_bias\": 3", HEARTH_E_FORMAT, { "mlp_bias" } },
    { "llama", "\"model_type\": \"llama\"", "\"model_type\": \"zebra\"", HEARTH_E_UNSUPPORTED, { "zebra", "mixtral" } },
    { "llama", "\"model_type\": \"llama\",", "", HEARTH_E_FORMAT, { "model_type" } },
    { "llama", "LlamaForCausalLM", "LlamaForSequenceClassification", HEARTH_E_UNSUPPORTED, { "LlamaForSequenceClassification" } },
    { "llama", "\"use_cache\": true", "\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4}", HEARTH_E_UNSUPPORTED, { "quantization_config" } },
    { "llama", "\"use_cache\": true", "\"rope_scaling\": {\"type\": \"spiral\", \"factor\": 2.0}", HEARTH_E_UNSUPPORTED, { "spiral" } },
    { "llama", "\"use_cache\": true", "\"rope_scaling\": {\"type\": \"linear\"}", HEARTH_E_FORMAT, { "linear", "factor" } },
    { "llama", "\"use_cache\": true", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0.5}", HEARTH_E_FORMAT, { "0.5" } },
    { "llama", "\"use_cache\": true", "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0}", HEARTH_E_FORMAT, { "llama3" } },
    { "mistral-swa", "\"sliding_window\": 8", "\"sliding_window\": 0", HEARTH_E_FORMAT, { "sliding_window" } },
    { "mixtral", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 5", HEARTH_E_FORMAT, { "5", "4" } },
    { "mixtral", "\"num_local_experts\": 4", "\"num_local_experts\": 3", HEARTH_E_FORMAT, { "4", "3" } },
    { "gpt2", "\"add_cross_attention\": false", "\"add_cross_attention\": true", HEARTH_E_UNSUPPORTED, { "add_cross_attention" } },
    { "gpt2", "\"n_positions\": 256", "\"n_positions\": 512", HEARTH_E_FORMAT, { "256", "512" } },
    { "gpt2", "\"n_head\": 4", "\"n_head\": 5", HEARTH_E_FORMAT, { "5", "32" } },
    { "t5", "\"is_encoder_decoder\": true", "\"is_encoder_decoder\": false", HEARTH_E_UNSUPPORTED, { "is_encoder_decoder" } },
    { "t5", "\"feed_forward_proj\": \"relu\"", "\"feed_forward_proj\": \"gated-gelu\"", HEARTH_E_FORMAT, { "wi_0" } },
    { "t5", "\"relative_attention_max_distance\": 32", "\"relative_attention_max_distance\": 3", HEARTH_E_FORMAT, { "3" } },
    { "codet5p", "\"is_decoder\": true", "\"is_decoder\": false", HEARTH_E_UNSUPPORTED, { "decoder.is_decoder" } },
    { "codet5p", "\"encoder\": {", "\"encoder\": {\"is_decoder\": true,", HEARTH_E_UNSUPPORTED, { "encoder.is_decoder" } },
    { "codet5p", "\"add_cross_attention\": true", "\"add_cross_attention\": false", HEARTH_E_UNSUPPORTED, { "decoder.add_cross_attention" } },
    { "codet5p", "\"is_encoder_decoder\": true", "\"tie_encoder_decoder\": true", HEARTH_E_UNSUPPORTED, { "tie_encoder_decoder" } },
    { "codet5p", "\"decoder\": {", "\"decoder\": {\"cross_attention_hidden_size\": 48,", HEARTH_E_UNSUPPORTED, { "cross_attention_hidden_size" } },
    { "codet5p", "\"n_embd\": 48", "\"n_embd\": 64", HEARTH_E_FORMAT, { "encoder.wte", "48", "64" } },
    { "codet5p", "\"n_layer\": 3", "\"n_layer\": 2", HEARTH_E_FORMAT, { "crossattention" } },
    { "codet5p", "\"n_head\": 4", "\"n_head\": 6", HEARTH_E_FORMAT, { "6", "4" } },
    { "codet5p", "\"rotary_dim\": 6", "\"rotary_dim\": null", HEARTH_E_FORMAT, { "encoder.rotary_dim" } },
    { "codet5p", "\"rotary_dim\": 6", "\"rotary_dim\": 5", HEARTH_E_FORMAT, { "5" } },
    { "rwkv4", "\"attention_hidden_size\": 32", "\"attention_hidden_size\": 48", HEARTH_E_FORMAT, { "32", "48" } },
    { "rwkv5", "\"attention_hidden_size\": 32", "\"attention_hidden_size\": 30", HEARTH_E_FORMAT, { "30", "4" } },
    { "rwkv5", "\"head_size_divisor\": 8", "\"head_size_divisor\": 0", HEARTH_E_FORMAT, { "head_size_divisor" } },
    { "rwkv6", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4", HEARTH_E_FORMAT, { "rwkv.blocks.3" } },
    { "rwkv6", "\"Rwkv6ForCausalLM\"", "\"RWKV6ForCausalLM\"", HEARTH_E_UNSUPPORTED, { "RWKV6ForCausalLM" } },
    { "rwkv7", "\"attn\": null", "\"attn\": {\"layers\": [1], \"num_heads\": 4}", HEARTH_E_UNSUPPORTED, { "attn.layers" } },
    { "rwkv7", "\"norm_first\": true", "\"norm_first\": false", HEARTH_E_FORMAT, { "norm_first" } },
    { "rwkv7", "\"norm_bias\": true", "\"norm_bias\": false", HEARTH_E_FORMAT, { "norm_bias" } },
    { "mamba2", "\"num_heads\": 8", "\"num_heads\": 16", HEARTH_E_FORMAT, { "16", "8" } },
    { "mamba2", "\"n_groups\": 2", "\"n_groups\": 3", HEARTH_E_FORMAT, { "8", "3" } },
    { "mamba2", "\"time_step_limit\": [\n    0.01,", "\"time_step_limit\": [\n    1.0,", HEARTH_E_FORMAT, { "time_step_limit" } },
    { "openmoe", "\"hidden_act\": \"swiglu\"", "\"hidden_act\": \"gelu\"", HEARTH_E_UNSUPPORTED, { "hidden_act", "swiglu" } },
    { "openmoe", "\"hidden_act\": \"swiglu\",", "", HEARTH_E_UNSUPPORTED, { "hidden_act", "swiglu" } },
    { "openmoe", "\"mlp_gated\": true", "\"mlp_gated\": false", HEARTH_E_UNSUPPORTED, { "mlp_gated" } },
    { "openmoe", "\"router_topk\": 2", "\"router_topk\": 3", HEARTH_E_FORMAT, { "router_topk", "3" } },
    { "openmoe", "\"num_experts\": 6", "\"num_experts\": 5", HEARTH_E_FORMAT, { "6", "5" } },
    { "openmoe", "\"moe_layer_interval\": 2", "\"moe_layer_interval\": 0", HEARTH_E_FORMAT, { "moe_layer_interval" } },
    { "openmoe", "\"moe_layer_interval\": 2", "\"moe_layer_interval\": 3", HEARTH_E_FORMAT, { "mlp." } },
    { "openmoe", "\"head_dim\": 8,", "", HEARTH_E_FORMAT, { "head_dim" } },
    { "mixtral", "\"intermediate_size\": 48", "\"intermediate_size\": 40", HEARTH_E_FORMAT, { "48", "40" } },
    { "gpt_neo", "\"num_heads\": 4", "\"num_heads\": 5", HEARTH_E_FORMAT, { "32", "5" } },
    { "gpt_neo", "\"window_size\": 8", "\"window_size\": 0", HEARTH_E_FORMAT, { "window_size" } },
    { "gptj", "\"rotary_dim\": 4", "\"rotary_dim\": 10", HEARTH_E_FORMAT, { "10", "8" } },
    { "gptj", "\"n_inner\": null", "\"n_inner\": 64", HEARTH_E_FORMAT, { "128", "64" } },
    { "gptj", "\"rotary_dim\": 4", "\"rotary_dim\": 4, \"rope_theta\": 500.0", HEARTH_E_UNSUPPORTED, { "rope_theta" } },
    { "codegen", "\"n_embd\": 64", "\"n_embd\": 32", HEARTH_E_FORMAT, { "64", "32" } },
    { "codegen", "\"n_head\": 8", "\"n_head\": 6", HEARTH_E_FORMAT, { "6" } },
    { "gpt_neox", "\"intermediate_size\": 128", "\"intermediate_size\": 96", HEARTH_E_FORMAT, { "128", "96" } },
    { "gpt_neox", "\"rotary_pct\": 0.25", "\"rotary_pct\": 1.5", HEARTH_E_FORMAT, { "1.5" } },
    { "gpt_neox", "\"attention_bias\": true", "\"attention_bias\": false", HEARTH_E_FORMAT, { "attention.dense.bias" } },
    { "starcoder-mqa", "\"n_inner\": 96", "\"n_inner\": 128", HEARTH_E_FORMAT, { "96", "128" } },
    { "starcoder-mqa", "\"multi_query\": true", "\"multi_query\": false", HEARTH_E_FORMAT, { "48", "96" } },
    { "starcoder-mqa", "\"add_cross_attention\": false", "\"add_cross_attention\": true", HEARTH_E_UNSUPPORTED, { "add_cross_attention" } },
    { "starcoder2", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 4", HEARTH_E_FORMAT, { "16", "32" } },
    { "starcoder2", "\"use_bias\": true", "\"use_bias\": false", HEARTH_E_FORMAT, { "bias" } },
    { "opt", "\"ffn_dim\": 96", "\"ffn_dim\": 64", HEARTH_E_FORMAT, { "96", "64" } },
    { "opt", "\"max_position_embeddings\": 256", "\"max_position_embeddings\": 128", HEARTH_E_FORMAT, { "258", "130" } },
    { "opt-350m", "\"word_embed_proj_dim\": 24", "\"word_embed_proj_dim\": 32", HEARTH_E_FORMAT, { "24", "32" } },
    { "opt", "\"enable_bias\": true", "\"enable_bias\": false", HEARTH_E_FORMAT, { "bias" } },
    { "xglm", "\"ffn_dim\": 96", "\"ffn_dim\": 64", HEARTH_E_FORMAT, { "96", "64" } },
    { "xglm", "\"attention_heads\": 4", "\"attention_heads\": 5", HEARTH_E_FORMAT, { "32", "5" } },
    { "xglm", "\"add_cross_attention\": false", "\"add_cross_attention\": true", HEARTH_E_UNSUPPORTED, { "add_cross_attention" } },
    { "bloom", "\"n_head\": 4", "\"n_head\": 3", HEARTH_E_FORMAT, { "32", "3" } },
    { "mpt", "\"n_heads\": 4", "\"n_heads\": 5", HEARTH_E_FORMAT, { "32", "5" } },
    { "mpt", "\"prefix_lm\": false", "\"prefix_lm\": true", HEARTH_E_UNSUPPORTED, { "prefix_lm" } },
    { "mpt", "\"low_precision_layernorm\"", "\"rmsnorm\"", HEARTH_E_UNSUPPORTED, { "norm_type", "rmsnorm" } },
    { "falcon-40b", "\"num_kv_heads\": 2", "\"num_kv_heads\": 1", HEARTH_E_FORMAT, { "64", "48" } },
    { "falcon-40b", "\"num_kv_heads\": 2", "\"num_kv_heads\": 3", HEARTH_E_FORMAT, { "4", "3" } },
    { "falcon-7b", "\"ffn_hidden_size\": 128", "\"ffn_hidden_size\": 96", HEARTH_E_FORMAT, { "128", "96" } },
    { "persimmon", "\"intermediate_size\": 96", "\"intermediate_size\": 80", HEARTH_E_FORMAT, { "96", "80" } },
    { "persimmon", "\"qk_layernorm\": true", "\"qk_layernorm\": false", HEARTH_E_FORMAT, { "layernorm" } },
    { "phi", "\"num_key_value_heads\": 4", "\"num_key_value_heads\": 2", HEARTH_E_FORMAT, { "32", "16" } },
    { "phi", "\"partial_rotary_factor\": 0.5", "\"partial_rotary_factor\": 0.0", HEARTH_E_FORMAT, { "0" } },
    { "phi3", "\"num_key_value_heads\": 4", "\"num_key_value_heads\": 2", HEARTH_E_FORMAT, { "96", "64" } },
    { "phi3", "\"rope_theta\": 10000.0", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}", HEARTH_E_UNSUPPORTED, { "linear" } },
    { "phi3-longrope", "1.1,", "1.1, 1.15,", HEARTH_E_FORMAT, { "5", "4" } },
    { "stablelm", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", HEARTH_E_FORMAT, { "4", "3" } },
    { "stablelm", "\"use_qkv_bias\": true", "\"use_qkv_bias\": false", HEARTH_E_FORMAT, { "_proj.bias" } },
    { "cohere", "\"intermediate_size\": 88", "\"intermediate_size\": 80", HEARTH_E_FORMAT, { "88", "80" } },
    { "cohere", "\"use_qk_norm\": true", "\"use_qk_norm\": false", HEARTH_E_FORMAT, { "_norm.weight" } },
    { "cohere2", "\"num_hidden_layers\": 5", "\"num_hidden_layers\": 6", HEARTH_E_FORMAT, { "5", "6" } },
    { "cohere2", "\"full_attention\"", "\"chunked_attention\"", HEARTH_E_UNSUPPORTED, { "chunked_attention" } },
    { "cohere2", "\"sliding_window\": 6", "\"sliding_window\": null", HEARTH_E_UNSUPPORTED, { "sliding_window" } },
    { "granite", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 1", HEARTH_E_FORMAT, { "16", "8" } },
    { "granite", "\"mlp_bias\": false", "\"mlp_bias\": true", HEARTH_E_FORMAT, { "bias" } },
    { "granite", "\"logits_scaling\": 2.0", "\"logits_scaling\": 0", HEARTH_E_FORMAT, { "logits_scaling" } },
    { "granitemoe", "\"shared_intermediate_size\": 40", "\"shared_intermediate_size\": 24", HEARTH_E_FORMAT, { "80", "48" } },
    { "granitemoe", "\"num_local_experts\": 4", "\"num_local_experts\": 5", HEARTH_E_FORMAT, { "4", "5" } },
    { "olmo", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", HEARTH_E_FORMAT, { "16", "24" } },
    { "olmo", "\"clip_qkv\": 0.5", "\"clip_qkv\": -1", HEARTH_E_FORMAT, { "clip_qkv" } },
    { "olmo2", "\"intermediate_size\": 88", "\"intermediate_size\": 80", HEARTH_E_FORMAT, { "88", "80" } },
    { "olmo2", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"mish\"", HEARTH_E_UNSUPPORTED, { "mish" } },
    { "qwen2", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 4", HEARTH_E_FORMAT, { "16", "32" } },
    { "qwen3", "\"head_dim\": 16", "\"head_dim\": 8", HEARTH_E_FORMAT, { "64", "32" } },
    { "qwen3", "\"attention_bias\": false", "\"attention_bias\": true", HEARTH_E_FORMAT, { "q_proj.bias" } },
    { "qwen2_moe", "\"num_experts\": 6", "\"num_experts\": 5", HEARTH_E_FORMAT, { "5" } },
    { "qwen2_moe", "\"shared_expert_intermediate_size\": 40", "\"shared_expert_intermediate_size\": 44", HEARTH_E_FORMAT, { "40", "44" } },
    { "qwen3_moe", "\"moe_intermediate_size\": 24", "\"moe_intermediate_size\": 20", HEARTH_E_FORMAT, { "24", "20" } },
    { "qwen3_moe", "\"decoder_sparse_step\": 1", "\"decoder_sparse_step\": 0", HEARTH_E_FORMAT, { "decoder_sparse_step", "0" } },
    { "gemma", "\"head_dim\": 16", "\"head_dim\": 8", HEARTH_E_FORMAT, { "64", "32" } },
    { "gemma", "\"use_bidirectional_attention\": null", "\"use_bidirectional_attention\": true", HEARTH_E_UNSUPPORTED, { "use_bidirectional_attention" } },
    { "gemma2", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 4", HEARTH_E_FORMAT, { "32", "64" } },
    { "gemma2", "\"query_pre_attn_scalar\": 24", "\"query_pre_attn_scalar\": 0", HEARTH_E_FORMAT, { "query_pre_attn_scalar" } },
    { "gemma3", "\"intermediate_size\": 96", "\"intermediate_size\": 80", HEARTH_E_FORMAT, { "96", "80" } },
    { "gemma3", "\"num_hidden_layers\": 6", "\"num_hidden_layers\": 5", HEARTH_E_FORMAT, { "6", "5" } },
    { "deepseek_v2", "\"kv_lora_rank\": 16", "\"kv_lora_rank\": 12", HEARTH_E_FORMAT, { "24", "20" } },
    { "deepseek_v2", "\"group_limited_greedy\"", "\"best\"", HEARTH_E_UNSUPPORTED, { "topk_method" } },
    { "deepseek_v3", "\"n_group\": 2", "\"n_group\": 3", HEARTH_E_FORMAT, { "8", "3" } },
    { "deepseek_v3", "\"q_lora_rank\": 24", "\"q_lora_rank\": 20", HEARTH_E_FORMAT, { "24", "20" } },
    { "deepseek_v3", "\"pretraining_tp\": 1", "\"scoring_func\": \"softmax\"", HEARTH_E_UNSUPPORTED, { "scoring_func" } },
    { "gpt_oss", "\"num_local_experts\": 4", "\"num_local_experts\": 5", HEARTH_E_FORMAT, { "4", "5" } },
    { "gpt_oss", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 5", HEARTH_E_FORMAT, { "5", "4" } },
    { "gpt_oss", "\"sliding_window\": 8", "\"sliding_window\": null", HEARTH_E_UNSUPPORTED, { "sliding_window" } },
    { "mamba", "\"state_size\": 8", "\"state_size\": 16", HEARTH_E_FORMAT, { "20", "36" } },
    { "mamba", "\"time_step_rank\": 4", "\"time_step_rank\": 5", HEARTH_E_FORMAT, { "20", "21" } },
    { "mamba", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"mish\"", HEARTH_E_UNSUPPORTED, { "mish" } },
    { "mamba2", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"mish\"", HEARTH_E_UNSUPPORTED, { "mish" } },
    { "mt5", "\"d_ff\": 64", "\"d_ff\": 48", HEARTH_E_FORMAT, { "64", "48" } },
    { "mt5", "\"is_encoder_decoder\": true", "\"is_encoder_decoder\": false", HEARTH_E_UNSUPPORTED, { "is_encoder_decoder" } },
    { "umt5", "\"relative_attention_num_buckets\": 8", "\"relative_attention_num_buckets\": 16", HEARTH_E_FORMAT, { "8", "16" } },
    { "umt5", "\"gated-gelu\"", "\"gated-mish\"", HEARTH_E_UNSUPPORTED, { "feed_forward_proj" } },
    { "rwkv4", "\"hidden_size\": 32", "\"hidden_size\": 48", HEARTH_E_FORMAT, { "32", "48" } },
    { "bloom", "\"slow_but_exact\": false", "\"slow_but_exact\": true, \"pretraining_tp\": 4", HEARTH_E_UNSUPPORTED, { "slow_but_exact" } },
    { "deepseek_v2", "\"norm_topk_prob\": false", "\"norm_topk_prob\": true, \"auto_map\": {\"AutoConfig\": \"c.D\"}", HEARTH_E_UNSUPPORTED, { "norm_topk_prob" } },
    { "llama", NULL, "[1, 2]", HEARTH_E_FORMAT, { NULL } },
    { "llama", NULL, "{\"model_type\": \"llama\"", HEARTH_E_FORMAT, { NULL } },
    { "llama", NULL, "", HEARTH_E_FORMAT, { NULL } },
};

static void contradictions_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        struct hearth_error err = { 0 };
        int status = open_status(variant(r->name, r->from, r->to), &err);
        if (status != r->status) fail_msg("%s with %s: %s (%s)", r->name, r->to, hearth_status_name(status), err.text);
        for (int k = 0; k < 3 && r->says[k]; k++)
            if (!strstr(err.text, r->says[k])) fail_msg("%s with %s: \"%s\" does not say %s", r->name, r->to, err.text, r->says[k]);
    }
}

/* Two rows for every family: a size that is not its tensors', and weights in a form that none can read. */
static void every_family_refuses(void **state)
{
    (void)state;
    static const char *const names[] = {
#define GOLDEN(name, gguf, limit) name,
#include "../engine/goldens.def"
#undef GOLDEN
    };
    static const struct { const char *from, *to, *says[2]; int status; } rows[] = {
        { "\"vocab_size\": ", "\"vocab_size\": 1", { "vocabulary" }, HEARTH_E_FORMAT }, /* 512 becomes 1512 */
        { "{", "{ \"quantization_config\": {\"quant_method\": \"gptq\"},", { "quantization_config", "gptq" }, HEARTH_E_UNSUPPORTED },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            if (k && !strcmp(names[i], "gpt_oss-mxfp4")) continue; /* has such a key, and may */
            struct hearth_error err = { 0 };
            int status = open_status(variant(names[i], rows[k].from, rows[k].to), &err);
            if (status != rows[k].status) fail_msg("%s with %s: %s (%s)", names[i], rows[k].to, hearth_status_name(status), err.text);
            if (!strstr(err.text, rows[k].says[0])) fail_msg("%s: \"%s\" does not say %s", names[i], err.text, rows[k].says[0]);
        }
}

/* Changes that mean nothing, or the same in another form: the recorded results still come out. */
static const struct { const char *name, *from, *to; } same[] = {
    { "llama", "\"use_cache\": true", "\"favourite_colour\": \"green\"" },
    { "llama", "\"use_cache\": true", "\"rope_scaling\": null" },
    { "llama", "\"use_cache\": true", "\"sliding_window\": 3" }, /* LlamaConfig has no such key */
    { "llama", "\"rope_theta\": 10000.0", "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0}" },
    { "llama", "\"torch_dtype\": \"float16\"", "\"dtype\": \"float16\"" },
    { "llama", "\"head_dim\": 8,", "" },
    { "llama", "\"num_key_value_heads\": 4,", "" },
    { "llama", "\"pretraining_tp\": 1", "\"pretraining_tp\": 2" },
    { "codellama-linear", "\"type\": \"linear\"", "\"rope_type\": \"linear\"" },
    { "codellama-linear", "\"rope_theta\": 1000000.0,\n  \"rope_scaling\": {", "\"rope_parameters\": {\"rope_theta\": 1e6," },
    { "llama-yarn", "\"rope_parameters\": {", "\"rope_theta\": 10000.0, \"rope_scaling\": {" },
    { "llama3", "\"rope_type\": \"llama3\"", "\"type\": \"llama3\"" },
    { "mixtral", "\"sliding_window\": null", "\"sliding_window\": 100" },
    { "gpt2", "\"n_inner\": null", "\"n_inner\": 128" },
    { "gpt2", "\"activation_function\": \"gelu_new\"", "\"activation_function\": \"gelu_pytorch_tanh\"" },
    { "codet5p", "\"n_inner\": null,", "" },
    { "codet5p", "\"activation_function\": \"gelu_new\",", "" },
    { "codet5p", "\"decoder\": {", "\"decoder\": {\"scale_attn_weights\": false," }, /* read by no reference */
    { "codet5p-same", "\"rotary_dim\": 64", "\"rotary_dim\": 12" }, /* heads of 12 turn in all of it */
    { "bert", "\"model_type\": \"bert\",", "" }, /* as SciBERT's: its tensors tell */
    { "bert", "\"layer_norm_eps\": 1e-12,", "" },
    { "distilbert", "\"activation\": \"gelu\",", "" },
    { "mamba-narrow", "\"time_step_rank\": 1", "\"time_step_rank\": \"auto\"" },
    { "bart-untied", "\"scale_embedding\": false,", "" },
    { "rwkv4", "\"attention_hidden_size\": 32,", "" },
    { "rwkv4", "\"intermediate_size\": 128,", "" },
    { "rwkv5", "\"intermediate_size\": null,", "" },
    { "rwkv5", "\"head_size_divisor\": 8,", "" },
    { "rwkv5", "\"rescale_every\": 6", "\"rescale_every\": 1" },
    { "rwkv6", "\"attention_hidden_size\": 32,", "" },
    { "rwkv7", "\"hidden_act\": \"sqrelu\"", "\"hidden_act\": \"relu2\"" },
    { "rwkv7", "\"num_heads\": 4", "\"num_heads\": null" },
    { "mamba2", "\"chunk_size\": 16", "\"chunk_size\": 256" },
    { "mamba2", "\"chunk_size\": 16", "\"norm_before_gate\": true" }, /* read by no reference */
    { "mamba2-tied", "\"use_conv_bias\": true,", "" },
    { "t5", "\"scale_decoder_outputs\": true,", "" },
    { "gemma", "\"hidden_act\": \"gelu_pytorch_tanh\"", "\"hidden_act\": \"gelu\"" },
    { "bloom", "\"slow_but_exact\": false", "\"slow_but_exact\": true" }, /* with one slice the product is whole */
    { "deepseek_v2", "\"norm_topk_prob\": false", "\"norm_topk_prob\": true" },
    { "codellama-linear", "\"rope_theta\": 1000000.0", "\"rope_theta\": 1000000.0, \"rope_parameters\": {\"rope_type\": \"dynamic\", \"factor\": 2.0, \"rope_theta\": 3.0}" },
    { "gemma3", "\"model_type\": \"gemma3_text\"", "\"model_type\": \"gemma3\", \"text_config\": {\"model_type\": \"gemma3_text\", \"tie_word_embeddings\": false, \"final_logit_softcapping\": 3.0}" },
    { "mpt", "\"logit_scale\": null", "\"logit_scale\": 0.5" },
    { "gpt_neox", "\"rotary_pct\": 0.25", "\"partial_rotary_factor\": 0.25" },
};

static int differs(const char *path)
{
    struct hearth_error err = { 0 };
    const hearth_model_options o = { .size = sizeof o, .threads = 1, .arith = HEARTH_ARITH_F32 };
    int d = -1;
    assert_ok(hearth_verify(path, &o, 1e-5, 0, ignore_text, NULL, &d, &err), &err);
    return d;
}

static void forms_are_equal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (differs(variant(same[i].name, same[i].from, same[i].to))) fail_msg("%s with %s differs", same[i].name, same[i].to);
}

/* Settings that must change the result: a key that is read but not used would pass silently. */
static const struct { const char *name, *from, *to; } other[] = {
    { "llama", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 1e-01" },
    { "llama", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"" },
    { "llama", "\"rope_theta\": 10000.0", "\"rope_theta\": 500.0" },
    { "llama-yarn", "\"factor\": 8.0", "\"factor\": 16.0" },
    { "llama-yarn", "\"factor\": 8.0", "\"factor\": 8.0, \"attention_factor\": 1.5" },
    { "llama-yarn", "\"factor\": 8.0", "\"factor\": 8.0, \"beta_slow\": 0.01" },
    { "llama3", "\"low_freq_factor\": 1.0", "\"low_freq_factor\": 2.0" },
    { "mistral-swa", "\"sliding_window\": 8", "\"sliding_window\": 9" },
    { "mistral-swa", "\"sliding_window\": 8", "\"sliding_window\": null" },
    { "mixtral", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 1" },
    { "mixtral", "\"sliding_window\": null", "\"sliding_window\": 5" },
    { "gpt2", "\"scale_attn_weights\": true", "\"scale_attn_weights\": false" },
    { "gpt2", "\"scale_attn_by_inverse_layer_idx\": false", "\"scale_attn_by_inverse_layer_idx\": true" },
    { "gpt2", "\"activation_function\": \"gelu_new\"", "\"activation_function\": \"relu\"" },
    { "t5", "\"scale_decoder_outputs\": true", "\"scale_decoder_outputs\": false" },
    { "t5", "\"relative_attention_max_distance\": 32", "\"relative_attention_max_distance\": 64" },
    { "rwkv4", "\"layer_norm_epsilon\": 1e-05", "\"layer_norm_epsilon\": 1e-01" },
    { "rwkv5", "\"layer_norm_epsilon\": 1e-05", "\"layer_norm_epsilon\": 1e-01" },
    { "rwkv5", "\"head_size_divisor\": 8", "\"head_size_divisor\": 80" },
    { "rwkv6", "\"head_size_divisor\": 8", "\"head_size_divisor\": 80" },
    { "rwkv7", "\"norm_eps\": 1e-05", "\"norm_eps\": 1e-03" },
    { "rwkv7", "\"hidden_act\": \"sqrelu\"", "\"hidden_act\": \"relu\"" },
    { "mamba2", "0.01,\n    0.9", "0.01,\n    0.5" },
    { "mamba2", "0.01,\n    0.9", "0.2,\n    0.9" },
    { "mamba2", "\"layer_norm_epsilon\": 1e-05", "\"layer_norm_epsilon\": 1e-01" },
    { "mamba2", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"" },
    { "gpt_neo", "\"window_size\": 8", "\"window_size\": 9" },
    { "gptj", "\"rotary_dim\": 4", "\"rotary_dim\": 8" },
    { "codegen", "\"rotary_dim\": 4", "\"rotary_dim\": 8" },
    { "codet5p", "\"rotary_dim\": 6", "\"rotary_dim\": 8" }, /* the encoder's, and the decoder's: */
    { "codet5p", "\"rotary_dim\": 4", "\"rotary_dim\": 8" },
    { "codet5p", "\"activation_function\": \"gelu\"", "\"activation_function\": \"gelu_new\"" },
    { "codet5p", "\"layer_norm_epsilon\": 1e-06", "\"layer_norm_epsilon\": 1e-02" },
    { "gpt_neox", "\"use_parallel_residual\": true", "\"use_parallel_residual\": false" },
    { "gpt_neox-redpajama", "\"rotary_emb_base\": 10000.0", "\"rotary_emb_base\": 500.0" },
    { "starcoder-mqa", "\"scale_attn_weights\": true", "\"scale_attn_weights\": false" },
    { "starcoder2", "\"sliding_window\": 8", "\"sliding_window\": 7" },
    { "xglm", "\"scale_embedding\": true", "\"scale_embedding\": false" },
    { "bloom", "\"apply_residual_connection_post_layernorm\": false", "\"apply_residual_connection_post_layernorm\": true" },
    { "mpt", "\"clip_qkv\": null", "\"clip_qkv\": 0.3" },
    { "falcon-40b", "\"rope_theta\": 10000.0", "\"rope_theta\": 500.0" },
    { "falcon-7b", "\"alibi\": false", "\"alibi\": true" },
    { "persimmon", "\"partial_rotary_factor\": 0.5", "\"partial_rotary_factor\": 1.0" },
    { "phi", "\"partial_rotary_factor\": 0.5", "\"partial_rotary_factor\": 1.0" },
    { "phi3", "\"sliding_window\": 9", "\"sliding_window\": 10" },
    { "stablelm", "\"partial_rotary_factor\": 0.25", "\"partial_rotary_factor\": 0.5" },
    { "cohere", "\"logit_scale\": 0.25", "\"logit_scale\": 0.5" },
    { "cohere2", "\"sliding_window\": 6", "\"sliding_window\": 7" },
    { "granite", "\"residual_multiplier\": 0.5", "\"residual_multiplier\": 0.4" },
    { "granite", "\"attention_multiplier\": 0.2", "\"attention_multiplier\": 0.3" },
    { "granite", "\"embedding_multiplier\": 3.0", "\"embedding_multiplier\": 2.0" },
    { "olmo", "\"clip_qkv\": 0.5", "\"clip_qkv\": null" },
    { "olmo2", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 1e-02" },
    { "qwen2", "\"use_sliding_window\": false", "\"use_sliding_window\": true, \"sliding_window\": 5, \"layer_types\": null, \"max_window_layers\": 0" },
    { "qwen2_moe", "\"norm_topk_prob\": false", "\"norm_topk_prob\": true" },
    { "qwen3_moe", "\"norm_topk_prob\": true", "\"norm_topk_prob\": false" },
    { "gemma2", "\"query_pre_attn_scalar\": 24", "\"query_pre_attn_scalar\": 16" },
    { "gemma2", "\"attn_logit_softcapping\": 5.0", "\"attn_logit_softcapping\": null" },
    { "gemma2", "\"final_logit_softcapping\": 3.0", "\"final_logit_softcapping\": null" },
    { "gemma3", "\"rope_theta\": 10000.0", "\"rope_theta\": 500.0" },
    { "gemma3", "\"sliding_window\": 8", "\"sliding_window\": 7" },
    { "deepseek_v3", "\"norm_topk_prob\": true", "\"norm_topk_prob\": false" },
    { "deepseek_v3", "\"routed_scaling_factor\": 1.5", "\"routed_scaling_factor\": 1.0" },
    { "deepseek_v3", "\"rope_interleave\": true", "\"rope_interleave\": false" },
    { "deepseek_v2", "\"topk_group\": 2", "\"topk_group\": 3" },
    { "gpt_oss", "\"rope_type\": \"yarn\",", "" },
    { "gpt_oss", "\"truncate\": false", "\"truncate\": true" },
    { "gpt_oss", "\"swiglu_limit\": 7.0", "\"swiglu_limit\": 0.5" },
    { "gemma", "\"hidden_act\": \"gelu_pytorch_tanh\"", "\"hidden_act\": \"gelu_python\"" }, /* only "gelu" is a slip of the first files */
};

static void settings_are_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (!differs(variant(other[i].name, other[i].from, other[i].to))) fail_msg("%s with %s changes nothing", other[i].name, other[i].to);
}

/* RWKV's rescaling halves states and branches alike: only the epsilon of the norms can tell. */
static void rescaling_is_nearly_neutral(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    const hearth_model_options o = { .size = sizeof o, .threads = 1, .arith = HEARTH_ARITH_F32 };
    int d = -1;
    const char *path = variant("rwkv4", "\"rescale_every\": 0", "\"rescale_every\": 2");
    assert_ok(hearth_verify(path, &o, 1e-5, 0, ignore_text, NULL, &d, &err), &err);
    assert_int_equal(d, 1); /* hidden states are halved */
}

/* A copy of the llama golden with all tensors in F64: vectors could be read, matrices cannot be multiplied. */
static void unusable_types_are_named(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    struct buf header, data;
    buf_init(&header, 1 << 20);
    buf_init(&data, 1 << 22);
    char *folder = strdup(variant("llama", "\"use_cache\": true", "\"use_cache\": false"));
    struct container *c = golden_open(folder);
    for (uint64_t i = 0; i < c->n_tensor; i++) {
        const struct file_tensor *t = &c->tensor[i];
        const size_t from = data.n, n = t->n_bytes / 2;
        for (size_t k = 0; k < n; k++) buf_put(&data, &(double){ 0.5 }, sizeof(double));
        buf_printf(&header, "%s\"%.*s\":{\"dtype\":\"F64\",\"shape\":[%llu", i ? "," : "{", (int)t->name.n, t->name.p, (unsigned long long)t->dim[0]);
        if (t->rank == 2) buf_printf(&header, ",%llu", (unsigned long long)t->dim[1]);
        buf_printf(&header, "],\"data_offsets\":[%zu,%zu]}", from, data.n);
    }
    buf_char(&header, '}');
    while (header.n % 8) buf_char(&header, ' ');
    container_close(c);
    struct buf file;
    buf_init(&file, 1 << 23);
    buf_put(&file, &(uint64_t){ header.n }, 8);
    buf_put(&file, header.p, header.n);
    buf_put(&file, data.p, data.n);
    unlink(test_path(folder, "model.safetensors"));
    write_file(test_path(folder, "model.safetensors"), file.p, file.n);
    assert_fails(open_status(folder, &err), HEARTH_E_UNSUPPORTED, &err);
    assert_non_null(strstr(err.text, "F64"));
    buf_free(&header);
    buf_free(&data);
    buf_free(&file);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contradictions_are_refused), cmocka_unit_test(every_family_refuses), cmocka_unit_test(forms_are_equal), cmocka_unit_test(settings_are_used),
        cmocka_unit_test(rescaling_is_nearly_neutral), cmocka_unit_test(unusable_types_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
