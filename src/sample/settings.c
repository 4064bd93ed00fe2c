/* The public face of sampling: the table of settings, and settings objects that check what they are told. */
#include "sample/chain_int.h"

#include <math.h>
#include <string.h>

#include "base/str.h"

static const hearth_sampling_param params[PARAM_COUNT] = {
#define PARAM(id, name, initial, min, max, is_int, step, on, help) { name, initial, min, max, is_int, help },
#include "sample/params.def"
#undef PARAM
};

static const struct {
    enum sample_step_id step;
    bool                on;
} param_step[PARAM_COUNT] = {
#define PARAM(id, name, initial, min, max, is_int, step, on, help) { step, on },
#include "sample/params.def"
#undef PARAM
};

const hearth_sampling_param *hearth_sampling_params(size_t *n)
{
    *n = PARAM_COUNT;
    return params;
}

int hearth_sampling_new(hearth_sampling **out, hearth_error *err)
{
    hearth_sampling *s = *out = mem_array(1, sizeof *s);
    if (!s) return fail_memory(err, sizeof *s, "sampling settings");
    for (int i = 0; i < PARAM_COUNT; i++) s->value[i] = params[i].initial;
    for (int i = 0; i < STEP_COUNT; i++) s->order[i] = (enum sample_step_id)i;
    s->n_order = STEP_COUNT;
    return HEARTH_OK;
}

void hearth_sampling_free(hearth_sampling *s)
{
    if (!s) return;
    mem_free(s->bias);
    mem_free(s);
}

bool sampling_step_on(const struct hearth_sampling *settings, enum sample_step_id step)
{
    for (int i = 0; i < PARAM_COUNT; i++) {
        if (param_step[i].step == step && param_step[i].on && settings->value[i] != params[i].initial) return true;
    }
    return step == STEP_BIAS && settings->n_bias > 0;
}

/* ---- names */

static const char *param_name(int i) { return params[i].name; }
static const char *step_name(int i) { return sample_steps[i].name; }

/* Letters to insert, remove or replace to turn a into b. */
#define NAME_MAX_BYTES 40
static int name_distance(struct str a, struct str b)
{
    int row[NAME_MAX_BYTES + 1];
    for (size_t j = 0; j <= b.n; j++) row[j] = (int)j;
    for (size_t i = 0; i < a.n; i++) {
        int before = row[0]; /* distance of a[0, i) and b[0, j) */
        row[0] = (int)i + 1;
        for (size_t j = 0; j < b.n; j++) {
            const int replaced = before + (a.p[i] != b.p[j]);
            const int other = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            before = row[j + 1];
            row[j + 1] = replaced < other ? replaced : other;
        }
    }
    return row[b.n];
}

/* The index of a name among n, or a failure that suggests the nearest. */
static int name_find(struct str name, const char *what, const char *(*known)(int), int n, struct hearth_error *err)
{
    const struct str begin = str_sub(name, 0, name.n < NAME_MAX_BYTES ? name.n : NAME_MAX_BYTES);
    int nearest = 0, least = NAME_MAX_BYTES + 1;
    for (int i = 0; i < n; i++) {
        if (str_is(name, known(i))) return i;
        const int distance = name_distance(begin, str_from(known(i)));
        if (distance < least) {
            least = distance;
            nearest = i;
        }
    }
    return fail(err, HEARTH_E_ARG, "there is no sampling %s \"%.*s\"; did you mean \"%s\"?", what, STR_ARG(name),
                known(nearest));
}

/* ---- values */

int hearth_sampling_set(hearth_sampling *s, const char *name, double value, hearth_error *err)
{
    const int i = name_find(str_from(name), "setting", param_name, PARAM_COUNT, err);
    if (i < 0) return i;
    const hearth_sampling_param *p = &params[i];
    if (isnan(value)) return fail(err, HEARTH_E_ARG, "%s is not a number; give one from %.10g to %.10g", p->name, p->min, p->max);
    if (value < p->min) return fail(err, HEARTH_E_ARG, "%s is %.10g but must be at least %.10g", p->name, value, p->min);
    if (value > p->max) return fail(err, HEARTH_E_ARG, "%s is %.10g but must be at most %.10g", p->name, value, p->max);
    if (p->is_int && value != floor(value))
        return fail(err, HEARTH_E_ARG, "%s is %.10g but must be a whole number", p->name, value);
    s->value[i] = value;
    return HEARTH_OK;
}

/* ---- order */

const char *hearth_sampling_order_default(void)
{
    static const char order[] =
#define STEP(id, name, run, chosen, help) "," name
#include "sample/steps.def"
#undef STEP
        ;
    return order + 1;
}

static struct str str_trim(struct str s)
{
    while (s.n > 0 && s.p[0] == ' ') s = str_sub(s, 1, s.n);
    while (s.n > 0 && s.p[s.n - 1] == ' ') s.n--;
    return s;
}

int hearth_sampling_order(hearth_sampling *s, const char *order, hearth_error *err)
{
    enum sample_step_id steps[STEP_COUNT] = { 0 };
    bool seen[STEP_COUNT] = { false };
    int n = 0;
    for (const char *p = order;;) {
        const size_t length = strcspn(p, ",");
        const int i = name_find(str_trim((struct str){ p, length }), "step", step_name, STEP_COUNT, err);
        if (i < 0) return i;
        if (seen[i]) return fail(err, HEARTH_E_ARG, "the order names sampling step \"%s\" twice; name it once", step_name(i));
        seen[i] = true;
        steps[n++] = (enum sample_step_id)i;
        if (p[length] == '\0') break;
        p += length + 1;
    }
    memcpy(s->order, steps, sizeof steps);
    s->n_order = n;
    return HEARTH_OK;
}

/* ---- biases */

#define BIAS_MOST (1u << 20)

int hearth_sampling_bias(hearth_sampling *s, int32_t token, float bias, hearth_error *err)
{
    if (token < 0) return fail(err, HEARTH_E_ARG, "a logit bias names token %d; tokens start at 0", token);
    if (isnan(bias)) return fail(err, HEARTH_E_ARG, "the logit bias of token %d is not a number", token);
    if (bias == INFINITY)
        return fail(err, HEARTH_E_ARG, "the logit bias of token %d is infinite; 100 is as good as certain", token);
    if (s->n_bias == BIAS_MOST) return fail(err, HEARTH_E_ARG, "there are more than %u logit biases", BIAS_MOST);
    if (s->n_bias == s->room_bias) {
        const uint32_t room = s->room_bias ? 2 * s->room_bias : 16;
        struct logit_bias *more = mem_resize(s->bias, room, sizeof *more);
        if (!more) return fail_memory(err, room * sizeof *more, "logit biases");
        s->bias = more;
        s->room_bias = room;
    }
    s->bias[s->n_bias++] = (struct logit_bias){ token, bias };
    return HEARTH_OK;
}
