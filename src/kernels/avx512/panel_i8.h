/* Arithmetic int8 for many rows of activations: 32 weight rows are unpacked, 256 values at a time, into a panel of bytes that
 * stays in the nearest cache, and multiplied with ACT_PACK activation rows at a time, whose sums stay in registers. Inside a
 * block the integers are exact, whatever their order; the float step of a block is that of step_i8 (kernels/product.h). So the
 * bits are those of every other kernel of arithmetic int8. */
#ifndef KERNELS_PANEL_I8_H
#define KERNELS_PANEL_I8_H

#include "base/half.h"
#include "kernels/product.h"
#include "quant/q4_0/q4_0.h"
#include "quant/q4_k/q4_k.h"
#include "quant/q5_k/q5_k.h"
#include "quant/q6_k/q6_k.h"
#include "quant/q8_0/q8_0.h"

enum {
    PANEL_ROWS   = 32, /* two registers of 16 lanes, one lane a weight row */
    PANEL_TOKENS = 42 * ACT_PACK, /* activation rows that a panel serves before it is unpacked again */
    PANEL_FEW    = 8,  /* below so many activation rows unpacking does not pay */
};

struct panel {
    __m512i weight[CHUNK / 4][2]; /* unsigned bytes: 4 consecutive values of each row */
    __m512i scale[16][2];         /* K types: of a sub-block, int32 */
    __m512i pair[8][2];           /* Q4_K, Q5_K: minima of two sub-blocks, int16; Q6_K: what two sub-blocks have too much */
    __m512  d[CHUNK / 32][2], dmin[2]; /* K types: d[0] */
};

/* Where the panels lie in product.scratch. */
struct panel_memory {
    struct panel panel;
    float        y[PANEL_TOKENS][PANEL_ROWS];
};

_Static_assert(sizeof(struct panel_memory) <= PRODUCT_SCRATCH, "fits");

INLINE __m512i dot_bytes(__m512i sum, __m512i w, __m512i x)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
}

INLINE __m512i dot_words(__m512i sum, __m512i w, __m512i x)
{
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
}

INLINE __m512i broadcast_4(const void *p) /* 4 bytes to every lane */
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return _mm512_set1_epi32(v);
}

/* ---- unpacking: row r's 16 lanes become lane r of 16 registers */

/* 64 bytes at offset `at` of each of 16 rows' blocks, as 16 registers of 4 bytes a row */
INLINE void raw_16(__m512i *out, const char *const *w, int at)
{
    UNROLL_16
    for (int r = 0; r < 16; r++) out[r] = _mm512_loadu_si512(w[r] + at);
    m512i_transpose(out);
}

INLINE __m512 halves_16(const char *const *w, int at)
{
    uint16_t h[16];
    UNROLL_16
    for (int r = 0; r < 16; r++) memcpy(&h[r], w[r] + at, sizeof *h);
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)h));
}

INLINE __m512i words_16(const char *const *w, int at)
{
    uint32_t v[16];
    UNROLL_16
    for (int r = 0; r < 16; r++) memcpy(&v[r], w[r] + at, sizeof *v);
    return _mm512_loadu_si512(v);
}

INLINE __m512i and_all(__m512i v, uint32_t mask)
{
    return _mm512_and_si512(v, _mm512_set1_epi32((int)mask));
}

/* The 8 scales and minima of quant/k_scales.h, of 16 rows. */
INLINE void panel_k_scales(struct panel *p, int h, const char *const *w, int at)
{
    const __m512i a = words_16(w, at), b = words_16(w, at + 4), c = words_16(w, at + 8);
    const __m512i scale[2] = { and_all(a, 0x3f3f3f3f),
                               _mm512_or_si512(and_all(c, 0x0f0f0f0f), and_all(_mm512_srli_epi32(a, 2), 0x30303030)) };
    const __m512i min[2] = { and_all(b, 0x3f3f3f3f), _mm512_or_si512(and_all(_mm512_srli_epi32(c, 4), 0x0f0f0f0f),
                                                                     and_all(_mm512_srli_epi32(b, 2), 0x30303030)) };
    for (int i = 0; i < 8; i++) p->scale[i][h] = and_all(_mm512_srl_epi32(scale[i / 4], _mm_cvtsi32_si128(i % 4 * 8)), 0xff);
    for (int i = 0; i < 4; i++) {
        const __m512i two = _mm512_srl_epi32(min[i / 2], _mm_cvtsi32_si128(i % 2 * 16));
        p->pair[i][h] = _mm512_or_si512(and_all(two, 0xff), and_all(_mm512_slli_epi32(two, 8), 0xff0000));
    }
}

static void panel_q4_k(struct panel *p, int h, const char *const *w, int64_t n)
{
    (void)n;
    for (int half = 0; half < 2; half++) { /* 64 bytes: 4 sub-blocks */
        __m512i raw[16];
        raw_16(raw, w, (int)offsetof(struct q4_k, q) + half * 64);
        UNROLL_16
        for (int i = 0; i < 16; i++) {
            const int at = half * 32 + i / 8 * 16 + i % 8;
            p->weight[at][h] = and_all(raw[i], 0x0f0f0f0f);
            p->weight[at + 8][h] = and_all(_mm512_srli_epi32(raw[i], 4), 0x0f0f0f0f);
        }
    }
    panel_k_scales(p, h, w, offsetof(struct q4_k, scales));
    p->d[0][h] = halves_16(w, offsetof(struct q4_k, d));
    p->dmin[h] = halves_16(w, offsetof(struct q4_k, dmin));
}

static void panel_q5_k(struct panel *p, int h, const char *const *w, int64_t n)
{
    __m512i high[16], raw[16];
    (void)n;
    raw_16(high, w, offsetof(struct q5_k, high)); /* the first 8; the others are the beginning of q */
    for (int half = 0; half < 2; half++) {
        raw_16(raw, w, (int)offsetof(struct q5_k, q) + half * 64);
        UNROLL_16
        for (int i = 0; i < 16; i++) {
            const int pair = half * 2 + i / 8, at = pair * 16 + i % 8;
            const __m512i two = _mm512_srl_epi32(high[i % 8], _mm_cvtsi32_si128(pair * 2));
            p->weight[at][h] = _mm512_or_si512(and_all(raw[i], 0x0f0f0f0f), _mm512_slli_epi32(and_all(two, 0x01010101), 4));
            p->weight[at + 8][h] = _mm512_or_si512(and_all(_mm512_srli_epi32(raw[i], 4), 0x0f0f0f0f),
                                                   _mm512_slli_epi32(and_all(two, 0x02020202), 3));
        }
    }
    panel_k_scales(p, h, w, offsetof(struct q5_k, scales));
    p->d[0][h] = halves_16(w, offsetof(struct q5_k, d));
    p->dmin[h] = halves_16(w, offsetof(struct q5_k, dmin));
}

static void panel_q6_k(struct panel *p, int h, const char *const *w, int64_t n)
{
    __m512i low[16], high[16];
    (void)n;
    raw_16(high, w, offsetof(struct q6_k, high));
    for (int half = 0; half < 2; half++) {
        raw_16(low, w, (int)offsetof(struct q6_k, low) + half * 64);
        UNROLL_16
        for (int i = 0; i < 16; i++) { /* runs i / 8 and 2 + i / 8 */
            const int at = half * 32 + i;
            const __m512i bits = _mm512_srl_epi32(high[half * 8 + i % 8], _mm_cvtsi32_si128(i / 8 * 2));
            p->weight[at][h] = _mm512_or_si512(and_all(low[i], 0x0f0f0f0f), _mm512_slli_epi32(and_all(bits, 0x03030303), 4));
            p->weight[at + 16][h] = _mm512_or_si512(and_all(_mm512_srli_epi32(low[i], 4), 0x0f0f0f0f), and_all(bits, 0x30303030));
        }
    }
    for (int i = 0; i < 4; i++) {
        const __m512i four = words_16(w, (int)offsetof(struct q6_k, scales) + i * 4);
        for (int b = 0; b < 4; b++) {
            const __m512i top = _mm512_sll_epi32(four, _mm_cvtsi32_si128(24 - b * 8));
            p->scale[i * 4 + b][h] = _mm512_srai_epi32(top, 24);
        }
    }
    for (int i = 0; i < 8; i++) {
        const __m512i first = and_all(_mm512_slli_epi32(p->scale[2 * i][h], 5), 0xffff), last = _mm512_slli_epi32(p->scale[2 * i + 1][h], 21);
        p->pair[i][h] = _mm512_sub_epi16(_mm512_setzero_si512(), _mm512_or_si512(first, last));
    }
    p->d[0][h] = halves_16(w, offsetof(struct q6_k, d));
}

static void panel_q8_0(struct panel *p, int h, const char *const *w, int64_t n)
{
    const __m512i flip = _mm512_set1_epi8((char)0x80); /* 128 more: without sign */
    for (int b = 0; b < n / 32; b++) {
        __m512i raw[16];
        UNROLL_16
        for (int r = 0; r < 16; r++) {
            const void *q = w[r] + (size_t)b * sizeof(struct q8_0) + offsetof(struct q8_0, q);
            raw[r] = _mm512_castsi256_si512(_mm256_loadu_si256(q));
        }
        m512i_transpose(raw);
        UNROLL_16
        for (int i = 0; i < 8; i++) p->weight[b * 8 + i][h] = _mm512_xor_si512(raw[i], flip);
        p->d[b][h] = halves_16(w, b * (int)sizeof(struct q8_0));
    }
}

static void panel_q4_0(struct panel *p, int h, const char *const *w, int64_t n)
{
    for (int b = 0; b < n / 32; b++) {
        __m512i raw[16];
        UNROLL_16
        for (int r = 0; r < 16; r++) {
            const void *q = w[r] + (size_t)b * sizeof(struct q4_0) + offsetof(struct q4_0, q);
            raw[r] = _mm512_castsi128_si512(_mm_loadu_si128(q));
        }
        m512i_transpose(raw);
        UNROLL_16
        for (int i = 0; i < 4; i++) {
            p->weight[b * 8 + i][h] = and_all(raw[i], 0x0f0f0f0f);
            p->weight[b * 8 + 4 + i][h] = and_all(_mm512_srli_epi32(raw[i], 4), 0x0f0f0f0f);
        }
        p->d[b][h] = halves_16(w, b * (int)sizeof(struct q4_0));
    }
}

/* ---- multiplying: ACT_PACK activation rows with a panel */

/* What a tile needs of the activations; row t of the group stands `*_stride` on. The last group's missing rows repeat its first. */
struct tile_x {
    const int8_t  *q; /* [k / 4][ACT_PACK][4] */
    const int16_t *sum[ACT_PACK], *sum32[ACT_PACK];
    const float   *scale[ACT_PACK];
};

/* sum[t][h] += weights of `steps` times 4 values with 6 rows */
INLINE void tile_dots(__m512i sum[ACT_PACK][2], const struct panel *p, const int8_t *q, int first, const int steps)
{
    UNROLL_8
    for (int s = 0; s < steps; s++) {
        const int c = first + s;
        const __m512i a = p->weight[c][0], b = p->weight[c][1];
        UNROLL_8
        for (int t = 0; t < ACT_PACK; t++) {
            const __m512i x = broadcast_4(q + (c * ACT_PACK + t) * 4);
            sum[t][0] = dot_bytes(sum[t][0], a, x);
            sum[t][1] = dot_bytes(sum[t][1], b, x);
        }
    }
}

INLINE void tile_zero(__m512i sum[ACT_PACK][2])
{
    UNROLL_8
    for (int t = 0; t < ACT_PACK; t++) sum[t][0] = sum[t][1] = _mm512_setzero_si512();
}

/* sum[t][h] += pairs of numbers a row of the panel with pairs of sums */
INLINE void tile_pairs(__m512i sum[ACT_PACK][2], const struct panel *p, const int16_t *const *sums, const int pairs)
{
    for (int i = 0; i < pairs; i++) {
        const __m512i a = p->pair[i][0], b = p->pair[i][1];
        UNROLL_8
        for (int t = 0; t < ACT_PACK; t++) {
            const __m512i x = broadcast_4(sums[t] + i * 2);
            sum[t][0] = dot_words(sum[t][0], a, x);
            sum[t][1] = dot_words(sum[t][1], b, x);
        }
    }
}

INLINE void tile_add_to(float (*y)[PANEL_ROWS], int t, int h, __m512 value, __m512 scale)
{
    float *at = &y[t][h * 16];
    _mm512_store_ps(at, _mm512_add_ps(_mm512_load_ps(at), _mm512_mul_ps(scale, value)));
}

/* One block of 256 values in `subs` sub-blocks. */
INLINE void tile_k(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, const int subs, const int mins)
{
    __m512i total[ACT_PACK][2];
    tile_zero(total);
    if (!mins) tile_pairs(total, p, x->sum, 8);
    for (int s = 0; s < subs; s++) {
        __m512i sum[ACT_PACK][2];
        tile_zero(sum);
        tile_dots(sum, p, x->q, s * (CHUNK / 4 / subs), CHUNK / 4 / subs);
        const __m512i a = p->scale[s][0], b = p->scale[s][1];
        UNROLL_8
        for (int t = 0; t < ACT_PACK; t++) {
            total[t][0] = _mm512_add_epi32(total[t][0], _mm512_mullo_epi32(sum[t][0], a));
            total[t][1] = _mm512_add_epi32(total[t][1], _mm512_mullo_epi32(sum[t][1], b));
        }
    }
    __m512i min[ACT_PACK][2];
    tile_zero(min);
    if (mins) tile_pairs(min, p, x->sum32, 4);
    UNROLL_8
    for (int t = 0; t < ACT_PACK; t++) {
        const __m512 scale = _mm512_set1_ps(*x->scale[t]);
        UNROLL_8
        for (int h = 0; h < 2; h++) {
            __m512 value = _mm512_mul_ps(p->d[0][h], _mm512_cvtepi32_ps(total[t][h]));
            if (mins) value = _mm512_sub_ps(value, _mm512_mul_ps(p->dmin[h], _mm512_cvtepi32_ps(min[t][h])));
            tile_add_to(y, t, h, value, scale);
        }
    }
}

static void tile_k_mins(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    (void)n;
    tile_k(y, p, x, 8, 1);
}

static void tile_q6_k(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    (void)n;
    tile_k(y, p, x, 16, 0);
}

/* n / 32 blocks of 32 values, `excess` more than they count. */
INLINE void tile_32(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n, const int excess)
{
    __m512 sums[ACT_PACK][2];
    UNROLL_8
    for (int t = 0; t < ACT_PACK; t++) {
        sums[t][0] = _mm512_load_ps(y[t]);
        sums[t][1] = _mm512_load_ps(y[t] + 16);
    }
    for (int b = 0; b < n / 32; b++) {
        __m512i sum[ACT_PACK][2];
        UNROLL_8
        for (int t = 0; t < ACT_PACK; t++) sum[t][0] = sum[t][1] = _mm512_set1_epi32(-excess * x->sum32[t][b]);
        tile_dots(sum, p, x->q, b * 8, 8);
        UNROLL_8
        for (int t = 0; t < ACT_PACK; t++) {
            const __m512 scale = _mm512_set1_ps(x->scale[t][b]);
            sums[t][0] = _mm512_add_ps(sums[t][0], _mm512_mul_ps(scale, _mm512_mul_ps(p->d[b][0], _mm512_cvtepi32_ps(sum[t][0]))));
            sums[t][1] = _mm512_add_ps(sums[t][1], _mm512_mul_ps(scale, _mm512_mul_ps(p->d[b][1], _mm512_cvtepi32_ps(sum[t][1]))));
        }
    }
    UNROLL_8
    for (int t = 0; t < ACT_PACK; t++) {
        _mm512_store_ps(y[t], sums[t][0]);
        _mm512_store_ps(y[t] + 16, sums[t][1]);
    }
}

static void tile_q8_0(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    tile_32(y, p, x, n, 128);
}

static void tile_q4_0(float (*y)[PANEL_ROWS], const struct panel *p, const struct tile_x *x, int64_t n)
{
    tile_32(y, p, x, n, 8);
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
        unpack(&m->panel, 1, w + 16, n);
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

INLINE void panel_product_i8(const struct product *p, int block, int block_bytes, panel_unpack_fn *unpack, panel_tile_fn *tile, product_fn *few)
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
            panel_rows(p, m, i, g, last, block, block_bytes, unpack, tile);
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

#endif
