/* Whole models from spoiled files: bytes of GGUF metadata and characters of config.json are changed; each variant is opened and,
 * when it opens, asked for a few tokens. Tensors lose their names and turn over. Nothing may crash, hang or fail without a sentence.
 * Runs sanitized. */
#include "test.h"

#include <sys/stat.h>

#include "base/rng.h"
#include "base/str.h"

static int n_opened, n_refused;

/* A few tokens written behind a few others. */
static int write_text(hearth_model *m, struct hearth_error *err)
{
    static const int32_t ids[] = { 3, 1, 4, 1, 5 };
    hearth_session *s = NULL;
    hearth_request r = { .size = sizeof r, .ids = ids, .n_ids = 5, .max_tokens = 3 };
    int status = hearth_session_new(&s, m, &(hearth_session_options){ .size = sizeof(hearth_session_options), .context = 16, .chunk = 4 }, err);
    if (!status) status = hearth_generate(s, &r, 1, NULL, NULL, NULL, err);
    if (!status) hearth_free(r.generated);
    hearth_session_free(s);
    return status;
}

/* A text read by all that read: what the model's head cannot do is refused by its name. */
static int read_text(hearth_model *m, struct hearth_error *err)
{
    const hearth_text text = { .text = "The old fox [MASK].", .n = 19 };
    hearth_embeddings vectors = { .size = sizeof vectors };
    hearth_classified labels = { .size = sizeof labels };
    hearth_filled words = { .size = sizeof words };
    int status = hearth_embed(m, &text, 1, NULL, &vectors, err);
    if (status) return status;
    hearth_embeddings_free(&vectors);
    status = hearth_classify(m, &text, 1, NULL, &labels, err);
    if (!status) hearth_classified_free(&labels);
    if (status == HEARTH_E_INTERNAL) return status;
    status = hearth_fill(m, text.text, text.n, 2, NULL, &words, err);
    if (!status) hearth_filled_free(&words);
    return status == HEARTH_E_INTERNAL ? status : 0;
}

static void try_model(const char *path)
{
    struct hearth_error err = { 0 };
    hearth_model *m = NULL;
    hearth_model_info info = { .size = sizeof info };
    int status = hearth_model_open(&m, path, &(hearth_model_options){ .size = sizeof(hearth_model_options), .threads = 1 }, &err);
    if (!status) hearth_model_info_get(m, &info);
    if (!status) status = info.task == HEARTH_TASK_ENCODER ? read_text(m, &err) : write_text(m, &err);
    if (status && !err.text[0]) fail_msg("%s without a sentence", hearth_status_name(status));
    if (status == HEARTH_E_INTERNAL) fail_msg("internal error: %s", err.text);
    *(status ? &n_refused : &n_opened) += 1;
    hearth_model_close(m);
}

static const char *put(const char *name, const void *p, size_t n)
{
    const char *path = test_scratch(name);
    write_file(path, p, n);
    return path;
}

static void spoiled_ggufs(void **state)
{
    (void)state;
    static const char *const names[] = { "text/llama3", "text/mixtral", "text/gpt2", "text/t5", "text/llama-yarn", "text/rwkv6", "text/rwkv7-native", "text/mamba2-tied",
        "text/deepseek_v2", "text/deepseek_v3", "text/gemma3", "text/gpt_oss-mxfp4", "text/phi3-longrope", "text/granitemoe", "text/falcon-40b", "text/bloom",
        "text/qwen2_moe", "text/stablelm", "text/cohere2", "text/mpt" };
    struct rng rng;
    rng_seed(&rng, 7);
    for (size_t f = 0; f < sizeof names / sizeof *names; f++) {
        size_t n;
        char *p = read_file(test_path(hearth_golden(names[f]), "model.gguf"), &n);
        for (int i = 0; i < 250; i++) { /* numbers of the hyper-parameters lie in the first kilobytes */
            char old[4];
            const size_t at = rng_u32(&rng) % (i < 170 ? 1600 : n - 4);
            memcpy(old, p + at, 4);
            if (i % 3 == 0) p[at] = (char)rng_u32(&rng);
            else if (i % 3 == 1) memset(p + at, 0xff, 4);
            else memcpy(p + at, (const char[]){ 0, 0, (char)0xc0, 0x7f }, 4); /* NaN */
            try_model(put("spoiled.gguf", p, n));
            memcpy(p + at, old, 4);
        }
        free(p);
    }
    printf("# %d opened, %d refused\n", n_opened, n_refused);
    assert_true(n_opened > 50 && n_refused > 50);
}

static const char *const folders[] = { "llama-yarn", "llama3", "llama-dynamic", "mixtral", "mistral-swa", "gpt2", "rwkv4", "rwkv6", "rwkv7", "mamba2", "flan-t5",
    "gpt_neo", "gptj", "codegen", "gpt_neox", "starcoder-mqa", "starcoder2", "opt-350m", "xglm", "bloom", "mpt-storywriter", "falcon-40b", "falcon-rw",
    "persimmon", "phi", "phi3-longrope", "stablelm", "cohere2", "granitemoe", "olmo", "qwen3", "qwen2_moe-sparse", "qwen3_moe", "gemma2", "gemma3",
    "deepseek_v2", "deepseek_v3", "gpt_oss", "mamba", "umt5",
    "bart-untied", "m2m_100", "mamba-narrow", "bert", "roberta", "electra", "distilbert-classifier", "nomic_bert", "modernbert" };

static const char *const numbers[] = { "0", "-1", "1", "3", "1000", "2147483648", "1e300", "NaN", "Infinity", "null", "\"x\"", "[]", "{}", "true", "0.5" };

/* Each value of config.json in turn becomes each of these; of all folders but the first ones every third, another third a value. */
enum { WHOLE = 11 };

static void spoiled_configs(void **state)
{
    (void)state;
    const char *folder = strdup(test_scratch("configs"));
    mkdir(folder, 0700);
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        char golden[100];
        snprintf(golden, sizeof golden, "text/%s", folders[f]);
        char *source = strdup(hearth_golden(golden));
        static const char *const files[] = { "model.safetensors", "tokenizer.json" };
        for (int i = 0; i < 2; i++) { /* some have no tokenizer.json: then the link leads nowhere */
            unlink(test_path(folder, files[i]));
            assert_int_equal(symlink(test_path(source, files[i]), test_path(folder, files[i])), 0);
        }
        char *text = read_file(test_path(source, "config.json"), NULL);
        size_t key = 0;
        for (const char *colon = text; (colon = strstr(colon + 1, "\": ")); key++) {
            const char *value = colon + 3, *end = value + strcspn(value, ",\n");
            if (*value == '[' || *value == '{') continue;
            for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
                struct buf b;
                if (f >= WHOLE && (i + key) % 3) continue;
                buf_init(&b, 1 << 20);
                buf_put(&b, text, (size_t)(value - text));
                buf_puts(&b, numbers[i]);
                buf_puts(&b, end);
                write_file(test_path(folder, "config.json"), b.p, b.n);
                buf_free(&b);
                try_model(folder);
            }
        }
        free(text);
        free(source);
    }
    free((char *)(uintptr_t)folder);
    printf("# %d opened, %d refused\n", n_opened, n_refused);
}

/* The other order of a shape such as [32,64], in place; one of equal sizes or another rank stays. */
static void swap_sizes(char *at)
{
    int a, b, n = 0;
    char text[40];
    if (sscanf(at, "[%d,%d]%n", &a, &b, &n) != 2 || !n) return;
    snprintf(text, sizeof text, "[%d,%d]", b, a);
    memcpy(at, text, (size_t)n);
}

/* Each tensor of each folder in turn: under another name (the model lacks it, and has one too many), then lying on its side. */
static void spoiled_tensors(void **state)
{
    (void)state;
    const char *folder = strdup(test_scratch("tensors"));
    mkdir(folder, 0700);
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        char golden[100];
        snprintf(golden, sizeof golden, "text/%s", folders[f]);
        char *source = strdup(hearth_golden(golden));
        unlink(test_path(folder, "config.json"));
        assert_int_equal(symlink(test_path(source, "config.json"), test_path(folder, "config.json")), 0);
        size_t n;
        char *p = read_file(test_path(source, "model.safetensors"), &n), *end = p + 8 + *(uint64_t *)(void *)p;
        for (char *at = p + 8; (at = memmem(at, (size_t)(end - at), "\":{\"dtype", 9)); at++) {
            char shape[48], *sizes = memmem(at, (size_t)(end - at), "\"shape\":", 8), was = at[-1];
            const int refused = n_refused;
            at[-1] = '#';
            write_file(test_path(folder, "model.safetensors"), p, n);
            try_model(folder);
            at[-1] = was;
            if (n_refused == refused) fail_msg("%s opens without %.*s", folders[f], 60, at - 60);
            memcpy(shape, sizes, sizeof shape);
            swap_sizes(sizes + 8);
            if (memcmp(shape, sizes, sizeof shape) == 0) continue;
            write_file(test_path(folder, "model.safetensors"), p, n);
            try_model(folder);
            memcpy(sizes, shape, sizeof shape);
        }
        free(p);
        free(source);
    }
    free((char *)(uintptr_t)folder);
    printf("# %d opened, %d refused\n", n_opened, n_refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(spoiled_ggufs), cmocka_unit_test(spoiled_configs), cmocka_unit_test(spoiled_tensors) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
