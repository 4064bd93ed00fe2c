/* What a model is, in plain named numbers. A family's file says where they stand in each container; shared code reads only
 * these. An axis is added when two families need it or when it is one number. */
#ifndef MODEL_ARCH_H
#define MODEL_ARCH_H

#include "base/status.h"
#include "hearth.h"
#include "ops/ops.h"

/* Ways to mix along the sequence, and to work on one position: rows of the tables in blocks/blocks.c. */
enum mixer_kind {
    MIXER_ATTENTION, MIXER_LATENT, MIXER_RWKV4, MIXER_MAMBA, MIXER_RWKV5, MIXER_RWKV6, MIXER_RWKV7, MIXER_MAMBA2, MIXER_COUNT
};
enum ffn_kind { FFN_NONE, FFN_DENSE, FFN_GATED, FFN_EXPERTS, FFN_RWKV, FFN_COUNT };

enum norm_kind { NORM_RMS, NORM_LAYER };

/* Where a layer normalises, and what its two branches see. */
enum residual_kind {
    RESIDUAL_PRE,      /* x += mixer(norm(x)); x += ffn(norm(x)); a norm that is not there is left out */
    RESIDUAL_POST,     /* x = norm(x + mixer(x)); x = norm(x + ffn(x)) */
    RESIDUAL_NORMED,   /* x = norm(x); x += mixer(x); x = norm(x); x += ffn(x) */
    RESIDUAL_PARALLEL, /* x += mixer(norm(x)) + ffn(norm(x)), with one norm or two */
};

/* Queries and keys normalised before they turn, by the architecture's kind of norm. */
enum qk_norm_kind {
    QK_NORM_NONE,
    QK_NORM_HEAD,  /* each head by itself, all with the same weights [key_width] */
    QK_NORM_HEADS, /* each head by itself with weights of its own [heads * key_width] */
    QK_NORM_WIDTH, /* all heads together [heads * key_width] */
};

enum position_kind {
    POSITION_NONE,    /* the mixer knows the order by itself */
    POSITION_LEARNED, /* a table added to the embeddings */
    POSITION_WAVES,   /* sines and cosines added to the embeddings (Vaswani et al. 2017, in the order of fairseq) */
    POSITION_ROTARY,
    POSITION_BUCKETS, /* T5: a bias by bucketed distance, same for all layers */
    POSITION_ALIBI,   /* a bias that falls with the distance, steeper or flatter by head (Press et al. 2021) */
};

enum rope_kind { ROPE_DEFAULT, ROPE_LINEAR, ROPE_DYNAMIC, ROPE_YARN, ROPE_LLAMA3, ROPE_LONGROPE, ROPE_KINDS };

/* Rotary frequencies; formulas and sources in rope.c. Members that a kind does not read stay 0. */
struct rope {
    enum rope_kind kind;
    bool           interleaved; /* pairs (2i, 2i + 1); else (i, i + part / 2) */
    int32_t        part;        /* values of a head that turn */
    double         theta, factor;
    double         original_context; /* trained length that the scaling starts from */
    double         attention_factor; /* of cos and sin; 0: by the kind's formula */
    double         beta_fast, beta_slow, mscale, mscale_all_dim; /* yarn */
    bool           no_truncate;                                  /* yarn: correction range not rounded outwards */
    double         low_freq_factor, high_freq_factor;            /* llama3 */
    const float   *short_factor, *long_factor;                   /* longrope, f32 [part / 2] */
    const float   *divisors;                                     /* GGUF rope_freqs: f32 [part / 2] or NULL */
};

/* What stands behind the last state of an encoder: rows of the table in heads.c. */
enum head_kind {
    HEAD_NONE,        /* nothing: the states are the result */
    HEAD_MASKED,      /* logits of the vocabulary for each row, after a product, activation and norm */
    HEAD_FIRST,       /* labels of the first row, which stands for the whole text */
    HEAD_FIRST_DENSE, /* the same after a product and an activation */
    HEAD_FIRST_NORM,  /* ... and a norm */
    HEAD_MEAN_NORM,   /* the same of the mean of all rows */
    HEAD_ROWS,        /* labels of each row */
    HEAD_ROWS_DENSE,  /* after a product and an activation */
    HEAD_ROWS_NORM,   /* ... and a norm */
    HEAD_COUNT,
};

struct arch {
    /* what it is */
    enum hearth_task   task;
    int32_t            n_vocab, width;
    int32_t            context;                      /* tokens it was made for; 0: no such number (recurrent, distance buckets) */
    bool               context_is_limit;             /* longer texts would need what is not implemented */
    int32_t            n_layer, n_encoder_layer;
    enum mixer_kind    mixer;
    enum ffn_kind      ffn;
    enum activation    act;
    /* norms and how a layer is put together */
    enum norm_kind     norm;
    float              norm_eps;
    bool               norm_bias;                    /* bias tensors of norms must be there */
    bool               norm_bare;                    /* norms have no weights */
    float              final_eps;                    /* of the norm before the head; 0: norm_eps */
    enum residual_kind residual;
    bool               two_norms;                    /* mixer and feed-forward part have a norm each; else parallel branches share one */
    bool               last_norm;                    /* families where it may be missing: the state before the head is normalised */
    float              residual_scale;               /* of what a branch adds; 0: 1 */
    int32_t            rescale_every;                /* RWKV: states are halved after every so many layers; 0: never */
    bool               rescaled;                     /* the file's weights are already divided accordingly */
    int32_t            hidden_skip;                  /* states before this one are not counted in the reference's hidden.N */
    /* embeddings and head */
    int32_t            embed_width;                  /* of the embeddings, when they are projected to `width`; 0: width */
    bool               projected;                    /* families where it may be: embeddings have a width of their own */
    bool               project_last;                 /* embeddings, positions and norm are embed_width wide, and projected after them */
    float              embed_scale;                  /* of the embeddings, before positions; 0: 1 */
    bool               embed_norm_inside;            /* the reference counts the norm of embeddings to the first layer */
    int32_t            n_type;                       /* kinds of rows that the embeddings tell apart (first text, second text); 0: none */
    bool               tied;                         /* head = embeddings when the file has no head of its own */
    float              head_scale;                   /* of the last state before the head; 0: 1 */
    bool               head_unit;                    /* rows of the head count as if their length were 1 */
    /* attention */
    int32_t            n_head, n_kv, key_width, value_width;
    int32_t            fused_groups;                 /* fused qkv tensors repeat their parts so many times; 0: once */
    bool               fused_qkv;                    /* queries, keys and values are one tensor of this file */
    enum qk_norm_kind  qk_norm;
    float              qkv_clip;                     /* queries, keys and values are held in -clip .. clip; 0: not */
    bool               qkv_bias, out_bias, ffn_bias, head_bias; /* bias tensors must be there */
    float              attn_scale;                   /* of q k^T; 0: 1 / sqrt(key_width) */
    bool               attn_scale_by_layer;          /* also divided by layer + 1 */
    float              attn_softcap, head_softcap;   /* cap * tanh(x / cap) of scores and of logits; 0: none */
    int32_t            window;                       /* tokens a query sees, itself included (encoders: half of it to each side); 0: all */
    const uint8_t     *full_layers;                  /* [layers] 1: this layer has no window; NULL: `window` holds for all */
    /* positions */
    enum position_kind position;
    int32_t            position_offset;              /* first row of the table of positions; first position of the waves */
    bool               pad_positions;                /* only tokens that are no padding count, from pad + 1 on; padding stands at pad */
    bool               wave_table;                   /* the table of positions holds waves, and is made when the file has none */
    struct rope        rope;
    struct rope        local_rope;                   /* of layers with a window; part 0: the same as the others */
    const uint8_t     *still_layers;                 /* [layers] 1: heads of this layer do not turn; NULL: all do */
    bool               rope_anew;                    /* a text that outgrows its frequencies is computed again; else keys stay */
    float              alibi_max;                    /* the flattest slope is 2^-alibi_max; 0: 8 */
    float              alibi_scale;                  /* of the slopes; 0: 1 */
    bool               alibi_bf16;                   /* Falcon: slope * position of the key, rounded to bf16, inside the scale */
    int32_t            buckets, bucket_distance;     /* of biases by distance, alone or beside learned positions; 0: none */
    bool               buckets_by_layer;             /* every layer has a table of biases by distance; else the first one's serves all */
    /* latent attention */
    int32_t            q_rank, kv_rank;              /* widths of the compressed query (0: not compressed) and key/value */
    int32_t            nope_width, latent_value_width; /* a head's key without its rotary part, and its value */
    float              latent_eps;                   /* of the norms of the compressed forms */
    /* feed-forward part and experts */
    int32_t            ff_width;
    int32_t            n_expert, n_expert_used;
    int32_t            expert_ff_width;              /* of one expert; 0: ff_width */
    int32_t            n_shared_expert;              /* experts every token passes, as one of this many times the width */
    int32_t            shared_ff_width;              /* of the shared expert when it is another; 0: n_shared_expert times an expert's */
    int32_t            dense_layers;                 /* first layers that have no experts */
    const uint8_t     *dense_list;                   /* [layers] 1: this layer has no experts; NULL: dense_layers says it all */
    int32_t            expert_groups, expert_groups_used; /* experts are chosen among the best groups; 0: among all */
    bool               expert_group_best;            /* a group counts as much as its best expert; else as its two best */
    bool               expert_sigmoid;               /* scores are sigmoids; else a softmax */
    bool               expert_normalize;             /* weights of the chosen experts are divided by their sum */
    float              expert_scale;                 /* of the weights; 0: 1 */
    float              glu_limit, glu_alpha;         /* gpt-oss: the gated product is op_clamped_glu; limit 0: it is not */
    /* states instead of attention */
    int32_t            rnn_width;                    /* of recurrent mixers */
    int32_t            n_state, conv_kernel, dt_rank; /* Mamba */
    int32_t            state_groups;                 /* Mamba 2: heads of a group share what goes in and out of the state */
    float              dt_min, dt_max;               /* Mamba 2: limits of a time step */
    enum decay         decay;                        /* how decays of recurrent mixers are stored */
    bool               bonus_log;                    /* RWKV-5.0: the bonus of the present token is stored as its logarithm */
    bool               mix_previous;                 /* RWKV-6, 7: mixing weights are shares of the previous row, not of the present one */
    bool               in_major;                     /* RWKV-6, 7: low-rank matrices are stored [in, out] */
    int32_t            mix_rank, decay_rank, rate_rank, carry_rank, gate_rank; /* RWKV-6, 7: of pairs of low-rank matrices */
    float              head_eps;                     /* RWKV-5 to 7: of the norm of each head */
    /* encoders and the halves of encoder-decoders */
    enum head_kind     head;                         /* encoders */
    enum activation    head_act;                     /* of the head's product */
    int32_t            n_label;                      /* of a classifier */
    int32_t            encoder_heads, encoder_ff_width; /* of encoder-decoders whose halves differ; 0: as the decoder */
    int32_t            encoder_width, encoder_vocab; /* of encoder-decoders whose encoder has numbers of its own; 0: as the decoder */
    bool               encoder_embed;                /* of encoder-decoders: each half has embeddings of its own */
    int32_t            cross_first;                  /* the first of the decoder's layers that attend to the source */
    bool               cross_rotary;                 /* heads turn there too: queries by their own position, keys by that in the source */
    int32_t            patch, image_size, channels;  /* pictures: square patches of this side instead of tokens; 0: tokens */
    /* tokens */
    int32_t            bos, eos, start, pad;         /* -1: none */
    int32_t            forced_bos;                   /* encoder-decoders: the token after the start is this one (a language); -1: any */
    int32_t            ends[8], n_ends;              /* tokens that end a text */
};

static inline bool arch_has_experts(const struct arch *a, int layer)
{
    return a->n_expert > 0 && layer >= a->dense_layers && !(a->dense_list && a->dense_list[layer]);
}

/* Whether a step has positions as an input; other ops know them by themselves. */
static inline bool arch_has_positions(const struct arch *a)
{
    return a->position == POSITION_LEARNED || a->pad_positions;
}

/* Tokens that a query of this layer sees; 0: all. */
static inline int32_t arch_window(const struct arch *a, int layer)
{
    return a->full_layers && a->full_layers[layer] ? 0 : a->window;
}

#endif
