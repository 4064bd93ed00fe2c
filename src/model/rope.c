/* Rotary frequencies: 1 / theta^(2i / part), and what each scaling does to them. The references compute in float32; so do these
 * (powf of float32 exponents), since a frequency that differs in its last bit turns far positions noticeably. */
#include "model/rope.h"

#include <math.h>

typedef void rope_fn(const struct rope *r, const struct arch *a, int32_t length, float *f);

static void plain(const struct rope *r, double theta, float *f)
{
    for (int i = 0; i < r->part / 2; i++) {
        const float exponent = (float)(2 * i) / (float)r->part;
        f[i] = 1.0f / (float)pow(theta, (double)exponent);
    }
}

static void rope_default(const struct rope *r, const struct arch *a, int32_t length, float *f)
{
    (void)a;
    (void)length;
    plain(r, r->theta, f);
}

/* Position interpolation (kaiokendev 2023; Chen et al. 2023). */
static void rope_linear(const struct rope *r, const struct arch *a, int32_t length, float *f)
{
    (void)a;
    (void)length;
    plain(r, r->theta, f);
    for (int i = 0; i < r->part / 2; i++) f[i] /= (float)r->factor;
}

/* Dynamic NTK (emozilla 2023): theta grows with the length beyond the trained context. */
static void rope_dynamic(const struct rope *r, const struct arch *a, int32_t length, float *f)
{
    const double context = a->context, n = length > a->context ? length : context;
    const double grown = r->factor * n / context - (r->factor - 1.0);
    plain(r, r->theta * pow(grown, (double)r->part / (double)(r->part - 2)), f);
}

/* YaRN (Peng et al. 2023): dimensions that turn often are kept, slow ones interpolated, a ramp between. */
static double yarn_dimension(const struct rope *r, double turns)
{
    return r->part * log(r->original_context / (turns * 2.0 * M_PI)) / (2.0 * log(r->theta));
}

static void rope_yarn(const struct rope *r, const struct arch *a, int32_t length, float *f)
{
    (void)a;
    (void)length;
    double low = yarn_dimension(r, r->beta_fast), high = yarn_dimension(r, r->beta_slow);
    if (!r->no_truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0.0);
    high = fmin(high, (double)(r->part - 1));
    if (low == high) high += 0.001;
    for (int i = 0; i < r->part / 2; i++) {
        const float power = (float)pow(r->theta, (double)((float)(2 * i) / (float)r->part));
        const float ramp = fminf(fmaxf(((float)i - (float)low) / (float)(high - low), 0.0f), 1.0f), keep = 1.0f - ramp;
        f[i] = 1.0f / ((float)r->factor * power) * (1.0f - keep) + 1.0f / power * keep;
    }
}

/* Llama 3.1 (Meta 2024): long waves divided by the factor, short ones kept, a smooth step between. */
static void rope_llama3(const struct rope *r, const struct arch *a, int32_t length, float *f)
{
    (void)a;
    (void)length;
    const float context = (float)r->original_context, low = (float)r->low_freq_factor, high = (float)r->high_freq_factor;
    plain(r, r->theta, f);
    for (int i = 0; i < r->part / 2; i++) {
        const float wave = (float)(2.0 * M_PI) / f[i];
        const float smooth = (context / wave - low) / (high - low);
        if (wave > context / low)
            f[i] /= (float)r->factor;
        else if (!(wave < context / high))
            f[i] = (1.0f - smooth) * f[i] / (float)r->factor + smooth * f[i];
    }
}

/* LongRoPE (Ding et al. 2024): one divisor a dimension, another list for texts beyond the trained context. */
static void rope_longrope(const struct rope *r, const struct arch *a, int32_t length, float *f)
{
    (void)a;
    const float *divisor = length > r->original_context ? r->long_factor : r->short_factor;
    for (int i = 0; i < r->part / 2; i++)
        f[i] = 1.0f / (divisor[i] * (float)pow(r->theta, (double)((float)(2 * i) / (float)r->part)));
}

static const struct {
    const char *names[3];
    rope_fn    *frequencies;
    bool        by_length;
} rope_table[ROPE_KINDS] = {
    [ROPE_DEFAULT]  = { { "default", "none" }, rope_default, false },
    [ROPE_LINEAR]   = { { "linear" }, rope_linear, false },
    [ROPE_DYNAMIC]  = { { "dynamic" }, rope_dynamic, true },
    [ROPE_YARN]     = { { "yarn" }, rope_yarn, false },
    [ROPE_LLAMA3]   = { { "llama3" }, rope_llama3, false },
    [ROPE_LONGROPE] = { { "longrope", "su" }, rope_longrope, true },
};

int rope_kind_from_name(struct str name)
{
    for (int k = 0; k < ROPE_KINDS; k++)
        for (int i = 0; i < 3 && rope_table[k].names[i]; i++)
            if (str_is(name, rope_table[k].names[i])) return k;
    return -1;
}

const char *rope_kind_name(enum rope_kind kind) { return rope_table[kind].names[0]; }

void rope_frequencies(const struct rope *r, const struct arch *a, int32_t length, float *frequencies)
{
    rope_table[r->kind].frequencies(r, a, length, frequencies);
    for (int i = 0; r->divisors && i < r->part / 2; i++) frequencies[i] /= r->divisors[i];
}

static double yarn_mscale(double factor, double mscale) { return factor <= 1.0 ? 1.0 : 0.1 * mscale * log(factor) + 1.0; }

float rope_scale(const struct rope *r, const struct arch *a)
{
    (void)a;
    if (r->kind != ROPE_YARN && r->kind != ROPE_LONGROPE) return 1.0f;
    if (r->attention_factor != 0.0) return (float)r->attention_factor;
    if (r->kind == ROPE_LONGROPE) return r->factor <= 1.0 ? 1.0f : (float)sqrt(1.0 + log(r->factor) / log(r->original_context));
    if (r->mscale != 0.0 && r->mscale_all_dim != 0.0)
        return (float)(yarn_mscale(r->factor, r->mscale) / yarn_mscale(r->factor, r->mscale_all_dim));
    return (float)yarn_mscale(r->factor, 1.0);
}

int32_t rope_class(const struct rope *r, const struct arch *a, int32_t length)
{
    if (!rope_table[r->kind].by_length) return 0;
    if (r->kind == ROPE_LONGROPE) return length > r->original_context;
    return length > a->context ? length : 0;
}
