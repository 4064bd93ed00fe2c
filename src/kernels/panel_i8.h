/* Template of arithmetic int8 for many rows of activations, over an instruction set's panel.h (avx512/avx512_panel.h,
 * avx2/avx2_panel.h): two registers of weight rows are unpacked, 256 values at a time, into a panel of bytes that stays in the
 * nearest cache, and multiplied with PANEL_T activation rows at a time, whose sums stay in registers. Inside a block the integers
 * are exact, whatever their order; the float step of a block is that of step_i8 (kernels/product.h). So the bits are those of
 * every other kernel of arithmetic int8. */
#ifndef KERNELS_PANEL_I8_H
#define KERNELS_PANEL_I8_H

#include "base/half.h"
#include "kernels/product.h"
#include "quant/mxfp4/mxfp4.h"
#include "quant/q4_0/q4_0.h"
#include "quant/q4_1/q4_1.h"
#include "quant/q4_k/q4_k.h"
#include "quant/q5_0/q5_0.h"
#include "quant/q5_1/q5_1.h"
#include "quant/q5_k/q5_k.h"
#include "quant/q6_k/q6_k.h"
#include "quant/q8_0/q8_0.h"

enum {
    PANEL_ROWS   = 2 * PANEL_LANES, /* two registers, one lane a weight row */
    PANEL_TOKENS = 42 * ACT_PACK, /* activation rows that a panel serves before it is unpacked again */
    PANEL_FEW    = 8,  /* below so many activation rows unpacking does not pay */
};

struct panel {
    pi weight[CHUNK / 4][2]; /* unsigned bytes: 4 consecutive values of each row */
    pi scale[16][2];         /* K types: of a sub-block, int32 */
    pi pair[8][2];           /* Q4_K, Q5_K: minima of two sub-blocks, int16; Q6_K: what two sub-blocks have too much */
    pf  d[CHUNK / 32][2], dmin[CHUNK / 32][2]; /* of each block of 32; K types: d[0], dmin[0] */
};

/* Where the panels lie in product.scratch. */
struct panel_memory {
    struct panel panel;
    float        y[PANEL_TOKENS][PANEL_ROWS];
};

_Static_assert(sizeof(struct panel_memory) <= PRODUCT_SCRATCH, "fits");

/* ---- unpacking: 4 bytes of a row become one lane */

INLINE pf panel_halves(const char *const *w, int at)
{
    uint16_t h[PANEL_LANES];
    UNROLL_16
    for (int r = 0; r < PANEL_LANES; r++) memcpy(&h[r], w[r] + at, sizeof *h);
    return pf_from_halves(h);
}

INLINE pi panel_words(const char *const *w, int at)
{
    uint32_t v[PANEL_LANES];
    UNROLL_16
    for (int r = 0; r < PANEL_LANES; r++) memcpy(&v[r], w[r] + at, sizeof *v);
    return pi_load(v);
}

/* The 8 scales and minima of quant/k_scales.h, of 16 rows. */
INLINE void panel_k_scales(struct panel *p, int h, const char *const *w, int at)
{
    const pi a = panel_words(w, at), b = panel_words(w, at + 4), c = panel_words(w, at + 8);
    const pi scale[2] = { pi_and(a, 0x3f3f3f3f),
                               pi_or(pi_and(c, 0x0f0f0f0f), pi_and(pi_right(a, 2), 0x30303030)) };
    const pi min[2] = { pi_and(b, 0x3f3f3f3f), pi_or(pi_and(pi_right(c, 4), 0x0f0f0f0f),
                                                                     pi_and(pi_right(b, 2), 0x30303030)) };
    for (int i = 0; i < 8; i++) p->scale[i][h] = pi_scale(pi_and(pi_right(scale[i / 4], i % 4 * 8), 0xff));
    for (int i = 0; i < 4; i++) {
        const pi two = pi_right(min[i / 2], i % 2 * 16);
        p->pair[i][h] = pi_or(pi_and(two, 0xff), pi_and(pi_left(two, 8), 0xff0000));
    }
}

static void panel_q4_k(struct panel *p, int h, const char *const *w, int64_t n)
{
    (void)n;
    for (int half = 0; half < 2; half++) { /* 64 bytes: 4 sub-blocks */
        pi raw[16];
        panel_columns(raw, w, (int)offsetof(struct q4_k, q) + half * 64, 64);
        UNROLL_16
        for (int i = 0; i < 16; i++) {
            const int at = half * 32 + i / 8 * 16 + i % 8;
            p->weight[at][h] = pi_and(raw[i], 0x0f0f0f0f);
            p->weight[at + 8][h] = pi_and(pi_right(raw[i], 4), 0x0f0f0f0f);
        }
    }
    panel_k_scales(p, h, w, offsetof(struct q4_k, scales));
    p->d[0][h] = panel_halves(w, offsetof(struct q4_k, d));
    p->dmin[0][h] = panel_halves(w, offsetof(struct q4_k, dmin));
}

static void panel_q5_k(struct panel *p, int h, const char *const *w, int64_t n)
{
    pi high[16], raw[16];
    (void)n;
    panel_columns(high, w, offsetof(struct q5_k, high), 64); /* the first 8; the others are the beginning of q */
    for (int half = 0; half < 2; half++) {
        panel_columns(raw, w, (int)offsetof(struct q5_k, q) + half * 64, 64);
        UNROLL_16
        for (int i = 0; i < 16; i++) {
            const int pair = half * 2 + i / 8, at = pair * 16 + i % 8;
            const pi two = pi_right(high[i % 8], pair * 2);
            p->weight[at][h] = pi_or(pi_and(raw[i], 0x0f0f0f0f), pi_left(pi_and(two, 0x01010101), 4));
            p->weight[at + 8][h] = pi_or(pi_and(pi_right(raw[i], 4), 0x0f0f0f0f),
                                                   pi_left(pi_and(two, 0x02020202), 3));
        }
    }
    panel_k_scales(p, h, w, offsetof(struct q5_k, scales));
    p->d[0][h] = panel_halves(w, offsetof(struct q5_k, d));
    p->dmin[0][h] = panel_halves(w, offsetof(struct q5_k, dmin));
}

static void panel_q6_k(struct panel *p, int h, const char *const *w, int64_t n)
{
    pi low[16], high[16];
    (void)n;
    panel_columns(high, w, offsetof(struct q6_k, high), 64);
    for (int half = 0; half < 2; half++) {
        panel_columns(low, w, (int)offsetof(struct q6_k, low) + half * 64, 64);
        UNROLL_16
        for (int i = 0; i < 16; i++) { /* runs i / 8 and 2 + i / 8 */
            const int at = half * 32 + i;
            const pi bits = pi_right(high[half * 8 + i % 8], i / 8 * 2);
            p->weight[at][h] = pi_or(pi_and(low[i], 0x0f0f0f0f), pi_left(pi_and(bits, 0x03030303), 4));
            p->weight[at + 16][h] = pi_or(pi_and(pi_right(low[i], 4), 0x0f0f0f0f), pi_and(bits, 0x30303030));
        }
    }
    for (int i = 0; i < 4; i++) {
        const pi four = panel_words(w, (int)offsetof(struct q6_k, scales) + i * 4);
        for (int b = 0; b < 4; b++) {
            const pi top = pi_left(four, 24 - b * 8);
            p->scale[i * 4 + b][h] = pi_scale(pi_right_signed(top, 24));
        }
    }
    for (int i = 0; i < 8; i++) {
        const pi first = pi_and(pi_left(p->scale[2 * i][h], 5), 0xffff), last = pi_left(p->scale[2 * i + 1][h], 21);
        p->pair[i][h] = pi_sub_words(pi_zero(), pi_or(first, last));
    }
    p->d[0][h] = panel_halves(w, offsetof(struct q6_k, d));
}

static void panel_q8_0(struct panel *p, int h, const char *const *w, int64_t n)
{
    for (int b = 0; b < n / 32; b++) {
        pi raw[16];
        panel_columns(raw, w, b * (int)sizeof(struct q8_0) + (int)offsetof(struct q8_0, q), 32);
        UNROLL_16
        for (int i = 0; i < 8; i++) p->weight[b * 8 + i][h] = pi_bias(raw[i]);
        p->d[b][h] = panel_halves(w, b * (int)sizeof(struct q8_0));
    }
}

/* Block b of 32 values from the 16 bytes at `at`: the low halves, then the high halves. */
INLINE void panel_nibbles(struct panel *p, int h, int b, const char *const *w, int at)
{
    pi raw[16];
    panel_columns(raw, w, at, 16);
    UNROLL_16
    for (int i = 0; i < 4; i++) {
        p->weight[b * 8 + i][h] = pi_and(raw[i], 0x0f0f0f0f);
        p->weight[b * 8 + 4 + i][h] = pi_and(pi_right(raw[i], 4), 0x0f0f0f0f);
    }
}

/* Adds the fifth bits at `at` (quant/fifth_bits.h) to block b: each four of them become one bit in each of four bytes. */
INLINE void panel_fifth_bits(struct panel *p, int h, int b, const char *const *w, int at)
{
    const pi high = panel_words(w, at);
    for (int i = 0; i < 8; i++) {
        const pi four = pi_and(pi_right(high, i * 4), 15);
        const pi spread = pi_or(pi_or(pi_left(four, 4), pi_left(four, 11)), pi_or(pi_left(four, 18), pi_left(four, 25)));
        p->weight[b * 8 + i][h] = pi_or(p->weight[b * 8 + i][h], pi_and(spread, 0x10101010));
    }
}

static void panel_q4_0(struct panel *p, int h, const char *const *w, int64_t n)
{
    for (int b = 0; b < n / 32; b++) {
        const int at = b * (int)sizeof(struct q4_0);
        panel_nibbles(p, h, b, w, at + (int)offsetof(struct q4_0, q));
        p->d[b][h] = panel_halves(w, at + (int)offsetof(struct q4_0, d));
    }
}

static void panel_q4_1(struct panel *p, int h, const char *const *w, int64_t n)
{
    for (int b = 0; b < n / 32; b++) {
        const int at = b * (int)sizeof(struct q4_1);
        panel_nibbles(p, h, b, w, at + (int)offsetof(struct q4_1, q));
        p->d[b][h] = panel_halves(w, at + (int)offsetof(struct q4_1, d));
        p->dmin[b][h] = panel_halves(w, at + (int)offsetof(struct q4_1, m));
    }
}

static void panel_q5_0(struct panel *p, int h, const char *const *w, int64_t n)
{
    for (int b = 0; b < n / 32; b++) {
        const int at = b * (int)sizeof(struct q5_0);
        panel_nibbles(p, h, b, w, at + (int)offsetof(struct q5_0, q));
        panel_fifth_bits(p, h, b, w, at + (int)offsetof(struct q5_0, high));
        p->d[b][h] = panel_halves(w, at + (int)offsetof(struct q5_0, d));
    }
}

static void panel_q5_1(struct panel *p, int h, const char *const *w, int64_t n)
{
    for (int b = 0; b < n / 32; b++) {
        const int at = b * (int)sizeof(struct q5_1);
        panel_nibbles(p, h, b, w, at + (int)offsetof(struct q5_1, q));
        panel_fifth_bits(p, h, b, w, at + (int)offsetof(struct q5_1, high));
        p->d[b][h] = panel_halves(w, at + (int)offsetof(struct q5_1, d));
        p->dmin[b][h] = panel_halves(w, at + (int)offsetof(struct q5_1, m));
    }
}

static void panel_mxfp4(struct panel *p, int h, const char *const *w, int64_t n)
{
    for (int b = 0; b < n / 32; b++) {
        const int at = b * (int)sizeof(struct mxfp4);
        _Alignas(64) float d[PANEL_LANES];
        panel_nibbles(p, h, b, w, at + (int)offsetof(struct mxfp4, q));
        for (int i = b * 8; i < b * 8 + 8; i++) p->weight[i][h] = pi_table16(mxfp4_table, p->weight[i][h]);
        for (int r = 0; r < PANEL_LANES; r++) d[r] = mxfp4_scale((uint8_t)w[r][at]);
        p->d[b][h] = pf_load(d);
    }
}

/* ---- multiplying: PANEL_T of the ACT_PACK rows of a group, from row `t` of it on, with a panel */

/* What a tile needs of the activations; row t of the group stands `*_stride` on. The last group's missing rows repeat its first. */
struct tile_x {
    const int8_t  *q; /* [k / 4][ACT_PACK][4] */
    const int16_t *sum[ACT_PACK], *sum32[ACT_PACK];
    const float   *scale[ACT_PACK];
};

INLINE void tile_zero(pi sum[PANEL_T][2])
{
    UNROLL_8
    for (int t = 0; t < PANEL_T; t++) sum[t][0] = sum[t][1] = pi_zero();
}

/* sum[t][h] += weights of `steps` times 4 values with the rows at q, times scale[h] unless that is NULL. limit: the largest weight. */
INLINE void tile_dots(pi sum[PANEL_T][2], const struct panel *p, const int8_t *q, int first, const int steps, const pi *scale, const int limit)
{
    pi part[PANEL_T][2];
    const int room = panel_room(limit) < steps ? panel_room(limit) : steps; /* steps whose sums fit a part; divides `steps` */
    for (int begin = 0; begin < steps; begin += room) {
        tile_zero(part);
        UNROLL_8
        for (int s = 0; s < room; s++) {
            const int c = first + begin + s;
            const pi a = p->weight[c][0], b = p->weight[c][1];
            UNROLL_8
            for (int t = 0; t < PANEL_T; t++) {
                const pi x = pi_broadcast(q + (c * ACT_PACK + t) * 4);
                part[t][0] = panel_dot(part[t][0], a, x, limit);
                part[t][1] = panel_dot(part[t][1], b, x, limit);
            }
        }
        UNROLL_8
        for (int t = 0; t < PANEL_T; t++) {
            sum[t][0] = panel_add_scaled(sum[t][0], part[t][0], scale ? &scale[0] : NULL, limit);
            sum[t][1] = panel_add_scaled(sum[t][1], part[t][1], scale ? &scale[1] : NULL, limit);
        }
    }
}

/* sum[t][h] += pairs of numbers a row of the panel with pairs of sums */
INLINE void tile_pairs(pi sum[PANEL_T][2], const struct panel *p, const int16_t *const *sums, const int pairs)
{
    for (int i = 0; i < pairs; i++) {
        const pi a = p->pair[i][0], b = p->pair[i][1];
        UNROLL_8
        for (int t = 0; t < PANEL_T; t++) {
            const pi x = pi_broadcast(sums[t] + i * 2);
            sum[t][0] = pi_dot_words(sum[t][0], a, x);
            sum[t][1] = pi_dot_words(sum[t][1], b, x);
        }
    }
}

INLINE void tile_add_to(float *y, pf value, pf scale)
{
    pf_store(y, pf_add(pf_load(y), pf_mul(scale, value)));
}

/* One block of 256 values in `subs` sub-blocks. */
INLINE void tile_k(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, const int t0, const int subs, const int mins, const int limit)
{
    pi total[PANEL_T][2], min[PANEL_T][2];
    tile_zero(total);
    if (!mins) tile_pairs(total, p, x->sum + t0, 8);
    for (int s = 0; s < subs; s++) {
        tile_dots(total, p, x->q + t0 * 4, s * (CHUNK / 4 / subs), CHUNK / 4 / subs, p->scale[s], limit);
    }
    tile_zero(min);
    if (mins) tile_pairs(min, p, x->sum32 + t0, 4);
    UNROLL_8
    for (int t = 0; t < PANEL_T; t++) {
        const pf scale = pf_set(*x->scale[t0 + t]);
        UNROLL_8
        for (int h = 0; h < 2; h++) {
            pf value = pf_mul(p->d[0][h], pf_from(total[t][h]));
            if (mins) value = pf_sub(value, pf_mul(p->dmin[0][h], pf_from(min[t][h])));
            tile_add_to(&y[t0 + t][h * PANEL_LANES], value, scale);
        }
    }
}

static void tile_q4_k(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    (void)n;
    for (int t = 0; t < ACT_PACK; t += PANEL_T) tile_k(y, p, x, t, 8, 1, 15);
}

static void tile_q5_k(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    (void)n;
    for (int t = 0; t < ACT_PACK; t += PANEL_T) tile_k(y, p, x, t, 8, 1, 31);
}

static void tile_q6_k(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    (void)n;
    for (int t = 0; t < ACT_PACK; t += PANEL_T) tile_k(y, p, x, t, 16, 0, 63);
}

/* n / 32 blocks of 32 values, `excess` more than they count. */
INLINE void tile_32(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n, const int t0, const int excess,
                    const int mins, const int limit)
{
    pf sums[PANEL_T][2];
    UNROLL_8
    for (int t = 0; t < PANEL_T; t++) {
        sums[t][0] = pf_load(y[t0 + t]);
        sums[t][1] = pf_load(y[t0 + t] + PANEL_LANES);
    }
    for (int b = 0; b < n / 32; b++) {
        pi sum[PANEL_T][2];
        UNROLL_8
        for (int t = 0; t < PANEL_T; t++) sum[t][0] = sum[t][1] = pi_set(-excess * x->sum32[t0 + t][b]);
        tile_dots(sum, p, x->q + t0 * 4, b * 8, 8, NULL, limit);
        UNROLL_8
        for (int t = 0; t < PANEL_T; t++) {
            const pf scale = pf_set(x->scale[t0 + t][b]), min = pf_set((float)-x->sum32[t0 + t][b]);
            UNROLL_8
            for (int h = 0; h < 2; h++) {
                pf value = pf_mul(p->d[b][h], pf_from(sum[t][h]));
                if (mins) value = pf_sub(value, pf_mul(p->dmin[b][h], min));
                sums[t][h] = pf_add(sums[t][h], pf_mul(scale, value));
            }
        }
    }
    UNROLL_8
    for (int t = 0; t < PANEL_T; t++) {
        pf_store(y[t0 + t], sums[t][0]);
        pf_store(y[t0 + t] + PANEL_LANES, sums[t][1]);
    }
}

static void tile_q8_0(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    for (int t = 0; t < ACT_PACK; t += PANEL_T) tile_32(y, p, x, n, t, PANEL_BIAS, 0, 255);
}

static void tile_q4_0(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    for (int t = 0; t < ACT_PACK; t += PANEL_T) tile_32(y, p, x, n, t, 8, 0, 15);
}

static void tile_q4_1(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    for (int t = 0; t < ACT_PACK; t += PANEL_T) tile_32(y, p, x, n, t, 0, 1, 15);
}

static void tile_q5_0(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    for (int t = 0; t < ACT_PACK; t += PANEL_T) tile_32(y, p, x, n, t, 16, 0, 31);
}

static void tile_q5_1(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    for (int t = 0; t < ACT_PACK; t += PANEL_T) tile_32(y, p, x, n, t, 0, 1, 31);
}

static void tile_mxfp4(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    for (int t = 0; t < ACT_PACK; t += PANEL_T) tile_32(y, p, x, n, t, MXFP4_EXCESS, 0, 2 * MXFP4_EXCESS);
}

/* ---- all of a product */

typedef void panel_unpack_fn(struct panel *p, int h, const char *const *w, int64_t n);
typedef void panel_tile_fn(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n);

/* Group g of the activations from value c on. */
static struct tile_x tile_x_at(const struct act_i8 *a, int64_t g, int64_t c)
{
    struct tile_x x = { .q = a->packed + (g * a->k + c) * ACT_PACK };
    for (int64_t t = 0; t < ACT_PACK; t++) {
        const int64_t row = g * ACT_PACK + (g * ACT_PACK + t < a->n ? t : 0);
        x.sum[t] = a->sum + (row * a->k + c) / 16;
        x.sum32[t] = a->sum32 + (row * a->k + c) / 32;
        x.scale[t] = a->scale + (row * a->k + c) / a->block;
    }
    return x;
}

/* Weight rows from i with the groups [first, last) of activations; y [group][ACT_PACK][PANEL_ROWS] */
static void panel_rows(const struct product *p, struct panel_memory *m, int64_t i, int64_t first, int64_t last, int block, int block_bytes,
                       panel_unpack_fn *unpack, panel_tile_fn *tile)
{
    const char *w[PANEL_ROWS];
    for (int64_t r = 0; r < PANEL_ROWS; r++) w[r] = (const char *)p->w + (size_t)(i + r < p->n_w ? i + r : i) * p->w_stride;
    memset(m->y, 0, (size_t)(last - first) * ACT_PACK * sizeof *m->y);
    for (int64_t c = 0; c < p->k; c += CHUNK) {
        const int64_t n = least(CHUNK, p->k - c), bytes = n / block * block_bytes;
        unpack(&m->panel, 0, w, n);
        unpack(&m->panel, 1, w + PANEL_LANES, n);
        for (int r = 0; r < PANEL_ROWS; r++) {
            w[r] += bytes;
            for (int64_t at = 0; at < bytes && c + n < p->k; at += 64) _mm_prefetch(w[r] + at, _MM_HINT_T0);
        }
        for (int64_t g = first; g < last; g++) {
            const struct tile_x x = tile_x_at(p->xq, g, c);
            tile(m->y + (g - first) * ACT_PACK, &m->panel, &x, n);
        }
    }
}

static void panel_store(const struct product *p, const struct panel_memory *m, int64_t i, int64_t first, int64_t last)
{
    const int64_t width = least(PANEL_ROWS, p->n_w - i);
    for (int64_t row = first * ACT_PACK; row < last * ACT_PACK; row++) {
        const int64_t j = row - p->xq_first;
        if (j < 0 || j >= p->n_x) continue;
        memcpy(p->y + j * p->y_stride + i, m->y[row - first * ACT_PACK], (size_t)width * sizeof *p->y);
    }
}

INLINE void panel_product(const struct product *p, const struct weight_type *t, panel_unpack_fn *unpack, panel_tile_fn *tile, product_fn *few)
{
    if (p->n_x < PANEL_FEW || !p->xq->packed) {
        few(p);
        return;
    }
    struct panel_memory *m = (struct panel_memory *)(void *)p->scratch;
    const int64_t end = (p->xq_first + p->n_x + ACT_PACK - 1) / ACT_PACK;
    for (int64_t g = p->xq_first / ACT_PACK; g < end; g += PANEL_TOKENS / ACT_PACK) {
        const int64_t last = least(g + PANEL_TOKENS / ACT_PACK, end);
        for (int64_t i = 0; i < p->n_w; i += PANEL_ROWS) {
            panel_rows(p, m, i, g, last, t->values, t->bytes, unpack, tile);
            panel_store(p, m, i, g, last);
        }
    }
}

static void panel_round_i8(const struct act_i8 *a, int64_t row, const float *x)
{
    template_round_i8(a, row, x);
    if (!a->packed) return;
    int8_t *packed = a->packed + (row / ACT_PACK * a->k * ACT_PACK + row % ACT_PACK * 4);
    for (int64_t c = 0; c < a->k; c += 4) memcpy(packed + c * ACT_PACK, a->q + row * a->k + c, 4);
}

static void q8_0_panel_product(const struct product *p)
{
    panel_product(p, &q8_0_type, panel_q8_0, tile_q8_0, q8_0_product_i8);
}

static void q4_0_panel_product(const struct product *p)
{
    panel_product(p, &q4_0_type, panel_q4_0, tile_q4_0, q4_0_product_i8);
}

static void q4_1_panel_product(const struct product *p)
{
    panel_product(p, &q4_1_type, panel_q4_1, tile_q4_1, q4_1_product_i8);
}

static void q5_0_panel_product(const struct product *p)
{
    panel_product(p, &q5_0_type, panel_q5_0, tile_q5_0, q5_0_product_i8);
}

static void q5_1_panel_product(const struct product *p)
{
    panel_product(p, &q5_1_type, panel_q5_1, tile_q5_1, q5_1_product_i8);
}

static void q4_k_panel_product(const struct product *p)
{
    panel_product(p, &q4_k_type, panel_q4_k, tile_q4_k, q4_k_product_i8);
}

static void q5_k_panel_product(const struct product *p)
{
    panel_product(p, &q5_k_type, panel_q5_k, tile_q5_k, q5_k_product_i8);
}

static void q6_k_panel_product(const struct product *p)
{
    panel_product(p, &q6_k_type, panel_q6_k, tile_q6_k, q6_k_product_i8);
}

static void mxfp4_panel_product(const struct product *p)
{
    panel_product(p, &mxfp4_type, panel_mxfp4, tile_mxfp4, mxfp4_product_i8);
}

static void panel_fill(struct kernels *k)
{
    k->product_i8[DTYPE_Q8_0] = q8_0_panel_product;
    k->product_i8[DTYPE_Q4_0] = q4_0_panel_product;
    k->product_i8[DTYPE_Q4_1] = q4_1_panel_product;
    k->product_i8[DTYPE_Q5_0] = q5_0_panel_product;
    k->product_i8[DTYPE_Q5_1] = q5_1_panel_product;
    k->product_i8[DTYPE_Q4_K] = q4_k_panel_product;
    k->product_i8[DTYPE_Q5_K] = q5_k_panel_product;
    k->product_i8[DTYPE_Q6_K] = q6_k_panel_product;
    k->product_i8[DTYPE_MXFP4] = mxfp4_panel_product;
    k->round_i8 = panel_round_i8;
}

#endif
