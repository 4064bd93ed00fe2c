/* hearth_generate: side by side as alone, with a known prefix as without, stopping, limits, and no allocation between tokens. */
#include "test.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/stop.h"
#include "golden_data.h"

static hearth_model *open_model(const char *path)
{
    struct hearth_error err = { 0 };
    hearth_model *m = NULL;
    assert_ok(hearth_model_open(&m, path, &(hearth_model_options){ .size = sizeof(hearth_model_options), .threads = 2 }, &err), &err);
    return m;
}

static hearth_session *open_session(hearth_model *m, int32_t sequences, int32_t context)
{
    struct hearth_error err = { 0 };
    hearth_session *s = NULL;
    const hearth_session_options o = { .size = sizeof o, .sequences = sequences, .context = context, .chunk = 16 };
    assert_ok(hearth_session_new(&s, m, &o, &err), &err);
    return s;
}

static const int32_t story[] = { 1, 403, 407, 261, 378, 432, 286, 265, 261, 400, 410, 434, 300, 267, 269, 372, 290, 501, 7, 9 };

static hearth_request ask(const int32_t *ids, size_t n, int32_t max)
{
    return (hearth_request){ .size = sizeof(hearth_request), .ids = ids, .n_ids = n, .max_tokens = max, .ignore_end = 1 };
}

static void run(hearth_session *s, hearth_request *r, size_t n)
{
    struct hearth_error err = { 0 };
    assert_ok(hearth_generate(s, r, n, NULL, NULL, NULL, &err), &err);
}

static const char *const families[] = {
    "text/baichuan-alibi",
    "text/bloom",
    "text/bart",
    "text/bart-untied",
    "text/codegen",
    "text/codet5p",
    "text/codet5p-same",
    "text/cohere",
    "text/cohere2",
    "text/deepseek_v3",
    "text/exaone",
    "text/falcon-40b",
    "text/falcon-7b",
    "text/falcon-rw",
    "text/falcon-rw-own",
    "text/gemma",
    "text/gemma2",
    "text/gemma3",
    "text/gpt2",
    "text/gpt_neo",
    "text/gpt_neox",
    "text/gpt_neox-redpajama",
    "text/gpt_oss",
    "text/gptj",
    "text/granite",
    "text/granitemoe",
    "text/internlm2",
    "text/llama-dynamic",
    "text/llama2-gqa",
    "text/m2m_100",
    "text/mamba",
    "text/mamba2",
    "text/minicpm",
    "text/mistral-swa",
    "text/mixtral",
    "text/mpt",
    "text/mpt-own",
    "text/mpt-storywriter",
    "text/nemotron",
    "text/olmo",
    "text/olmo2",
    "text/openmoe",
    "text/opt",
    "text/opt-350m",
    "text/opt-galactica",
    "text/persimmon",
    "text/phi",
    "text/phi3",
    "text/phi3-longrope",
    "text/qwen",
    "text/qwen2",
    "text/qwen2_moe-sparse",
    "text/qwen3",
    "text/rwkv4",
    "text/rwkv5",
    "text/rwkv6",
    "text/rwkv7",
    "text/santacoder",
    "text/smollm3",
    "text/stablelm",
    "text/starcoder-mqa",
    "text/starcoder2",
    "text/t5",
    "text/umt5",
    "text/xglm",
};

static void batch_is_as_alone(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        hearth_model *m = open_model(hearth_golden(families[f]));
        hearth_session *many = open_session(m, 4, 80);
        hearth_request batch[4];
        for (int i = 0; i < 4; i++) batch[i] = ask(story + i, (size_t)(16 - 4 * i), 20 + i); /* unequal prompts and ends */
        run(many, batch, 4);
        for (int i = 0; i < 4; i++) {
            hearth_session *one = open_session(m, 1, 80);
            hearth_request alone = ask(story + i, (size_t)(16 - 4 * i), 20 + i);
            run(one, &alone, 1);
            assert_int_equal(alone.n_generated, 20 + i);
            assert_int_equal(batch[i].n_generated, 20 + i);
            assert_memory_equal(alone.generated, batch[i].generated, (size_t)(20 + i) * sizeof(int32_t));
            hearth_free(alone.generated);
            hearth_free(batch[i].generated);
            hearth_session_free(one);
        }
        hearth_session_free(many);
        hearth_model_close(m);
    }
}

static void known_prefix_is_as_fresh(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        hearth_model *m = open_model(hearth_golden(families[f]));
        hearth_session *warm = open_session(m, 1, 80);
        hearth_request first = ask(story, 12, 10);
        run(warm, &first, 1);
        int32_t longer[40];
        size_t n = 0;
        for (int i = 0; i < 12; i++) longer[n++] = story[i];
        for (int i = 0; i < 9; i++) longer[n++] = first.generated[i]; /* a chat goes on: what was said, then more */
        for (int i = 0; i < 5; i++) longer[n++] = story[15 - i];
        for (int cut = 0; cut < 3; cut++, n -= 9) { /* also going back to an earlier point */
            hearth_session *fresh = open_session(m, 1, 80);
            hearth_request a = ask(longer, n, 12), b = ask(longer, n, 12);
            run(warm, &a, 1);
            run(fresh, &b, 1);
            if (memcmp(a.generated, b.generated, 12 * sizeof(int32_t))) fail_msg("%s: other tokens with a known prefix of %d", families[f], a.n_cached);
            assert_int_equal(b.n_cached, 0);
            hearth_free(a.generated);
            hearth_free(b.generated);
            hearth_session_free(fresh);
        }
        hearth_free(first.generated);
        hearth_session_free(warm);
        hearth_model_close(m);
    }
}

static void prefix_is_reused(void **state)
{
    (void)state;
    hearth_model *m = open_model(hearth_golden("text/llama2-gqa"));
    hearth_session *s = open_session(m, 1, 80);
    hearth_request a = ask(story, 12, 8), b = ask(story, 16, 8);
    run(s, &a, 1);
    run(s, &b, 1);
    assert_int_equal(a.n_cached, 0);
    assert_true(b.n_cached >= 12);
    hearth_free(a.generated);
    hearth_free(b.generated);
    hearth_session_free(s);
    hearth_model_close(m);
}

/* Phi-3 has other frequencies beyond 32 tokens here: what it writes there is what a prompt of that length continues with. */
static void outgrown_text_is_computed_anew(void **state)
{
    (void)state;
    static const int32_t known[] = { 15, 16, 17, 18, 29 };
    hearth_model *m = open_model(hearth_golden("text/phi3-longrope"));
    hearth_session *s = open_session(m, 2, 80);
    hearth_request whole[2] = { ask(story, 16, 30), ask(story + 1, 10, 30) };
    run(s, whole, 2);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        int32_t ids[50];
        hearth_session *fresh = open_session(m, 1, 80);
        hearth_request r = ask(ids, 16 + (size_t)known[i], 1);
        memcpy(ids, story, 16 * sizeof *ids);
        memcpy(ids + 16, whole[0].generated, (size_t)known[i] * sizeof *ids);
        run(fresh, &r, 1);
        assert_int_equal(r.generated[0], whole[0].generated[known[i]]);
        hearth_free(r.generated);
        hearth_session_free(fresh);
    }
    hearth_free(whole[0].generated);
    hearth_free(whole[1].generated);
    hearth_session_free(s);
    hearth_model_close(m);
}

/* ---- several threads, each with its own session of one model */

static void *tell_in_thread(void *arg)
{
    hearth_session *s = open_session(arg, 1, 80);
    hearth_request *r = malloc(sizeof *r);
    *r = ask(story, 12, 20);
    for (int i = 0; i < 5; i++) {
        if (i) hearth_free(r->generated);
        r->generated = NULL;
        run(s, r, 1);
    }
    hearth_session_free(s);
    return r;
}

static void sessions_take_turns(void **state)
{
    (void)state;
    hearth_model *m = open_model(hearth_golden("text/mixtral"));
    pthread_t id[3];
    hearth_request *r[3];
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&id[i], NULL, tell_in_thread, m), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_join(id[i], (void **)&r[i]), 0);
    for (int i = 1; i < 3; i++) assert_memory_equal(r[0]->generated, r[i]->generated, 20 * sizeof(int32_t));
    for (int i = 0; i < 3; i++) {
        hearth_free(r[i]->generated);
        free(r[i]);
    }
    hearth_model_close(m);
}

/* ---- allocations */

struct counted {
    uint64_t first, last;
    int      n;
};

static int count_allocations(void *user, const hearth_event *e)
{
    struct counted *c = user;
    if (e->token < 0) return 0;
    if (!c->n++) c->first = mem_count();
    c->last = mem_count();
    return 0;
}

static void token_loop_allocates_nothing(void **state)
{
    (void)state;
    for (size_t f = 0; f <= sizeof families / sizeof *families; f++) {
        const char *path = f < sizeof families / sizeof *families ? hearth_golden(families[f]) : hearth_source("models/tale");
        struct hearth_error err = { 0 };
        hearth_model *m = open_model(path);
        hearth_session *s = open_session(m, 1, 200);
        hearth_sampling *sampling;
        struct counted c = { 0 };
        assert_ok(hearth_sampling_new(&sampling, &err), &err);
        assert_ok(hearth_sampling_set(sampling, "temperature", 0.8, &err), &err);
        assert_ok(hearth_sampling_set(sampling, "top_p", 0.9, &err), &err);
        assert_ok(hearth_sampling_set(sampling, "repetition_penalty", 1.1, &err), &err);
        hearth_request r = ask(story, 5, 150);
        r.sampling = sampling;
        assert_ok(hearth_generate(s, &r, 1, count_allocations, &c, NULL, &err), &err);
        assert_int_equal(c.n, 150);
        if (c.first != c.last) fail_msg("%s: %llu allocations in the token loop", path, (unsigned long long)(c.last - c.first));
        hearth_free(r.generated);
        hearth_sampling_free(sampling);
        hearth_session_free(s);
        hearth_model_close(m);
    }
}

/* ---- ends and limits */

static int stop_at_three(void *user, const hearth_event *e)
{
    if (e->token >= 0) ++*(int *)user;
    return *(int *)user >= 3;
}

static void callback_and_flag_stop(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    hearth_model *m = open_model(hearth_golden("text/rwkv4"));
    hearth_session *s = open_session(m, 1, 80);
    hearth_request r = ask(story, 5, 50);
    int tokens = 0;
    assert_ok(hearth_generate(s, &r, 1, stop_at_three, &tokens, NULL, &err), &err);
    assert_int_equal(r.finish, HEARTH_FINISH_CANCELLED);
    assert_int_equal(r.n_generated, 3);
    hearth_free(r.generated);
    volatile int flag = 1;
    r = ask(story, 5, 50);
    r.cancel = &flag;
    assert_ok(hearth_generate(s, &r, 1, NULL, NULL, NULL, &err), &err);
    assert_int_equal(r.finish, HEARTH_FINISH_CANCELLED);
    hearth_free(r.generated);
    /* and after a step was broken off the session still tells the same as a fresh one */
    hearth_session *fresh = open_session(m, 1, 80);
    hearth_request a = ask(story, 9, 12), b = ask(story, 9, 12);
    run(s, &a, 1);
    run(fresh, &b, 1);
    assert_memory_equal(a.generated, b.generated, 12 * sizeof(int32_t));
    hearth_free(a.generated);
    hearth_free(b.generated);
    hearth_session_free(fresh);
    hearth_session_free(s);
    hearth_model_close(m);
}

static void context_ends(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    hearth_model *m = open_model(hearth_golden("text/gpt2"));
    hearth_session *s = open_session(m, 1, 15);
    hearth_request r = ask(story, 10, 0);
    run(s, &r, 1);
    assert_int_equal(r.n_generated, 6); /* five positions were left, and the last token needs none */
    assert_int_equal(r.finish, HEARTH_FINISH_LENGTH);
    hearth_free(r.generated);
    r = ask(story, 16, 1);
    assert_fails(hearth_generate(s, &r, 1, NULL, NULL, NULL, &err), HEARTH_E_CONTEXT, &err);
    assert_non_null(strstr(err.text, "16"));
    assert_non_null(strstr(err.text, "15"));
    hearth_session_free(s);
    const hearth_session_options o = { .size = sizeof o, .context = 257 }; /* positions are learned for 256 */
    assert_fails(hearth_session_new(&s, m, &o, &err), HEARTH_E_CONTEXT, &err);
    assert_non_null(strstr(err.text, "257"));
    assert_non_null(strstr(err.text, "256"));
    hearth_model_close(m);
}

static void wrong_requests(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    hearth_model *m = open_model(hearth_golden("text/llama"));
    hearth_session *s = open_session(m, 1, 80);
    const int32_t beyond[] = { 1, 512 }, negative[] = { -1 };
    hearth_request r = ask(beyond, 2, 1);
    assert_fails(hearth_generate(s, &r, 1, NULL, NULL, NULL, &err), HEARTH_E_ARG, &err);
    assert_non_null(strstr(err.text, "512"));
    r = ask(negative, 1, 1);
    assert_fails(hearth_generate(s, &r, 1, NULL, NULL, NULL, &err), HEARTH_E_ARG, &err);
    r = ask(story, 0, 1);
    assert_fails(hearth_generate(s, &r, 1, NULL, NULL, NULL, &err), HEARTH_E_ARG, &err);
    hearth_request two[2] = { ask(story, 3, 1), ask(story, 3, 1) };
    assert_fails(hearth_generate(s, two, 2, NULL, NULL, NULL, &err), HEARTH_E_ARG, &err);
    r = ask(story, 3, -4);
    assert_fails(hearth_generate(s, &r, 1, NULL, NULL, NULL, &err), HEARTH_E_ARG, &err);
    hearth_session_free(s);
    hearth_model_close(m);
}

/* ---- stop strings */

/* Writes a folder whose generation_config.json says `ends`, and generates there; the text is ids[n_ids] of the reference. */
static void ends_check(const char *folder, const char *ends, const int32_t *text, size_t stops_at)
{
    hearth_request r = ask(story, sizeof story / sizeof *story, 16);
    r.ignore_end = 0;
    write_file(test_path(folder, "generation_config.json"), ends, strlen(ends));
    hearth_model *m = open_model(folder);
    hearth_session *s = open_session(m, 1, 64);
    run(s, &r, 1);
    if (r.finish != HEARTH_FINISH_END || (size_t)r.n_generated != stops_at)
        fail_msg("%s: %d tokens, ending %d", ends, r.n_generated, (int)r.finish);
    if (stops_at) assert_memory_equal(r.generated, text, stops_at * sizeof *text);
    hearth_free(r.generated);
    hearth_session_free(s);
    hearth_model_close(m);
}

/* eos_token_id is a number or a list, and each of the list ends a text. */
static void each_end_stops(void **state)
{
    (void)state;
    static const char *const files[] = { "config.json", "model.safetensors", "tokenizer.model" };
    char folder[4096], json[200];
    hearth_request r = ask(story, sizeof story / sizeof *story, 16);
    hearth_model *m = open_model(hearth_golden("text/llama"));
    hearth_session *s = open_session(m, 1, 64);
    run(s, &r, 1);
    snprintf(folder, sizeof folder, "%s", test_scratch("ends"));
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_int_equal(symlink(test_path(hearth_golden("text/llama"), files[i]), test_path(folder, files[i])), 0);
    for (size_t i = 0; i < (size_t)r.n_generated; i++) {
        size_t first = 0;
        while (r.generated[first] != r.generated[i]) first++;
        if (first < i) continue;
        snprintf(json, sizeof json, "{\"eos_token_id\": %d}", r.generated[i]);
        ends_check(folder, json, r.generated, i);
        snprintf(json, sizeof json, "{\"eos_token_id\": [511, %d, 510]}", r.generated[i]);
        ends_check(folder, json, r.generated, i);
        snprintf(json, sizeof json, "{\"eos_token_id\": [%d, %d]}", r.generated[(size_t)r.n_generated - 1], r.generated[i]);
        size_t last = 0;
        while (r.generated[last] != r.generated[(size_t)r.n_generated - 1]) last++;
        ends_check(folder, json, r.generated, i < last ? i : last);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlink(test_path(folder, files[i]));
    unlink(test_path(folder, "generation_config.json"));
    rmdir(folder);
    hearth_free(r.generated);
    hearth_session_free(s);
    hearth_model_close(m);
}

static void push(struct stop *s, const char *text, const char *shown, bool stopped)
{
    struct str out;
    const bool got = stop_push(s, str_from(text), &out);
    assert_int_equal(got, stopped);
    if (!str_is(out, shown)) fail_msg("after \"%s\": \"%.*s\" instead of \"%s\"", text, (int)out.n, out.p, shown);
}

static void stop_strings_are_held_back(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    struct stop s;
    const char *const words[] = { "END", "\n\nUser:" };
    assert_ok(stop_init(&s, words, 2, &err), &err);
    push(&s, "hello E", "hello ", false);
    push(&s, "N", "", false);
    push(&s, "EMY\n", "ENEMY", false);
    push(&s, "\nUs", "", false);
    push(&s, "e the \n\nUser: x", "\n\nUse the ", true);
    stop_free(&s);
    assert_ok(stop_init(&s, words, 2, &err), &err);
    push(&s, "abc EN", "abc ", false);
    assert_true(str_is(stop_finish(&s), "EN"));
    stop_free(&s);
    const char *const empty[] = { "" };
    assert_fails(stop_init(&s, empty, 1, &err), HEARTH_E_ARG, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_is_as_alone), cmocka_unit_test(known_prefix_is_as_fresh), cmocka_unit_test(prefix_is_reused),
        cmocka_unit_test(outgrown_text_is_computed_anew), cmocka_unit_test(sessions_take_turns),
        cmocka_unit_test(token_loop_allocates_nothing), cmocka_unit_test(callback_and_flag_stop), cmocka_unit_test(context_ends),
        cmocka_unit_test(wrong_requests), cmocka_unit_test(each_end_stops),
        cmocka_unit_test(stop_strings_are_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
