/* Encoders: texts side by side as alone, drivers as the reference ops, vectors as sentence-transformers makes them, missing words
 * and labels as the logits of the reference have them, and requests that make no sense. */
#include "test.h"

#include <math.h>
#include <sys/stat.h>

#include "backends/cpu/cpu_backend.h"
#include "base/file.h"
#include "engine/folder_json.h"
#include "engine/session.h"
#include "golden_data.h"
#include "hearth_inspect.h"

static const char *const encoders[] = {
#define GOLDEN(...)
#define ENCODER(name, ...) name,
#include "goldens.def"
#undef GOLDEN
};
#define N_ENCODERS (sizeof encoders / sizeof *encoders)

static const char *golden_folder(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "text/%s", name);
    return hearth_golden(path);
}

/* ---- steps */

struct opened {
    struct hearth_model m;
    hearth_session *s;
};

static void open_encoder(struct opened *o, const char *folder, const struct cpu_options *cpu, int32_t sequences, int32_t context)
{
    struct hearth_error err = { 0 };
    *o = (struct opened){ .m = { .arith = cpu->arith, .looked = true } };
    assert_int_equal(pthread_mutex_init(&o->m.turn, NULL), 0);
    assert_ok(cpu_backend_new(&o->m.backend, cpu, &err), &err);
    assert_ok(model_open(&o->m.m, folder, o->m.backend, &err), &err);
    const hearth_session_options options = {
        .size = sizeof options, .sequences = sequences, .context = context, .chunk = sequences * context
    };
    assert_ok(session_new(&o->s, &o->m, &options, false, &err), &err);
}

static void close_encoder(struct opened *o)
{
    hearth_session_free(o->s);
    model_close(o->m.m);
    cpu_backend_free(o->m.backend);
}

static void read_parts(struct opened *o, const struct part *parts, int n, struct encoded *out)
{
    struct hearth_error err = { 0 };
    *out = (struct encoded){ 0 };
    assert_ok(session_read(o->s, parts, n, true, true, out, NULL, &err), &err);
}

enum { TEXTS = 4 };

/* Texts of unequal lengths cut from the golden's ids. */
static int cut_parts(const int32_t *ids, int32_t n, struct part parts[TEXTS])
{
    const int32_t length[TEXTS] = { n, 1, n / 2, n - 3 }, first[TEXTS] = { 0, 2, 5, 3 };
    int32_t rows = 0;
    for (int i = 0; i < TEXTS; i++) {
        parts[i] = (struct part){ .seq = i, .ids = ids + first[i], .n = length[i], .rope_length = length[i] };
        rows += length[i];
    }
    return rows;
}

static void texts_are_as_alone(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_ENCODERS; f++) {
        struct container *want = golden_open(test_path(golden_folder(encoders[f]), "expected.safetensors"));
        uint64_t n;
        const int32_t *ids = golden_i32(want, "input_ids", &n);
        struct part parts[TEXTS];
        struct opened many, alone;
        struct encoded all, one;
        cut_parts(ids, (int32_t)n, parts);
        for (int threads = 1; threads <= 3; threads += 2) {
            open_encoder(&many, golden_folder(encoders[f]),
                         &(struct cpu_options){ .threads = threads, .arith = HEARTH_ARITH_F32 }, TEXTS, (int32_t)n);
            open_encoder(&alone, golden_folder(encoders[f]), &(struct cpu_options){ .threads = 2, .arith = HEARTH_ARITH_F32 }, 1,
                         (int32_t)n);
            read_parts(&many, parts, TEXTS, &all);
            const struct arch *a = &many.m.m->arch;
            int64_t state_at = 0, logit_at = 0;
            for (int i = 0; i < TEXTS; i++) {
                struct part p = parts[i];
                p.seq = 0;
                read_parts(&alone, &p, 1, &one);
                const size_t states = (size_t)p.n * (size_t)a->width,
                             logits = (size_t)(head_is_whole(a->head) ? 1 : p.n) * (size_t)one.columns;
                if (memcmp(all.states + state_at, one.states, states * sizeof(float)))
                    fail_msg("%s: text %d has other states in a batch", encoders[f], i);
                if (memcmp(all.logits + logit_at, one.logits, logits * sizeof(float)))
                    fail_msg("%s: text %d has other logits in a batch", encoders[f], i);
                state_at += (int64_t)states;
                logit_at += (int64_t)logits;
                encoded_free(&one);
            }
            encoded_free(&all);
            close_encoder(&many);
            close_encoder(&alone);
        }
        container_close(want);
    }
}

static void drivers_match_reference_ops(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_ENCODERS; f++) {
        struct container *want = golden_open(test_path(golden_folder(encoders[f]), "expected.safetensors"));
        uint64_t n;
        const int32_t *ids = golden_i32(want, "input_ids", &n);
        struct part parts[TEXTS];
        struct opened fast, plain;
        struct encoded a, b;
        const int32_t rows = cut_parts(ids, (int32_t)n, parts);
        open_encoder(&fast, golden_folder(encoders[f]), &(struct cpu_options){ .threads = 2, .arith = HEARTH_ARITH_F32 }, TEXTS,
                     (int32_t)n);
        open_encoder(&plain, golden_folder(encoders[f]),
                     &(struct cpu_options){ .threads = 2, .arith = HEARTH_ARITH_F32, .reference = true }, TEXTS, (int32_t)n);
        read_parts(&fast, parts, TEXTS, &a);
        read_parts(&plain, parts, TEXTS, &b);
        const int64_t values = (int64_t)rows * fast.m.m->arch.width;
        for (int64_t i = 0; i < values; i++)
            if (!(fabsf(a.states[i] - b.states[i]) < 1e-4f))
                fail_msg("%s: state %lld is %g, by the reference ops %g", encoders[f], (long long)i, (double)a.states[i],
                         (double)b.states[i]);
        encoded_free(&a);
        encoded_free(&b);
        close_encoder(&fast);
        close_encoder(&plain);
        container_close(want);
    }
}

/* ---- the public functions */

static hearth_model *open_model(const char *folder)
{
    struct hearth_error err = { 0 };
    hearth_model *m = NULL;
    assert_ok(hearth_model_open(
                  &m, folder,
                  &(hearth_model_options){ .size = sizeof(hearth_model_options), .threads = 2, .arith = HEARTH_ARITH_F32 }, &err),
              &err);
    return m;
}

static hearth_text text_of(const char *text)
{
    return (hearth_text){ .text = text, .n = strlen(text) };
}

/* The bert golden with the modules of one of tests/golden/sentence: its files linked into a folder of their own. */
static void sentence_folder(const char *name, char folder[4096])
{
    static const char *const links[][2] = { { "text/bert/config.json", "config.json" },
                                            { "text/bert/model.safetensors", "model.safetensors" },
                                            { "text/bert/tokenizer.json", "tokenizer.json" } };
    static const char *const modules[] = { "modules.json",
                                           "sentence_bert_config.json",
                                           "config_sentence_transformers.json",
                                           "tokenizer_config.json",
                                           "1_Pooling",
                                           "2_Dense",
                                           "3_Dense" };
    char to[4300], from[300];
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, 4096, "%s/hearth-sentence-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(to, sizeof to, "%s/%s", folder, links[i][1]);
        assert_int_equal(symlink(hearth_golden(links[i][0]), to), 0);
    }
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        snprintf(from, sizeof from, "sentence/%s/%s", name, modules[i]);
        snprintf(to, sizeof to, "%s/%s", folder, modules[i]);
        assert_int_equal(symlink(hearth_golden(from), to), 0);
    }
}

static void remove_folder(const char *folder)
{
    char command[4300];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

/* Vectors of the recorded texts with each prompt: made by sentence-transformers 6.2. */
static void vectors_are_those_of_sentence_transformers(void **state)
{
    (void)state;
    static const char *const names[] = { "parts", "prompt" };
    for (size_t f = 0; f < sizeof names / sizeof *names; f++) {
        char folder[4096], path[200], key[64];
        struct hearth_error err = { 0 };
        hearth_text texts[8];
        size_t n_texts = 0;
        sentence_folder(names[f], folder);
        hearth_model *m = open_model(folder);
        snprintf(path, sizeof path, "sentence/%s/expected.safetensors", names[f]);
        struct container *want = golden_open(hearth_golden(path));
        snprintf(path, sizeof path, "sentence/%s/texts.txt", names[f]);
        struct file_map file;
        assert_ok(file_map(&file, hearth_golden(path), &err), &err);
        for (const char *at = (const char *)file.p, *end = at + file.n; at < end;) { /* a text a line */
            const char *stop = memchr(at, '\n', (size_t)(end - at));
            texts[n_texts++] = (hearth_text){ .text = at, .n = (size_t)(stop - at) };
            at = stop + 1;
        }
        for (int prompt = 0; prompt < 2; prompt++) {
            hearth_embeddings e;
            uint64_t n;
            const hearth_embed_options o = { .size = sizeof o, .prompt_name = prompt ? "query" : NULL };
            assert_ok(hearth_embed(m, texts, n_texts, &o, &e, &err), &err);
            snprintf(key, sizeof key, "%s", prompt ? "query" : "plain");
            const float *values = golden_f32(want, key, &n);
            assert_int_equal(n, n_texts * (size_t)e.width);
            for (uint64_t i = 0; i < n; i++)
                if (!(fabsf(values[i] - e.values[i]) < 1e-5f))
                    fail_msg("%s, %s: value %llu is %g, not %g", names[f], key, (unsigned long long)i, (double)e.values[i],
                             (double)values[i]);
            assert_true(e.n_cut[2] > 0 && e.n_tokens[2] == 40); /* the long text was cut as the folder says */
            hearth_embeddings_free(&e);
        }
        hearth_embeddings e;
        assert_fails(hearth_embed(m, texts, n_texts,
                                  &(hearth_embed_options){ .size = sizeof(hearth_embed_options), .prompt_name = "none such" }, &e,
                                  &err),
                     HEARTH_E_ARG, &err);
        file_unmap(&file);
        container_close(want);
        hearth_model_close(m);
        remove_folder(folder);
    }
}

/* Guesses of the recorded logits' mask row, when the text has a mask where the reference's had a word: the model is asked with
 * its own ids, so the oracle is the same model's logits in a step by itself. */
static void missing_words_are_guessed(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    hearth_model *m = open_model(golden_folder("bert"));
    hearth_filled f;
    char *mask = NULL;
    int32_t id;
    assert_ok(hearth_mask_token(m, &mask, &id, &err), &err);
    assert_string_equal(mask, "[MASK]");
    const char *text = "Once upon a [MASK] there was [MASK].";
    assert_ok(hearth_fill(m, text, strlen(text), 7, NULL, &f, &err), &err);
    assert_int_equal(f.n_masks, 2);
    assert_int_equal(f.n_top, 7);
    const hearth_tokenizer *t;
    int32_t *ids;
    size_t n;
    assert_ok(hearth_model_tokenizer(m, &t, &err), &err);
    assert_ok(hearth_encode(t, text, strlen(text), 1, &ids, &n, &err), &err);
    hearth_session *s;
    struct encoded out = { 0 };
    const struct part p = { .ids = ids, .n = (int32_t)n, .rope_length = (int32_t)n };
    assert_ok(session_new(&s, m, &(hearth_session_options){ .size = sizeof(hearth_session_options), .context = (int32_t)n },
                          false, &err),
              &err);
    assert_ok(session_read(s, &p, 1, false, true, &out, NULL, &err), &err);
    size_t seen = 0;
    for (size_t r = 0; r < n; r++) {
        if (ids[r] != id) continue;
        const float *row = out.logits + (int64_t)r * out.columns;
        double total = 0.0, sum = 0.0;
        for (int64_t c = 0; c < out.columns; c++) total += exp((double)row[c]);
        for (int k = 0; k < 7; k++) {
            const hearth_guess *g = &f.guess[seen * 7 + (size_t)k];
            int better = 0;
            for (int64_t c = 0; c < out.columns; c++)
                better += row[c] > row[g->token] || (row[c] == row[g->token] && c < g->token);
            assert_int_equal(better, k);
            assert_true(fabs((double)g->probability - exp((double)row[g->token]) / total) < 1e-6);
            sum += (double)g->probability;
        }
        assert_true(sum <= 1.0 + 1e-6);
        seen++;
    }
    assert_int_equal(seen, 2);
    hearth_filled_free(&f);
    assert_fails(hearth_fill(m, "no blank", 8, 5, NULL, &f, &err), HEARTH_E_ARG, &err);
    encoded_free(&out);
    hearth_session_free(s);
    hearth_free(ids);
    hearth_free(mask);
    hearth_model_close(m);
}

static void labels_are_those_of_the_reference(void **state)
{
    (void)state;
    static const char *const names[] = { "bert-classifier", "distilbert-classifier" };
    static const char text[] =
        "Once upon a time there was a little rabbit, and its name was Peter. \"Run!\" said the fox; 42 hens ran.";
    for (size_t f = 0; f < 2; f++) {
        struct hearth_error err = { 0 };
        hearth_model *m = open_model(golden_folder(names[f]));
        struct container *want = golden_open(test_path(golden_folder(names[f]), "expected.safetensors"));
        uint64_t n;
        const float *logits = golden_f32(want, "logits", &n);
        hearth_classified c;
        const hearth_text texts[2] = { text_of(text), text_of("Peter ran.") };
        assert_ok(hearth_classify(m, texts, 2, NULL, &c, &err), &err);
        assert_int_equal(c.n_rows, 2);
        assert_int_equal((uint64_t)c.n_labels, n);
        assert_int_equal(c.scores, HEARTH_SCORES_SOFTMAX);
        double sum = 0.0;
        for (int32_t i = 0; i < c.n_labels; i++) {
            if (!(fabsf(c.rows[0].logits[i] - logits[i]) < 1e-5f))
                fail_msg("%s: logit %d is %g, not %g", names[f], i, (double)c.rows[0].logits[i], (double)logits[i]);
            sum += (double)c.rows[0].scores[i];
        }
        assert_true(fabs(sum - 1.0) < 1e-6);
        assert_string_equal(c.labels[1], "LABEL_1");
        hearth_classified_free(&c);
        container_close(want);
        hearth_model_close(m);
    }
}

static void what_a_model_cannot_do_is_refused(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    hearth_session *s;
    hearth_embeddings e;
    hearth_filled f;
    hearth_classified c;
    const hearth_text one = text_of("Peter");
    hearth_model *m = open_model(golden_folder("bert"));
    assert_fails(hearth_session_new(&s, m, NULL, &err), HEARTH_E_UNSUPPORTED, &err);
    assert_fails(hearth_classify(m, &one, 1, NULL, &c, &err), HEARTH_E_UNSUPPORTED, &err);
    assert_fails(hearth_embed(m, &one, 0, NULL, &e, &err), HEARTH_E_ARG, &err);
    assert_fails(
        hearth_embed(m, &one, 1, &(hearth_embed_options){ .size = sizeof(hearth_embed_options), .max_tokens = 129 }, &e, &err),
        HEARTH_E_ARG, &err);
    assert_fails(
        hearth_embed(m, &one, 1, &(hearth_embed_options){ .size = sizeof(hearth_embed_options), .max_tokens = 1 }, &e, &err),
        HEARTH_E_ARG, &err);
    assert_fails(
        hearth_embed(m, &one, 1, &(hearth_embed_options){ .size = sizeof(hearth_embed_options), .pooling = 99 }, &e, &err),
        HEARTH_E_ARG, &err);
    hearth_model_close(m);
    m = open_model(golden_folder("t5"));
    assert_fails(hearth_embed(m, &one, 1, NULL, &e, &err), HEARTH_E_UNSUPPORTED, &err);
    assert_fails(hearth_fill(m, "Peter", 5, 5, NULL, &f, &err), HEARTH_E_UNSUPPORTED, &err);
    hearth_model_close(m);
}

/* A decoder's vector is its last state: the one that its head makes logits of. */
static void decoders_give_vectors(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    hearth_model *m = open_model(golden_folder("llama2-gqa"));
    struct container *want = golden_open(test_path(golden_folder("llama2-gqa"), "expected.safetensors"));
    const hearth_text text =
        text_of("Once upon a time there was a little rabbit, and its name was Peter. \"Run!\" said the fox; 42 hens ran.");
    uint64_t n;
    hearth_embeddings e;
    char last[32];
    hearth_model_info info = { .size = sizeof info };
    hearth_model_info_get(m, &info);
    snprintf(last, sizeof last, "hidden.%d", info.layers);
    const float *states = golden_f32(want, last, &n);
    const hearth_text two[2] = { text_of("Peter"), text };
    assert_ok(hearth_embed(m, two, 2, NULL, &e, &err), &err);
    assert_int_equal(n, (uint64_t)e.n_tokens[1] * (uint64_t)e.width);
    for (int32_t i = 0; i < e.width; i++)
        assert_true(fabsf(e.values[e.width + i] - states[n - (uint64_t)e.width + (uint64_t)i]) < 2e-5f);
    hearth_embeddings_free(&e);
    container_close(want);
    hearth_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_as_alone),
        cmocka_unit_test(drivers_match_reference_ops),
        cmocka_unit_test(vectors_are_those_of_sentence_transformers),
        cmocka_unit_test(missing_words_are_guessed),
        cmocka_unit_test(labels_are_those_of_the_reference),
        cmocka_unit_test(what_a_model_cannot_do_is_refused),
        cmocka_unit_test(decoders_give_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
