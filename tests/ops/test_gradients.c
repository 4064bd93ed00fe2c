/* The reverse walk: loss and every gradient of a small GPT-2 against torch in float64, and the rules against finite differences. */
#include "test.h"

#include <math.h>

#include "golden_data.h"

#include "backends/cpu/cpu_backend.h"
#include "model/model.h"

#define TEXTS 2
#define ROWS 24

static struct tensor input(const char *name, enum dtype type, int rank, const int64_t *dim, void *values)
{
    struct tensor t = { 0 };
    tensor_shape(&t, type, rank, dim);
    t.name = name;
    t.data = values;
    t.index = t.producer = t.last_use = -1;
    return t;
}

struct training {
    struct backend   *b;
    struct model     *m;
    struct tape      *t;
    int32_t           ids[TEXTS * ROWS], labels[TEXTS * ROWS], positions[TEXTS * ROWS], row_seq[TEXTS * ROWS];
    float             one;
    struct ragged_seq seq[TEXTS];
    struct ragged     ragged;
    struct tensor     in_ids, in_labels, in_positions, seed;
};

static void open_training(struct training *s, bool reference)
{
    struct hearth_error err = { 0 };
    struct container *c = golden_open(hearth_golden("train/gpt2/expected.safetensors"));
    uint64_t n;
    const int32_t *batches = golden_i32(c, "batches", &n);
    const int64_t rows = TEXTS * ROWS;
    for (int i = 0; i < TEXTS; i++) {
        s->seq[i] = (struct ragged_seq){ .first = i * ROWS, .rows = ROWS };
        for (int j = 0; j < ROWS; j++) {
            const int at = i * ROWS + j;
            s->ids[at] = batches[at];
            s->labels[at] = j + 1 < ROWS ? batches[at + 1] : -100; /* the next token */
            s->positions[at] = j;
            s->row_seq[at] = i;
        }
    }
    container_close(c);
    s->one = 1;
    s->ragged = (struct ragged){ .n_seq = TEXTS, .n_rows = (int32_t)rows, .seq = s->seq, .row_seq = s->row_seq };
    s->in_ids = input("ids", DTYPE_I32, 1, &rows, s->ids);
    s->in_labels = input("labels", DTYPE_I32, 1, &rows, s->labels);
    s->in_positions = input("positions", DTYPE_I32, 1, &rows, s->positions);
    s->seed = input("seed", DTYPE_F32, 1, (int64_t[]){ 1 }, &s->one);
    assert_ok(cpu_backend_new(&s->b, &(struct cpu_options){ .threads = 2, .arith = HEARTH_ARITH_F32, .reference = reference }, &err), &err);
    assert_ok(model_open(&s->m, hearth_golden("text/gpt2"), s->b, &err), &err);
    assert_ok(tape_new(&s->t, s->b, false, &err), &err);
}

static void close_training(struct training *s)
{
    tape_free(s->t);
    model_close(s->m);
    cpu_backend_free(s->b);
}

static struct tensor *record_loss(struct training *s)
{
    struct step in = { .ids = &s->in_ids, .positions = &s->in_positions, .whole = true };
    tape_begin(s->t, &s->ragged);
    return op_cross_entropy(s->t, decoder_record(s->t, s->m, &in), &s->in_labels);
}

/* Where a weight's gradient lies in the recorded tensor: rows and columns of it, perhaps stored input-major, perhaps a part. */
struct place {
    struct tensor *weight;
    char           name[100];
    int64_t        first;    /* of the fused q, k, v columns */
    bool           in_major;
};

static int list_weights(const struct model *m, struct place *p)
{
    int n = 0;
    static const struct { size_t offset; const char *name; int part; bool in_major; } rows[] = {
        { offsetof(struct layer_weights, mixer_norm), "ln_1.weight", 0, false }, { offsetof(struct layer_weights, mixer_norm_bias), "ln_1.bias", 0, false },
        { offsetof(struct layer_weights, attn_q), "attn.c_attn.weight", 0, true }, { offsetof(struct layer_weights, attn_k), "attn.c_attn.weight", 1, true },
        { offsetof(struct layer_weights, attn_v), "attn.c_attn.weight", 2, true }, { offsetof(struct layer_weights, attn_q_bias), "attn.c_attn.bias", 0, false },
        { offsetof(struct layer_weights, attn_k_bias), "attn.c_attn.bias", 1, false }, { offsetof(struct layer_weights, attn_v_bias), "attn.c_attn.bias", 2, false },
        { offsetof(struct layer_weights, attn_out), "attn.c_proj.weight", 0, true }, { offsetof(struct layer_weights, attn_out_bias), "attn.c_proj.bias", 0, false },
        { offsetof(struct layer_weights, ffn_norm), "ln_2.weight", 0, false }, { offsetof(struct layer_weights, ffn_norm_bias), "ln_2.bias", 0, false },
        { offsetof(struct layer_weights, ffn_up), "mlp.c_fc.weight", 0, true }, { offsetof(struct layer_weights, ffn_up_bias), "mlp.c_fc.bias", 0, false },
        { offsetof(struct layer_weights, ffn_down), "mlp.c_proj.weight", 0, true }, { offsetof(struct layer_weights, ffn_down_bias), "mlp.c_proj.bias", 0, false },
    };
    for (int l = 0; l < m->arch.n_layer; l++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            p[n].weight = *(struct tensor **)((char *)&m->layer[l].w + rows[i].offset);
            p[n].first = rows[i].part * m->arch.width;
            p[n].in_major = rows[i].in_major;
            snprintf(p[n++].name, sizeof p->name, "grad.transformer.h.%d.%s", l, rows[i].name);
        }
    p[n++] = (struct place){ m->w.embed, "grad.transformer.wte.weight", 0, false };
    p[n++] = (struct place){ m->w.position, "grad.transformer.wpe.weight", 0, false };
    p[n++] = (struct place){ m->w.norm, "grad.transformer.ln_f.weight", 0, false };
    p[n++] = (struct place){ m->w.norm_bias, "grad.transformer.ln_f.bias", 0, false };
    return n;
}

/* Largest error over the largest recorded gradient. */
static double compare_gradient(const struct container *want, const struct place *p, const struct tensor *got)
{
    const struct file_tensor *f = container_tensor(want, p->name);
    if (!f) fail_msg("no %s", p->name);
    const float *g = got->data, *w = f->data;
    const int64_t rows = got->rank == 2 ? got->dim[0] : 1, columns = got->dim[got->rank - 1];
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            const int64_t at = p->in_major ? j * (int64_t)f->dim[1] + p->first + i : i * columns + p->first + j;
            worst = fmax(worst, fabs((double)g[i * columns + j] - (double)w[at]));
        }
    for (uint64_t k = 0; k < f->n_bytes / sizeof *w; k++) largest = fmax(largest, fabs((double)w[k])); /* keys' biases have none: softmax ignores them */
    return worst / largest;
}

static void check_gradients(bool reference)
{
    struct hearth_error err = { 0 };
    static struct training s;
    static struct place places[80];
    struct tensor *of[80], *grads[80];
    double worst = 0;
    open_training(&s, reference);
    struct container *want = golden_open(hearth_golden("train/gpt2/expected.safetensors"));
    const int n = list_weights(s.m, places);
    for (int i = 0; i < n; i++) of[i] = places[i].weight;
    struct tensor *loss = record_loss(&s), *keep[81];
    const int forward = s.t->n_record;
    assert_ok(gradient_record(s.t, loss, &s.seed, of, n, grads, &err), &err);
    memcpy(keep, grads, sizeof grads);
    keep[n] = loss;
    assert_ok(tape_plan(s.t, keep, n + 1, &err), &err);
    assert_ok(tape_run(s.t, NULL, &err), &err);
    char *facts = read_file(hearth_golden("train/gpt2/expected.json"), NULL);
    const double recorded = strtod(strstr(facts, "\"loss_full\": ") + 13, NULL);
    free(facts);
    assert_true(fabs((double)*(float *)loss->data - recorded) < 1e-5 * recorded);
    for (int i = 0; i < n; i++) {
        const double e = compare_gradient(want, &places[i], grads[i]);
        if (!(e < 2e-5)) fail_msg("%s is off by %g of its largest", places[i].name, e);
        worst = fmax(worst, e);
    }
    printf("# loss %.6f, %d gradients, largest error %.1e of the largest; %d ops forward, %d back\n", (double)*(float *)loss->data, n, worst, forward,
           s.t->n_record - forward);
    container_close(want);
    close_training(&s);
}

static void gradients_of_gpt2(void **state)
{
    (void)state;
    check_gradients(true);
    check_gradients(false);
}

/* Ops without a rule are refused by name. */
static void missing_rules_are_refused(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    static struct training s;
    open_training(&s, false);
    float values[6] = { 1, 2, 3, 4, 5, 6 };
    int32_t labels[2] = { 0, 1 };
    struct tensor x = input("x", DTYPE_F32, 2, (int64_t[]){ 2, 3 }, values), in_labels = input("labels", DTYPE_I32, 1, (int64_t[]){ 2 }, labels), *of = &x, *grad;
    tape_begin(s.t, NULL);
    struct tensor *loss = op_cross_entropy(s.t, op_scale(s.t, &x, 2.0f), &in_labels);
    assert_fails(gradient_record(s.t, loss, &s.seed, &of, 1, &grad, &err), HEARTH_E_UNSUPPORTED, &err);
    assert_non_null(strstr(err.text, "scale"));
    close_training(&s);
}

/* A small program of every activation with a slope, a norm and sums, against central differences. */
static double small_loss(struct training *s, struct tensor *x, struct tensor *labels, enum activation act)
{
    struct hearth_error err = { 0 };
    tape_begin(s->t, NULL);
    struct tensor *y = op_activate(s->t, act, op_layer_norm(s->t, x, NULL, NULL, 1e-3f), x);
    struct tensor *loss = op_cross_entropy(s->t, op_add(s->t, y, x), labels);
    assert_ok(tape_plan(s->t, &loss, 1, &err), &err);
    assert_ok(tape_run(s->t, NULL, &err), &err);
    return (double)*(float *)loss->data;
}

static void rules_match_differences(void **state)
{
    (void)state;
    static const enum activation acts[] = { ACT_SILU, ACT_GELU, ACT_GELU_TANH, ACT_RELU };
    struct hearth_error err = { 0 };
    static struct training s;
    open_training(&s, false);
    for (size_t a = 0; a < sizeof acts / sizeof *acts; a++) {
        float values[15];
        int32_t labels[3] = { 4, -100, 0 };
        for (int i = 0; i < 15; i++) values[i] = sinf((float)i * 1.7f) * 2.0f + 0.3f;
        struct tensor x = input("x", DTYPE_F32, 2, (int64_t[]){ 3, 5 }, values), in_labels = input("labels", DTYPE_I32, 1, (int64_t[]){ 3 }, labels), *of = &x, *grad;
        tape_begin(s.t, NULL);
        struct tensor *y = op_activate(s.t, acts[a], op_layer_norm(s.t, &x, NULL, NULL, 1e-3f), &x);
        struct tensor *loss = op_cross_entropy(s.t, op_add(s.t, y, &x), &in_labels);
        assert_ok(gradient_record(s.t, loss, &s.seed, &of, 1, &grad, &err), &err);
        assert_ok(tape_plan(s.t, &grad, 1, &err), &err);
        assert_ok(tape_run(s.t, NULL, &err), &err);
        float analytic[15];
        memcpy(analytic, grad->data, sizeof analytic);
        for (int i = 0; i < 15; i++) {
            const float old = values[i], h = 4e-3f;
            values[i] = old + h;
            const double up = small_loss(&s, &x, &in_labels, acts[a]);
            values[i] = old - h;
            const double down = small_loss(&s, &x, &in_labels, acts[a]);
            values[i] = old;
            const double numeric = (up - down) / (2.0 * (double)h);
            if (fabs(numeric - (double)analytic[i]) > 2e-3) fail_msg("%s, value %d: %g, by differences %g", activation_name(acts[a]), i, (double)analytic[i], numeric);
        }
    }
    close_training(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(gradients_of_gpt2), cmocka_unit_test(missing_rules_are_refused), cmocka_unit_test(rules_match_differences) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
