/* hearth: run open AI models on the computer you own.
 *
 * Every function that can fail returns 0 or a negative enum hearth_status and writes one sentence into *err (which may be
 * NULL). Objects come from _open/_new and go with _close/_free (NULL is fine). One session belongs to one thread at a time;
 * sessions of one model take turns. Structs of options begin with `size`: set it to sizeof, zero the rest for defaults. */
#ifndef HEARTH_H
#define HEARTH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEARTH_VERSION "0.1.0"

#if defined(__GNUC__)
#define HEARTH_API __attribute__((visibility("default")))
#else
#define HEARTH_API
#endif

enum hearth_status {
    HEARTH_OK            = 0,
    HEARTH_E_ARG         = -1, /* the request makes no sense: an option, an id, a size */
    HEARTH_E_MEMORY      = -2, /* not enough memory, or over the limit given */
    HEARTH_E_IO          = -3, /* the system refused to open, read or write */
    HEARTH_E_NOT_FOUND   = -4, /* no such file, folder or part */
    HEARTH_E_FORMAT      = -5, /* the file is not what it claims to be: truncated, corrupt, contradictory */
    HEARTH_E_UNSUPPORTED = -6, /* a sound file that hearth cannot run (family, type, option of the model) */
    HEARTH_E_CONTEXT     = -7, /* does not fit the context */
    HEARTH_E_CANCELLED   = -8, /* a callback asked to stop */
    HEARTH_E_INTERNAL    = -9, /* a bug in hearth */
};

typedef struct hearth_error {
    int  status;
    char text[500]; /* one sentence, UTF-8 */
} hearth_error;

HEARTH_API const char *hearth_status_name(int status); /* "HEARTH_E_FORMAT" */
HEARTH_API const char *hearth_version(void);

/* ---- models */

typedef struct hearth_model hearth_model;

enum hearth_arith {
    HEARTH_ARITH_AUTO, /* the fast one for this machine and type */
    HEARTH_ARITH_F32,  /* activations are never rounded ("exact") */
    HEARTH_ARITH_I8,   /* activations rounded to int8 where the weights are quantised */
    HEARTH_ARITH_BF16, /* activations and weights rounded to bf16, sums in f32; matrices stored input-major: as F32 */
};

typedef struct hearth_model_options {
    size_t            size;
    int               threads; /* 0: one per physical core */
    enum hearth_arith arith;
    const char       *cpu_mask; /* processor features that may be used: "avx2,fma,f16c", "none", "0x7"; NULL: what the environment
                                   variable HEARTH_CPU_MASK says, else all */
} hearth_model_options;

/* path: a file or a folder as downloaded. options may be NULL. */
HEARTH_API int  hearth_model_open(hearth_model **out, const char *path, const hearth_model_options *options, hearth_error *err);
HEARTH_API void hearth_model_close(hearth_model *m);

enum hearth_task {
    HEARTH_TASK_LM,          /* decoder: continues a text */
    HEARTH_TASK_ENCODER_DECODER, /* reads a source, writes a target */
    HEARTH_TASK_ENCODER,     /* reads a text, gives states */
};

typedef struct hearth_model_info {
    size_t           size;
    const char      *family; /* "llama" */
    enum hearth_task task;
    int64_t          parameters, bytes; /* weights used; bytes as stored */
    int32_t          layers, width, vocab, context; /* context: tokens the model was made for; 0: unbounded */
    int32_t          bos, eos, start; /* -1: none; start: first decoder token of encoder-decoders */
} hearth_model_info;

HEARTH_API void hearth_model_info_get(const hearth_model *m, hearth_model_info *info);

/* ---- tokens */

typedef struct hearth_tokenizer hearth_tokenizer;

/* A tokenizer file, a folder or a model file. */
HEARTH_API int  hearth_tokenizer_open(hearth_tokenizer **out, const char *path, hearth_error *err);
HEARTH_API void hearth_tokenizer_close(hearth_tokenizer *t);
/* The model's own; lives as long as the model. NULL and an error when the model has none. */
HEARTH_API int  hearth_model_tokenizer(hearth_model *m, const hearth_tokenizer **out, hearth_error *err);

/* *ids is allocated (free with hearth_free). special: add what the model's reference adds (BOS, EOS). text need not be valid
 * UTF-8 nor end in NUL. */
HEARTH_API int hearth_encode(const hearth_tokenizer *t, const char *text, size_t n_bytes, int special, int32_t **ids, size_t *n, hearth_error *err);
/* *text is allocated, NUL-terminated, valid UTF-8. */
HEARTH_API int hearth_decode(const hearth_tokenizer *t, const int32_t *ids, size_t n, char **text, size_t *n_bytes, hearth_error *err);
/* The same for long texts: soon after *cancel (cancel may be NULL) has become something else than 0 they return HEARTH_E_CANCELLED. */
HEARTH_API int hearth_encode_long(const hearth_tokenizer *t, const char *text, size_t n_bytes, int special, const volatile int *cancel,
                                  int32_t **ids, size_t *n, hearth_error *err);
HEARTH_API int hearth_decode_long(const hearth_tokenizer *t, const int32_t *ids, size_t n, const volatile int *cancel, char **text,
                                  size_t *n_bytes, hearth_error *err);
HEARTH_API void hearth_free(void *p);

/* The prompt that asks for the text between a prefix and a suffix, and the tokens that end it. Models of code have tokens of
 * their own for this; HEARTH_E_UNSUPPORTED: this one has none. ids is allocated. */
typedef struct hearth_infill {
    int32_t *ids;
    size_t   n_ids;
    int32_t  ends[8];
    size_t   n_ends;
} hearth_infill;
HEARTH_API int hearth_encode_infill(const hearth_tokenizer *t, const char *prefix, size_t n_prefix, const char *suffix, size_t n_suffix,
                                    hearth_infill *out, hearth_error *err);

/* ---- sampling */

typedef struct hearth_sampling hearth_sampling;

/* Every setting there is, one row each: front ends make their options from this table. */
typedef struct hearth_sampling_param {
    const char *name;    /* "top_p" */
    double      initial; /* the default; for most samplers the value that switches it off */
    double      min, max;
    int         is_int;
    const char *help;    /* one clause */
} hearth_sampling_param;

HEARTH_API const hearth_sampling_param *hearth_sampling_params(size_t *n);

HEARTH_API int  hearth_sampling_new(hearth_sampling **out, hearth_error *err);
HEARTH_API void hearth_sampling_free(hearth_sampling *s);
HEARTH_API int  hearth_sampling_set(hearth_sampling *s, const char *name, double value, hearth_error *err);
/* Steps in the order they shall act, names separated by commas: "penalties,temperature,top_k,...". */
HEARTH_API int  hearth_sampling_order(hearth_sampling *s, const char *order, hearth_error *err);
HEARTH_API const char *hearth_sampling_order_default(void);
HEARTH_API int  hearth_sampling_bias(hearth_sampling *s, int32_t token, float bias, hearth_error *err); /* -INFINITY forbids */

/* ---- sessions: a changing timeline of tokens in front of a model */

typedef struct hearth_session hearth_session;

enum hearth_cache_type { HEARTH_CACHE_AUTO, HEARTH_CACHE_F32, HEARTH_CACHE_F16 };

typedef struct hearth_session_options {
    size_t                 size;
    int32_t                sequences; /* texts side by side; 0: 1 */
    int32_t                context;   /* tokens each may hold; 0: what the model was made for */
    int32_t                chunk;     /* prompt tokens a step takes at most; 0: 256, fewer for wide models. Never
                                      changes the result. */
    enum hearth_cache_type cache;     /* AUTO: f32 with arith f32, else f16 */
} hearth_session_options;

HEARTH_API int  hearth_session_new(hearth_session **out, hearth_model *m, const hearth_session_options *options, hearth_error *err);
HEARTH_API void hearth_session_free(hearth_session *s);
HEARTH_API int32_t hearth_session_context(const hearth_session *s); /* tokens each sequence may hold */

/* Called between steps of long work: `done` of `total` prompt tokens (or positions) are computed. */
typedef void hearth_progress(void *user, int64_t done, int64_t total);
HEARTH_API void hearth_session_progress(hearth_session *s, hearth_progress *progress, void *user); /* NULL: tell nobody */

/* A piece of text or the end of one request. Return non-zero to stop that request. */
typedef struct hearth_event {
    int32_t     request; /* index into requests */
    int32_t     token;   /* -1: only text that was held back (the tail at the end, or what might have begun a stop string) */
    const char *text;    /* whole characters; may be empty while one is incomplete */
    size_t      n_text;
} hearth_event;
typedef int hearth_callback(void *user, const hearth_event *event);

enum hearth_finish { HEARTH_FINISH_LENGTH, HEARTH_FINISH_END, HEARTH_FINISH_STOP, HEARTH_FINISH_CANCELLED };

typedef struct hearth_request {
    size_t                 size;
    const int32_t         *ids;      /* prompt [n_ids]; for encoder-decoders the source */
    size_t                 n_ids;
    const hearth_sampling *sampling; /* NULL: greedy */
    uint64_t               seed;
    int32_t                max_tokens;   /* 0: until the context is full */
    int                    ignore_end;   /* do not stop at end tokens */
    const char *const     *stop;         /* strings that end the text, not printed */
    size_t                 n_stop;
    const int32_t         *ends;     /* tokens that end the text, beside the model's own */
    size_t                 n_ends;
    const volatile int    *cancel;       /* polled between ops; non-zero stops this request (all of them with it); NULL: never */
    /* filled in */
    enum hearth_finish     finish;
    int32_t                n_prompt, n_cached, n_generated; /* n_cached: prompt tokens already known */
    int32_t               *generated;    /* [n_generated], free with hearth_free */
} hearth_request;

typedef struct hearth_timing {
    double  prompt_seconds, generate_seconds, first_token_seconds;
    int64_t prompt_tokens, generated_tokens; /* prompt_tokens: computed, cached ones not counted */
} hearth_timing;

/* Runs all requests side by side (n <= sequences), request i on sequence i. A sequence keeps what it knows: the longest common
 * prefix of its last tokens and the new prompt is not computed again. callback and timing may be NULL. */
HEARTH_API int hearth_generate(hearth_session *s, hearth_request *requests, size_t n, hearth_callback *callback, void *user,
                               hearth_timing *timing, hearth_error *err);

/* ---- texts read as a whole: vectors, missing words, labels */

typedef struct hearth_text {
    const char *text; /* UTF-8, need not end in NUL */
    size_t      n;
    const char *second; /* the other text of a pair; NULL: there is none */
    size_t      n_second;
} hearth_text;

enum hearth_pooling {
    HEARTH_POOLING_AUTO, /* what the model's folder says (modules.json, a GGUF's pooling type), else the mean; decoders: the last */
    HEARTH_POOLING_MEAN,
    HEARTH_POOLING_CLS,       /* the first token */
    HEARTH_POOLING_MAX,
    HEARTH_POOLING_MEAN_SQRT, /* the sum over the root of the length */
    HEARTH_POOLING_WEIGHTED,  /* the mean with weights 1, 2, 3 ... */
    HEARTH_POOLING_LAST,      /* the last token */
};

typedef struct hearth_embed_options {
    size_t              size;
    enum hearth_pooling pooling;
    int                 normalize;   /* 1: to length 1; -1: not; 0: as the folder says (GGUF: to length 1) */
    const char         *prompt_name; /* one of the folder's prompts ("query") to put before each text; NULL: its default one */
    const char         *prefix;      /* text to put before each text instead; NULL: none */
    int32_t             max_tokens;  /* longer texts are cut; 0: as the folder says */
    const volatile int *cancel;      /* polled between ops; NULL: never */
} hearth_embed_options;

typedef struct hearth_embeddings {
    size_t   size;
    float   *values;   /* [n, width] */
    size_t   n;
    int32_t  width;
    int32_t *n_tokens; /* [n] that were read */
    int32_t *n_cut;    /* [n] that did not fit and were left out */
} hearth_embeddings;

/* One vector a text: BERT and its like, T5's encoder, and decoders. Texts of all lengths share steps; each gets the bits that it
 * would get alone. options may be NULL. Free with hearth_embeddings_free. */
HEARTH_API int  hearth_embed(hearth_model *m, const hearth_text *texts, size_t n, const hearth_embed_options *options,
                             hearth_embeddings *out, hearth_error *err);
HEARTH_API void hearth_embeddings_free(hearth_embeddings *e);

/* What masked language models write in place of a missing word ("[MASK]"); NULL and an error when the model has none. The text
 * is NUL-terminated; free it with hearth_free. */
HEARTH_API int hearth_mask_token(hearth_model *m, char **text, int32_t *id, hearth_error *err);

typedef struct hearth_guess {
    int32_t token;
    float   probability; /* among the whole vocabulary */
    char   *text;        /* NUL-terminated */
} hearth_guess;

typedef struct hearth_filled {
    size_t        size;
    size_t        n_masks;  /* missing words of the text, from left to right */
    int32_t       n_top;    /* guesses for each */
    hearth_guess *guess;    /* [n_masks, n_top], best first */
    int32_t       n_tokens;
} hearth_filled;

/* Guesses for the words that the mask token stands for. top 0: 5. Free with hearth_filled_free. */
HEARTH_API int  hearth_fill(hearth_model *m, const char *text, size_t n_bytes, int32_t top, const volatile int *cancel,
                            hearth_filled *out, hearth_error *err);
HEARTH_API void hearth_filled_free(hearth_filled *f);

/* A row of a classification: a whole text, or one of its tokens. */
typedef struct hearth_labelled {
    size_t  text;       /* index of the text */
    size_t  begin, end; /* bytes of the text that the row is about; for a pair all of the first text */
    int32_t token;      /* -1: a whole text */
    float  *scores;     /* [n_labels] */
    float  *logits;     /* [n_labels] as the model gives them */
} hearth_labelled;

enum hearth_scores { HEARTH_SCORES_SOFTMAX, HEARTH_SCORES_SIGMOID, HEARTH_SCORES_NONE }; /* how scores come from logits */

typedef struct hearth_classified {
    size_t             size;
    int32_t            n_labels;
    char             **labels;  /* [n_labels] NUL-terminated */
    enum hearth_scores scores;
    int                by_token; /* rows are tokens, special ones left out */
    hearth_labelled   *rows;    /* [n_rows] */
    size_t             n_rows;
    int32_t           *n_cut;   /* [n] tokens of each text that did not fit */
} hearth_classified;

/* Labels of texts, or of their tokens, as the model's head is made. Free with hearth_classified_free. */
HEARTH_API int  hearth_classify(hearth_model *m, const hearth_text *texts, size_t n, const volatile int *cancel,
                                hearth_classified *out, hearth_error *err);
HEARTH_API void hearth_classified_free(hearth_classified *c);

#ifdef __cplusplus
}
#endif
#endif
