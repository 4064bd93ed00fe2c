/* The same bits for every weight type and arithmetic: alone, in a batch of 16, with the prompt in pieces, and after going back to
 * a known prefix. */
#include "test.h"

#include "gguf_make.h"
#include "golden_data.h"

#include "backends/cpu/cpu_backend.h"
#include "engine/session.h"

#define PROMPT 40
#define LATER  4  /* single tokens after the prompt */
#define BATCH  16

static const char *const kept_numbers[] = {
    "llama.block_count", "llama.context_length", "llama.embedding_length", "llama.feed_forward_length", "llama.attention.head_count",
    "llama.attention.head_count_kv", "llama.attention.key_length", "llama.attention.value_length", "llama.rope.dimension_count",
};
#define KEPT (sizeof kept_numbers / sizeof *kept_numbers)

static size_t packed_bytes(const struct file_tensor *f, enum dtype type)
{
    const uint64_t n = f->n_bytes / sizeof(float);
    return f->rank == 1 ? (size_t)f->n_bytes : (size_t)(n / (uint64_t)type_of(type)->block * (uint64_t)type_of(type)->block_bytes);
}

/* The unpacked model of the quants goldens with its matrices packed into one type. */
static const char *model_of_type(enum dtype type)
{
    struct container *c = golden_open(hearth_golden("quants/model-F32.gguf"));
    struct gguf_make g;
    const float eps = (float)container_kv(c, "llama.attention.layer_norm_rms_epsilon")->f;
    uint64_t at = 0;
    make_header(&g, 3, c->n_tensor, KEPT + 2);
    make_kv_str(&g, "general.architecture", "llama");
    for (size_t i = 0; i < KEPT; i++) make_kv_u32(&g, kept_numbers[i], (uint32_t)container_kv(c, kept_numbers[i])->i);
    make_key(&g, "llama.attention.layer_norm_rms_epsilon", 6);
    make_bytes(&g, &eps, sizeof eps);
    for (uint64_t i = 0; i < c->n_tensor; i++) {
        const struct file_tensor *f = &c->tensor[i];
        const uint64_t dim[2] = { f->dim[f->rank - 1], f->dim[0] }; /* GGUF's order */
        char name[100];
        snprintf(name, sizeof name, "%.*s", (int)f->name.n, f->name.p);
        make_tensor(&g, name, (uint32_t)f->rank, dim, (uint32_t)type_of(f->rank == 1 ? DTYPE_F32 : type)->gguf_id, at);
        at += (packed_bytes(f, type) + 31) / 32 * 32;
    }
    while (g.n % 32) make_bytes(&g, "", 1);
    for (uint64_t i = 0; i < c->n_tensor; i++) {
        const struct file_tensor *f = &c->tensor[i];
        const size_t n = packed_bytes(f, type);
        char *packed = calloc(n + 32, 1);
        if (f->rank == 1) memcpy(packed, f->data, n);
        else type_of(type)->pack(packed, f->data, (int64_t)(f->n_bytes / sizeof(float)));
        make_bytes(&g, packed, (n + 31) / 32 * 32);
        free(packed);
    }
    const char *path = test_scratch("typed.gguf");
    write_file(path, g.p, g.n);
    free(g.p);
    container_close(c);
    return path;
}

struct bench {
    struct hearth_model m;
    hearth_session     *s;
    int32_t             ids[BATCH][PROMPT + LATER];
    int64_t             vocab;
};

static void open_bench(struct bench *b, const char *path, enum hearth_arith arith)
{
    struct hearth_error err = { 0 };
    memset(b, 0, sizeof *b);
    b->m.arith = arith;
    b->m.looked = true;
    assert_ok(cpu_backend_new(&b->m.backend, &(struct cpu_options){ .threads = 2, .arith = arith }, &err), &err);
    assert_ok(model_open(&b->m.m, path, b->m.backend, &err), &err);
    const hearth_session_options o = { .size = sizeof o, .sequences = BATCH, .context = 64, .chunk = BATCH * PROMPT };
    assert_ok(hearth_session_new(&b->s, &b->m, &o, &err), &err);
    b->vocab = b->m.m->arch.n_vocab;
    for (int i = 0; i < BATCH; i++)
        for (int j = 0; j < PROMPT + LATER; j++) b->ids[i][j] = (int32_t)((i * 131 + j * 37 + j * j) % b->vocab);
}

static void close_bench(struct bench *b)
{
    hearth_session_free(b->s);
    model_close(b->m.m);
    cpu_backend_free(b->m.backend);
}

static void feed(struct bench *b, const struct part *parts, int n)
{
    struct hearth_error err = { 0 };
    assert_ok(session_step(b->s, parts, n, NULL, &err), &err);
}

static struct part rows(const struct bench *b, int seq, int from, int n)
{
    return (struct part){ .seq = seq, .ids = b->ids[seq] + from, .n = n, .want = 1, .rope_length = PROMPT };
}

/* Feeds one text in pieces and keeps the logits of its last prompt row and of each later token: [1 + LATER, vocab]. */
static void run_alone(struct bench *b, int seq, int from, int piece, float *out)
{
    for (int at = from; at < PROMPT; at += piece) {
        struct part p = rows(b, seq, at, PROMPT - at < piece ? PROMPT - at : piece);
        feed(b, &p, 1);
    }
    memcpy(out, b->s->logits, (size_t)b->vocab * sizeof *out);
    for (int i = 0; i < LATER; i++) {
        struct part p = rows(b, seq, PROMPT + i, 1);
        feed(b, &p, 1);
        memcpy(out + (i + 1) * b->vocab, b->s->logits, (size_t)b->vocab * sizeof *out);
    }
}

static void run_batch(struct bench *b, float *out)
{
    struct part parts[BATCH];
    for (int step = 0; step <= LATER; step++) {
        for (int i = 0; i < BATCH; i++) parts[i] = step ? rows(b, i, PROMPT + step - 1, 1) : rows(b, i, 0, PROMPT);
        feed(b, parts, BATCH);
        for (int i = 0; i < BATCH; i++)
            memcpy(out + ((int64_t)i * (LATER + 1) + step) * b->vocab, b->s->logits + i * b->vocab, (size_t)b->vocab * sizeof *out);
    }
}

static void check_type(enum dtype type, enum hearth_arith arith)
{
    static struct bench b;
    open_bench(&b, model_of_type(type), arith);
    const int64_t each = (LATER + 1) * b.vocab;
    float *batch = malloc((size_t)(BATCH * each) * sizeof *batch), *alone = malloc((size_t)each * sizeof *alone);
    run_batch(&b, batch);
    for (int i = 0; i < BATCH; i += 5) {
        static const int pieces[] = { PROMPT, 7, 1 };
        for (int k = 0; k < 3; k++) {
            session_trim(b.s, i, 0);
            run_alone(&b, i, 0, pieces[k], alone);
            if (memcmp(alone, batch + i * each, (size_t)each * sizeof *alone)) fail_msg("%s, arithmetic %d: in pieces of %d other bits than in a batch", type_of(type)->name, arith, pieces[k]);
        }
        session_trim(b.s, i, 23); /* back to a known prefix */
        run_alone(&b, i, 23, PROMPT, alone);
        if (memcmp(alone, batch + i * each, (size_t)each * sizeof *alone)) fail_msg("%s, arithmetic %d: other bits after a known prefix", type_of(type)->name, arith);
    }
    free(batch);
    free(alone);
    close_bench(&b);
}

static void every_type(void **state)
{
    (void)state;
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!type_is_weight(t)) continue;
        check_type(t, HEARTH_ARITH_F32);
        check_type(t, HEARTH_ARITH_I8);
        check_type(t, HEARTH_ARITH_BF16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_type) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
