/* A session from inside: sequences that grow, and one step of the model over parts of them. */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include <pthread.h>

#include "hearth.h"
#include "model/cache.h"
#include "text/tokenizer.h"

/* hearth_tokenizer is the text layer's tokenizer under its public name. */
static inline const struct tokenizer *tokenizer_of(const hearth_tokenizer *t) { return (const struct tokenizer *)(const void *)t; }

struct hearth_model {
    struct model       *m;
    struct backend     *backend;
    enum hearth_arith   arith;
    pthread_mutex_t     turn;         /* held while the backend works for one of the model's sessions */
    pthread_mutex_t     lock;         /* of what follows */
    bool                looked;       /* for a tokenizer: large vocabularies take longer to read than the model */
    struct tokenizer   *tokenizer;    /* NULL: there is none */
    struct hearth_error no_tokenizer; /* why not */
};

/* The model's tokenizer, read when first asked for; fails when it has none. */
int model_tokenizer(struct hearth_model *m, const struct tokenizer **out, struct hearth_error *err);

/* What a sequence holds in the cache. */
struct sequence {
    int32_t *ids;         /* [context] */
    int32_t  n;
    int32_t  rope_length; /* length that fixed the rotary frequencies of its prompt */
    int32_t  n_source;    /* encoder-decoders: tokens of the source in the cross cache */
};

struct hearth_session {
    struct hearth_model *model;
    struct cache        *cache;
    struct tape         *tape;
    struct sequence     *seq;       /* [n_seq] */
    int32_t              n_seq, context, chunk;
    int32_t              max_rows;  /* of a step */
    int32_t              n_want;    /* rows of the last step that results were asked of */
    /* the step's inputs: host copies and tensors in backend memory */
    char                *inputs;    /* backend memory */
    uint64_t             inputs_bytes;
    int32_t             *host;      /* [5, max_rows]: ids, positions, set, want, types */
    float               *frequencies; /* [n_seq, part / 2], of the widest */
    struct tensor        ids, positions, set, want, types, freq[MODEL_ROPES];
    struct ragged        ragged;
    struct ragged_seq   *ragged_seq; /* [n_seq] */
    int32_t             *row_seq;    /* [max_rows] */
    hearth_progress     *progress;   /* told of prompts; NULL: nobody */
    void                *progress_user;
    float               *logits;     /* host [max_want, n_vocab], of the last step */
    int64_t              logits_room;
};

/* New rows of one sequence in a step. */
struct part {
    int32_t        seq;
    const int32_t *ids;         /* [n] */
    int32_t        n;
    int32_t        rope_length; /* tokens that fix rotary frequencies: the whole prompt's, or the position + 1 */
    int32_t        want;        /* how many of its last rows' logits are asked for */
    const int32_t *types;       /* [n] encoders: kinds of the rows; NULL: all 0 */
    const int32_t *rows;        /* [n_rows] encoders: rows whose results are asked for; NULL: all (of heads over whole texts, the first) */
    int32_t        n_rows;
};

/* Runs a step; logits of the wanted rows, in order, are in s->logits. The sequences have grown by their parts. On failure or
 * cancellation they are as before. */
int session_step(struct hearth_session *s, const struct part *parts, int n_parts, const volatile int *cancel, struct hearth_error *err);

/* Encodes a source for sequence seq (encoder-decoders), writing its cross cache. states: host [n, width] or NULL. */
int session_encode(struct hearth_session *s, int32_t seq, const int32_t *ids, int32_t n, float *states, const volatile int *cancel, struct hearth_error *err);

/* Reads several texts in one step from their beginnings: encoders, and decoders (then only states are asked for, and the
 * sequences' old tokens are forgotten). states: [all rows, width]; logits: [wanted rows, columns]; both grow as needed. */
struct encoded {
    float  *states, *logits;
    int64_t room_states, room_logits;
    int64_t columns; /* of the last result asked for */
};
void encoded_free(struct encoded *e);
int  session_read(struct hearth_session *s, const struct part *parts, int n_parts, bool states, bool logits, struct encoded *out,
                  const volatile int *cancel, struct hearth_error *err);

/* Cuts a sequence back to its first n tokens. */
void session_trim(struct hearth_session *s, int32_t seq, int32_t n);

/* Most tokens a sequence of this model may hold at all: learned positions end; 0: no end. */
int32_t session_hard_limit(const struct model *m);

/* Records a step of n rows with the logits of `want` of them, or the encoding of a source; what is recorded is not run. They
 * return the logits and the states. */
struct tensor *session_record(struct hearth_session *s, int64_t n, int64_t want);
struct tensor *session_record_source(struct hearth_session *s, int64_t n);

/* Like hearth_session_new, and also for encoders of texts; run_now makes a tape that executes ops as they are called (verify). */
int session_new(hearth_session **out, hearth_model *m, const hearth_session_options *options, bool run_now, struct hearth_error *err);

/* Every id must be in the vocabulary. */
int check_ids(const struct arch *a, const int32_t *ids, size_t n, struct hearth_error *err);

#endif
