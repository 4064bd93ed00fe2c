/* How long it takes until a model could run its first op: opening it, making a session, and, for text, its tokenizer.
 * usage: bench_open [MODEL [RUNS]]; without a model, GGUF files of 2 GB with small and large vocabularies are made in
 * $TMPDIR; they are sparse, so they take next to no room. A single file that really lies on a disk is also opened with none of
 * its pages in memory. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "hearth.h"

enum { RUNS = 15, RUNS_MAX = 1000 };
enum stage { STAGE_MODEL, STAGE_SESSION, STAGE_TOKENIZER, STAGES };

/* ---- a large file */

enum { LAYERS = 32, WIDTH = 2048, FF = 8192, HEADS = 32, KV_HEADS = 4, KEY_ROWS = WIDTH / HEADS * KV_HEADS, CONTEXT = 8192 };
enum { GGUF_F32 = 0, GGUF_Q8_0 = 8 };                                        /* types of tensors */
enum { GGUF_U32 = 4, GGUF_I32 = 5, GGUF_FLOAT = 6, GGUF_TEXT = 8, GGUF_ARRAY = 9 }; /* of values */

struct writer {
    FILE    *f;
    uint64_t n_keys, n_tensors, data; /* data: bytes of tensors so far */
};

static void put_u32(struct writer *w, uint32_t x) { fwrite(&x, sizeof x, 1, w->f); }
static void put_u64(struct writer *w, uint64_t x) { fwrite(&x, sizeof x, 1, w->f); }
static void put_float(struct writer *w, float x) { fwrite(&x, sizeof x, 1, w->f); }

static void put_text(struct writer *w, const char *s)
{
    put_u64(w, strlen(s));
    fputs(s, w->f);
}

static void put_key(struct writer *w, const char *key, uint32_t type)
{
    w->n_keys++;
    put_text(w, key);
    put_u32(w, type);
}

static void put_array(struct writer *w, const char *key, uint32_t type, uint32_t n)
{
    put_key(w, key, GGUF_ARRAY);
    put_u32(w, type);
    put_u64(w, n);
}

/* A SentencePiece vocabulary: three special tokens, 256 bytes, then made-up words. */
static void put_vocabulary(struct writer *w, uint32_t n)
{
    static const char *const special[] = { "<unk>", "<s>", "</s>" };
    enum { SPECIAL = 3, BYTES = 256 };
    char text[16];
    put_key(w, "tokenizer.ggml.model", GGUF_TEXT);
    put_text(w, "llama");
    put_array(w, "tokenizer.ggml.tokens", GGUF_TEXT, n);
    for (uint32_t i = 0; i < n; i++) {
        if (i < SPECIAL) snprintf(text, sizeof text, "%s", special[i]);
        else if (i < SPECIAL + BYTES) snprintf(text, sizeof text, "<0x%02X>", i - SPECIAL);
        else snprintf(text, sizeof text, "\xe2\x96\x81%c%x", 'g' + (int)(i % 20), i);
        put_text(w, text);
    }
    put_array(w, "tokenizer.ggml.scores", GGUF_FLOAT, n);
    for (uint32_t i = 0; i < n; i++) put_float(w, -(float)i);
    put_array(w, "tokenizer.ggml.token_type", GGUF_I32, n);
    for (uint32_t i = 0; i < n; i++) put_u32(w, i == 0 ? 2 : i < SPECIAL ? 3 : i < SPECIAL + BYTES ? 6 : 1);
}

static void put_keys(struct writer *w, uint32_t vocab)
{
    static const struct {
        const char *key;
        uint32_t    value;
    } numbers[] = {
        { "llama.context_length", CONTEXT },        { "llama.embedding_length", WIDTH },
        { "llama.block_count", LAYERS },            { "llama.feed_forward_length", FF },
        { "llama.attention.head_count", HEADS },    { "llama.attention.head_count_kv", KV_HEADS },
        { "tokenizer.ggml.bos_token_id", 1 },       { "tokenizer.ggml.eos_token_id", 2 },
    };
    put_key(w, "general.architecture", GGUF_TEXT);
    put_text(w, "llama");
    put_key(w, "llama.attention.layer_norm_rms_epsilon", GGUF_FLOAT);
    put_float(w, 1e-5f);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        put_key(w, numbers[i].key, GGUF_U32);
        put_u32(w, numbers[i].value);
    }
    put_vocabulary(w, vocab);
}

/* rows 0: a vector of f32 */
static void put_tensor(struct writer *w, const char *name, uint64_t rows, uint64_t columns)
{
    const uint64_t bytes = rows ? rows * columns / 32 * 34 : columns * 4;
    w->n_tensors++;
    put_text(w, name);
    put_u32(w, rows ? 2 : 1);
    put_u64(w, columns);
    if (rows) put_u64(w, rows);
    put_u32(w, rows ? GGUF_Q8_0 : GGUF_F32);
    put_u64(w, w->data);
    w->data += (bytes + 31) / 32 * 32;
}

static void put_tensors(struct writer *w, uint32_t vocab)
{
    static const struct {
        const char *name;
        uint64_t    rows, columns;
    } layer[] = {
        { "attn_norm", 0, WIDTH },       { "attn_q", WIDTH, WIDTH },      { "attn_k", KEY_ROWS, WIDTH },
        { "attn_v", KEY_ROWS, WIDTH },   { "attn_output", WIDTH, WIDTH }, { "ffn_norm", 0, WIDTH },
        { "ffn_gate", FF, WIDTH },       { "ffn_up", FF, WIDTH },         { "ffn_down", WIDTH, FF },
    };
    char name[64];
    put_tensor(w, "token_embd.weight", vocab, WIDTH);
    for (int i = 0; i < LAYERS; i++) {
        for (size_t k = 0; k < sizeof layer / sizeof *layer; k++) {
            snprintf(name, sizeof name, "blk.%d.%s.weight", i, layer[k].name);
            put_tensor(w, name, layer[k].rows, layer[k].columns);
        }
    }
    put_tensor(w, "output_norm.weight", 0, WIDTH);
}

static void put_header(struct writer *w)
{
    rewind(w->f);
    fputs("GGUF", w->f);
    put_u32(w, 3);
    put_u64(w, w->n_tensors);
    put_u64(w, w->n_keys);
}

static int file_make(const char *path, uint32_t vocab)
{
    struct writer w = { .f = fopen(path, "wb") };
    if (!w.f) return -1;
    put_header(&w);
    put_keys(&w, vocab);
    put_tensors(&w, vocab);
    const off_t end = (ftello(w.f) + 31) / 32 * 32 + (off_t)w.data;
    put_header(&w); /* now the counts are known */
    const int failed = fflush(w.f) != 0 || ftruncate(fileno(w.f), end) != 0;
    return fclose(w.f) != 0 || failed ? -1 : 0;
}

/* ---- measuring */

struct opened {
    double   ms[STAGES];
    uint64_t allocations[STAGES];
};

/* Tells the system to forget the pages of a file; others' pages stay. */
static void pages_forget(const char *path)
{
    const int fd = open(path, O_RDONLY);
    if (fd < 0) return;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

static void stage_end(struct opened *o, enum stage stage, uint64_t *time, uint64_t *count)
{
    o->ms[stage] = (double)(clock_ns() - *time) * 1e-6;
    o->allocations[stage] = mem_count() - *count;
    *time = clock_ns();
    *count = mem_count();
}

static int open_once(const char *path, struct opened *o, hearth_error *err)
{
    hearth_model *m = NULL;
    hearth_session *s = NULL;
    const hearth_tokenizer *t;
    uint64_t time = clock_ns(), count = mem_count();
    int status = hearth_model_open(&m, path, NULL, err);
    stage_end(o, STAGE_MODEL, &time, &count);
    if (!status) status = hearth_session_new(&s, m, NULL, err);
    stage_end(o, STAGE_SESSION, &time, &count);
    if (!status) status = hearth_model_tokenizer(m, &t, err);
    stage_end(o, STAGE_TOKENIZER, &time, &count);
    hearth_session_free(s);
    hearth_model_close(m);
    return status;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Which stages: bits. */
static void print_row(const char *name, struct opened *o, int runs, unsigned stages)
{
    double ms[RUNS_MAX];
    uint64_t allocations = 0;
    for (int i = 0; i < runs; i++) {
        ms[i] = 0;
        allocations = 0;
        for (int s = 0; s < STAGES; s++) {
            if (!(stages >> s & 1)) continue;
            ms[i] += o[i].ms[s];
            allocations += o[i].allocations[s];
        }
    }
    qsort(ms, (size_t)runs, sizeof *ms, compare);
    printf("  %-24s %9.2f %9.2f %9.2f %12llu\n", name, ms[0], ms[runs / 2], ms[runs - 1], (unsigned long long)allocations);
}

static int measure(const char *path, const char *what, int runs, bool forget, hearth_error *err)
{
    static struct opened o[RUNS_MAX];
    int status = forget ? 0 : open_once(path, &o[0], err);
    for (int i = 0; i < runs && !status; i++) {
        if (forget) pages_forget(path);
        status = open_once(path, &o[i], err);
    }
    if (status) return status;
    printf("%s, %s: %d runs\n  %-24s %9s %9s %9s %12s\n", path, what, runs, "ms", "least", "median", "most", "allocations");
    print_row("model", o, runs, 1u << STAGE_MODEL);
    print_row("session", o, runs, 1u << STAGE_SESSION);
    print_row("before the first op", o, runs, 1u << STAGE_MODEL | 1u << STAGE_SESSION);
    print_row("tokenizer", o, runs, 1u << STAGE_TOKENIZER);
    return 0;
}

static int measure_made(uint32_t vocab, hearth_error *err)
{
    const char *folder = getenv("TMPDIR");
    char path[4096], what[64];
    snprintf(path, sizeof path, "%s/bench-open-%d.gguf", folder ? folder : "/tmp", (int)getpid());
    snprintf(what, sizeof what, "vocabulary of %u", vocab);
    int status = file_make(path, vocab);
    if (status) fprintf(stderr, "bench_open: cannot write %s\n", path);
    else status = measure(path, what, RUNS, false, err);
    unlink(path);
    return status;
}

int main(int argc, char **argv)
{
    hearth_error err = { 0 };
    const int asked = argc > 2 ? atoi(argv[2]) : RUNS, runs = asked < 1 ? 1 : asked > RUNS_MAX ? RUNS_MAX : asked;
    int status;
    if (argc > 1) {
        status = measure(argv[1], "pages in memory", runs, false, &err);
        if (!status && file_kind(argv[1]) == FILE_REGULAR) status = measure(argv[1], "pages on disk", runs, true, &err);
    } else {
        status = measure_made(32000, &err);
        if (!status) status = measure_made(262144, &err);
    }
    if (err.status) fprintf(stderr, "bench_open: %s\n", err.text);
    return status ? 1 : 0;
}
