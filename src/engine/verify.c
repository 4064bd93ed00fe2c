/* hearth_verify: a model against recorded tensors of its reference, op by op in run-now mode, then its greedy ids. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "engine/report.h"
#include "engine/session.h"

struct verify {
    struct report           r;
    const struct container *want;
    double                  limit;
    int                     json, n_compared, n_bad;
};

static const struct file_tensor *expected(const struct verify *v, const char *name) { return container_tensor(v->want, name); }

static const int32_t *expected_ids(const struct verify *v, const char *name, size_t *n)
{
    const struct file_tensor *t = expected(v, name);
    *n = t && t->type == DTYPE_I32 && t->rank == 1 ? (size_t)t->dim[0] : 0;
    return *n ? t->data : NULL;
}

/* Largest absolute error over the reference's range. */
static double relative_error(const float *a, const float *b, int64_t n)
{
    double lo = INFINITY, hi = -INFINITY, worst = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        lo = fmin(lo, (double)b[i]);
        hi = fmax(hi, (double)b[i]);
        if (!(d <= worst)) worst = d; /* NaN counts as worst */
    }
    return hi > lo ? worst / (hi - lo) : worst;
}

static void report_tensor(struct verify *v, const char *name, double error, const struct op_record *o)
{
    const bool bad = !(error <= v->limit);
    const char *slash = o ? strrchr(o->file, '/') : NULL, *file = slash ? slash + 1 : o ? o->file : "";
    if (v->json) {
        report_printf(&v->r, "%s{\"tensor\": \"%s\", \"error\": %.6g, \"ok\": %s", v->n_compared ? ",\n  " : "\n  ", name, isfinite(error) ? error : 1e30, bad ? "false" : "true");
        if (o) report_printf(&v->r, ", \"op\": \"%s\", \"layer\": %d, \"source\": \"%s:%d\"", op_table[o->op].name, o->layer, file, o->line);
        report_printf(&v->r, "}");
    } else {
        report_printf(&v->r, "%-4s %-28s error / range %.2e", bad ? "BAD" : "ok", name, error);
        if (bad && !v->n_bad && o) report_printf(&v->r, "  <- first to diverge: op %s, layer %d, %s:%d", op_table[o->op].name, o->layer, file, o->line);
        report_printf(&v->r, "\n");
    }
    v->n_compared++;
    v->n_bad += bad;
}

static void compare_named(struct verify *v, struct hearth_session *s, const char *name, const struct tensor *x, const struct op_record *o)
{
    const struct file_tensor *f = expected(v, name);
    const int64_t n = tensor_count(x);
    if (!f || f->type != DTYPE_F32 || x->type != DTYPE_F32 || !x->data || f->n_bytes != (uint64_t)n * sizeof(float)) return;
    float *mine = mem_array((uint64_t)n, sizeof *mine);
    if (!mine) return;
    s->model->backend->read(s->model->backend, mine, x->data, (uint64_t)n * sizeof *mine);
    report_tensor(v, name, relative_error(mine, f->data, n), o);
    mem_free(mine);
}

static void compare_tensor(struct verify *v, struct hearth_session *s, const struct tensor *x, const struct op_record *o)
{
    char name[100];
    if (x->index >= 0)
        snprintf(name, sizeof name, "%s.%d", x->name, x->index);
    else
        snprintf(name, sizeof name, "%s", x->name);
    compare_named(v, s, name, x, o);
    if (strcmp(name, "last_hidden_state")) return;
    snprintf(name, sizeof name, "hidden.%d", s->model->m->arch.n_encoder_layer); /* its other name */
    compare_named(v, s, name, x, o);
}

/* Every output on the tape that the reference recorded under the same name, in order of computation. */
static void compare_tape(struct verify *v, struct hearth_session *s)
{
    for (int i = 0; i < s->tape->n_record; i++)
        if (s->tape->record[i].out[0]) compare_tensor(v, s, s->tape->record[i].out[0], &s->tape->record[i]);
}

static int compare_encoder(struct verify *v, hearth_model *model, hearth_error *err)
{
    size_t n, n_types;
    const int32_t *ids = expected_ids(v, "input_ids", &n), *types = expected_ids(v, "token_type_ids", &n_types);
    struct encoded out = { 0 };
    hearth_session *s;
    if (!ids || (types && n_types != n)) return fail(err, HEARTH_E_FORMAT, "expected.safetensors has no usable input_ids");
    int status = check_ids(&model->m->encoder, ids, n, err);
    for (size_t i = 0; types && i < n && !status; i++)
        if (types[i] < 0 || types[i] >= model->m->arch.n_type) status = fail(err, HEARTH_E_FORMAT, "expected.safetensors has token types that the model lacks");
    if (!status) status = session_new(&s, model, &(hearth_session_options){ .size = sizeof(hearth_session_options), .context = (int32_t)n }, true, err);
    if (status) return status;
    const struct part all = { .ids = ids, .n = (int32_t)n, .types = types, .rope_length = (int32_t)n };
    status = session_read(s, &all, 1, false, true, &out, NULL, err);
    if (!status) compare_tape(v, s);
    encoded_free(&out);
    hearth_session_free(s);
    return status;
}

static int compare_tensors(struct verify *v, hearth_model *model, hearth_error *err)
{
    size_t n, n_decoder;
    const int32_t *ids = expected_ids(v, "input_ids", &n), *decoder_ids = expected_ids(v, "decoder_input_ids", &n_decoder);
    const bool has_encoder = model->m->arch.n_encoder_layer > 0;
    hearth_session *s;
    if (model->m->arch.task == HEARTH_TASK_ENCODER) return compare_encoder(v, model, err);
    if (!ids || (has_encoder && !decoder_ids)) return fail(err, HEARTH_E_FORMAT, "expected.safetensors lacks input_ids%s", has_encoder ? " or decoder_input_ids" : "");
    int status = check_ids(&model->m->encoder, ids, n, err);
    if (!status && has_encoder) status = check_ids(&model->m->arch, decoder_ids, n_decoder, err);
    const int32_t longest = (int32_t)(n > n_decoder ? n : n_decoder);
    if (!status) status = session_new(&s, model, &(hearth_session_options){ .size = sizeof(hearth_session_options), .context = longest, .chunk = longest }, true, err);
    if (status) return status;
    if (has_encoder) {
        status = session_encode(s, 0, ids, (int32_t)n, NULL, NULL, err);
        if (!status) compare_tape(v, s);
        ids = decoder_ids;
        n = n_decoder;
    }
    const struct part all = { .seq = 0, .ids = ids, .n = (int32_t)n, .want = (int32_t)n, .rope_length = (int32_t)n };
    if (!status) status = session_step(s, &all, 1, NULL, err);
    if (!status) compare_tape(v, s);
    hearth_session_free(s);
    return status;
}

static int compare_greedy(struct verify *v, hearth_model *model, hearth_error *err)
{
    size_t n, n_want;
    const int32_t *ids = expected_ids(v, "input_ids", &n), *want = expected_ids(v, "greedy_ids", &n_want);
    hearth_session *s;
    if (!want || !ids || model->m->arch.task == HEARTH_TASK_ENCODER) return 0;
    /* encoder-decoders keep source and target apart; the last id is not fed */
    const size_t need = !model->m->arch.n_encoder_layer ? n + n_want : n > n_want ? n : n_want;
    int status = hearth_session_new(&s, model, &(hearth_session_options){ .size = sizeof(hearth_session_options), .context = (int32_t)need }, err);
    if (status) return status;
    hearth_request r = { .size = sizeof r, .ids = ids, .n_ids = n, .max_tokens = (int32_t)n_want, .ignore_end = 1 };
    status = hearth_generate(s, &r, 1, NULL, NULL, NULL, err);
    size_t same = 0;
    while (!status && same < n_want && same < (size_t)r.n_generated && r.generated[same] == want[same]) same++;
    if (!status) {
        const bool bad = same < n_want;
        v->n_bad += bad;
        if (v->json)
            report_printf(&v->r, "],\n\"greedy_equal\": %zu, \"greedy_total\": %zu", same, n_want);
        else
            report_printf(&v->r, "%-4s %-28s %zu of %zu equal\n", bad ? "BAD" : "ok", "greedy_ids", same, n_want);
    }
    mem_free(r.generated);
    hearth_session_free(s);
    return status;
}

int hearth_verify(const char *folder, const hearth_model_options *options, double limit, int json, hearth_write *write, void *user, int *differs, hearth_error *err)
{
    struct container *want = NULL;
    hearth_model *model = NULL;
    char path[4096];
    /* a model file may stand for its folder: expected.safetensors is beside it */
    int status = hearth_model_open(&model, folder, options, err);
    if (status) return status;
    snprintf(path, sizeof path, "%s/expected.safetensors", model->m->file->folder);
    status = container_open(&want, path, err);
    if (!status) {
        struct verify v = { .want = want, .limit = limit > 0.0 ? limit : 1e-4, .json = json };
        report_init(&v.r, write, user);
        if (json) report_printf(&v.r, "{\"limit\": %g, \"tensors\": [", v.limit);
        status = compare_tensors(&v, model, err);
        if (!status) status = compare_greedy(&v, model, err);
        if (!status && !v.n_compared) status = fail(err, HEARTH_E_FORMAT, "%s has no tensor that this model computes", path);
        if (json && !status)
            report_printf(&v.r, "%s, \"ok\": %s}\n", container_tensor(want, "greedy_ids") && model->m->arch.task != HEARTH_TASK_ENCODER ? "" : "]", v.n_bad ? "false" : "true");
        else if (!status)
            report_printf(&v.r, "%d tensors compared, limit %g: %s\n", v.n_compared, v.limit, v.n_bad ? "DIFFERS" : "equal");
        *differs = v.n_bad > 0;
        const int sent = report_finish(&v.r, status ? NULL : err);
        if (!status) status = sent;
    }
    container_close(want);
    hearth_model_close(model);
    return status;
}
