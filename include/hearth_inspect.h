/* Unstable extras for hearth's own tools: what a file holds, what a model computes, how it compares with a reference.
 * May change with every version. */
#ifndef HEARTH_INSPECT_H
#define HEARTH_INSPECT_H

#include "hearth.h"

/* Text goes out in pieces; non-zero return stops. */
typedef int hearth_write(void *user, const char *text, size_t n);

/* Keys, tensors, types, sizes, tokenizer and licence of a file or folder; needs no supported family. */
HEARTH_API int hearth_inspect(const char *path, int json, hearth_write *write, void *user, hearth_error *err);

/* The families of models that can be run: names in files, real models. */
HEARTH_API int hearth_families(int json, hearth_write *write, void *user, hearth_error *err);

/* The processor's features, those that cpu_mask allows (as in hearth_model_options), and which kernels serve each type. */
HEARTH_API int hearth_cpu(const char *cpu_mask, int json, hearth_write *write, void *user, hearth_error *err);

/* What the machine does at most, a second: bytes read, multiplications with an addition in f32 and in bytes. */
typedef struct hearth_limits {
    double read_bytes, products_f32, products_i8;
} hearth_limits;

/* Probes with all threads of the model and its strongest kernel set; takes a fraction of a second. bytes: how much lies in the
 * block that is read again and again: a small one stays in the caches, as a small model does. 0, or more than it takes: a block
 * that no cache holds. */
HEARTH_API int hearth_probe(hearth_model *m, uint64_t bytes, hearth_limits *limits, hearth_error *err);

/* What some tokens need at least: bytes of weights (each once; only the experts used, only rows of the embeddings), bytes of
 * keys and values or states, products with each arithmetic of the model. */
typedef struct hearth_cost {
    int64_t weight_bytes, cache_bytes, products_f32, products_i8;
} hearth_cost;

/* A prompt of n_prompt tokens as a whole, and a token in the middle of the n_generate that follow. */
HEARTH_API int hearth_session_cost(hearth_session *s, int32_t n_prompt, int32_t n_generate, hearth_cost *prompt,
                                   hearth_cost *token, hearth_error *err);

/* The resolved layer table and the recorded ops of one step of n_tokens (shapes, types, bytes, source lines). */
HEARTH_API int hearth_explain(hearth_model *m, int n_tokens, int json, hearth_write *write, void *user, hearth_error *err);

/* Logits of every position as safetensors (written atomically): `logits` f32 [T, vocab]; encoder-decoder also
 * `encoder_last_hidden_state` [S, width] (ids feed the encoder, decoder_ids the decoder); encoders `logits` of their head and
 * `last_hidden_state`. decoder_ids NULL: just the start token. progress and cancel (polled between ops) may be NULL. */
HEARTH_API int hearth_logits(hearth_model *m, const int32_t *ids, size_t n, const int32_t *decoder_ids, size_t n_decoder,
                             const char *output, hearth_progress *progress, void *user, const volatile int *cancel, hearth_error *err);

/* Compares a model with the expected.safetensors in its folder, tensor by tensor, in run-now mode: every tensor of the tape
 * whose name the file has, the logits, and the greedy ids. Writes a report; *differs says whether anything was beyond `limit`
 * (max abs error / range of the reference, 0: 1e-4). The first op that diverges is named with its source line. */
HEARTH_API int hearth_verify(const char *folder, const hearth_model_options *options, double limit, int json, hearth_write *write, void *user,
                             int *differs, hearth_error *err);

#endif
