/* How fast texts become ids and back, by kind of tokenizer: MB/s of one core, the best of several runs over 4 MB each of
 * English, code and Japanese.
 * usage: bench_tokenizers [--runs N] [--texts FOLDER] [TOKENIZER [TEXT]...]
 * Without names: the tokenizers of the shared data and of tests/golden (run it in the root of the tree). --texts writes the three
 * texts into a folder, for other programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/tokenizer_int.h"

enum { TEXT_BYTES = 4 << 20, TEXTS_MAX = 16 };

static const char *const tokenizers[] = {
    "ggml-vocab-gpt-2.gguf", "roberta-base.tokenizer.json", "whisper.tiny.tokenizer.json", "clip.tokenizer.json",
    "ggml-vocab-starcoder.gguf", "ggml-vocab-falcon.gguf", "tests/golden/tokenizers/qwen/qwen.tiktoken",
    "tests/golden/tokenizers/tekken/tekken.json", "llama2.tokenizer.model", "t5-small.tokenizer.json", "test_model.model",
    "bert-base-uncased.tokenizer.json", "rwkv_vocab_v20230424.txt", "tests/golden/tokenizers/byt5",
};

struct text {
    const char *name;
    struct buf  bytes;
};

static const char *shared(void)
{
    const char *s = getenv("HEARTH_SHARED");
    return s && *s ? s : "../shared";
}

/* Output of a command, cut to TEXT_BYTES where a character begins. */
static bool text_read(struct text *t, const char *name, const char *command)
{
    char part[65536];
    t->name = name;
    buf_init(&t->bytes, TEXT_BYTES + sizeof part);
    FILE *f = popen(command, "r");
    for (size_t n; f && t->bytes.n < TEXT_BYTES && (n = fread(part, 1, sizeof part, f)) > 0;) buf_put(&t->bytes, part, n);
    if (f) pclose(f);
    if (t->bytes.n > TEXT_BYTES) t->bytes.n = TEXT_BYTES;
    while (t->bytes.n && utf8_tail(buf_str(&t->bytes))) t->bytes.n--;
    return t->bytes.n > 0;
}

/* There is no long Japanese text to measure with: pieces of a Japanese vocabulary, drawn with their own probabilities. */
static bool text_draw(struct text *t, const char *name, const char *vocabulary)
{
    struct tokenizer *tok;
    struct hearth_error err;
    t->name = name;
    buf_init(&t->bytes, TEXT_BYTES);
    if (tokenizer_open_file(&tok, vocabulary, &err)) return false;
    const struct vocab *v = &tok->vocab;
    uint64_t state = 1;
    while (v->score && t->bytes.n + v->longest < TEXT_BYTES) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const uint32_t id = (uint32_t)(state >> 33) % v->n;
        state = state * 6364136223846793005u + 1442695040888963407u;
        const double u = (double)(state >> 11) * 0x1p-53; /* pieces of the same rank as a Zipf law has them */
        const uint32_t drawn = (uint32_t)((double)id * u * u * u);
        struct str piece = vocab_text(v, drawn);
        if (v->type[drawn] != TOKEN_NORMAL) continue;
        if (str_starts(piece, STR(SPM_SPACE))) piece = str_sub(piece, 3, piece.n);
        buf_put(&t->bytes, piece.p, piece.n);
    }
    tokenizer_close(tok);
    return t->bytes.n > 0;
}

static unsigned texts_default(struct text *texts)
{
    char path[1024];
    unsigned n = 0;
    snprintf(path, sizeof path, "xz -dc '%s/data/text/childrens-books.txt.xz'", shared());
    n += text_read(&texts[n], "English", path);
    n += text_read(&texts[n], "code", "cat src/*/*.[ch] src/*/*/*.[ch] tests/*/*.c src/*/*.[ch] src/*/*/*.[ch]");
    snprintf(path, sizeof path, "%s/data/tokenizers/test_ja_model.model", shared());
    n += text_draw(&texts[n], "Japanese", path);
    return n;
}

/* Time of this thread on a processor: what others take of the machine does not count. */
static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int measure(const struct tokenizer *t, const struct text *text, int runs, struct hearth_error *err)
{
    double encode = 1e9, decode = 1e9, share = 0;
    int status = 0;
    for (int i = 0; i < runs && !status; i++) {
        struct ids ids = { 0 };
        struct buf out;
        buf_init(&out, (size_t)1 << 30);
        const double begin = seconds();
        status = tokenizer_encode(t, buf_str(&text->bytes), true, &ids, err);
        const double middle = seconds();
        if (!status) status = tokenizer_decode(t, ids.id, ids.n, true, &out, err);
        const double end = seconds();
        if (middle - begin < encode) encode = middle - begin;
        if (end - middle < decode) decode = end - middle;
        share = (double)text->bytes.n / (double)(ids.n ? ids.n : 1);
        buf_free(&out);
        ids_free(&ids);
    }
    const double mb = (double)text->bytes.n * 1e-6;
    if (!status) printf("  %-10s %7.1f %7.1f   %5.2f\n", text->name, mb / encode, mb / decode, share);
    fflush(stdout);
    return status;
}

static int bench(const char *path, const struct text *texts, unsigned n_texts, int runs)
{
    struct tokenizer *t;
    struct tokenizer_info info;
    struct hearth_error err;
    int status = tokenizer_open_file(&t, path, &err);
    if (status) {
        fprintf(stderr, "%s: %s\n", path, err.text);
        return 1;
    }
    tokenizer_info(t, &info);
    printf("%s (%s)\n", path, info.kind);
    for (unsigned i = 0; i < n_texts && !status; i++) status = measure(t, &texts[i], runs, &err);
    if (status) fprintf(stderr, "%s: %s\n", path, err.text);
    tokenizer_close(t);
    return status != 0;
}

static void texts_write(const struct text *texts, unsigned n, const char *folder)
{
    for (unsigned i = 0; i < n; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s.txt", folder, texts[i].name);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(texts[i].bytes.p, 1, texts[i].bytes.n, f) != texts[i].bytes.n) perror(path);
        if (f) fclose(f);
    }
}

int main(int argc, char **argv)
{
    struct text texts[TEXTS_MAX];
    unsigned n = 0;
    int runs = 5, at = 1, failed = 0;
    char path[1200];
    const char *folder = NULL;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        if (!strcmp(argv[at], "--runs")) runs = atoi(argv[at + 1]);
        else if (!strcmp(argv[at], "--texts")) folder = argv[at + 1];
    }
    for (int i = at + 1; i < argc && n < TEXTS_MAX; i++) {
        snprintf(path, sizeof path, "cat '%s'", argv[i]);
        const char *name = strrchr(argv[i], '/');
        n += text_read(&texts[n], name ? name + 1 : argv[i], path);
    }
    if (n == 0) n = texts_default(texts);
    if (folder) {
        texts_write(texts, n, folder);
    } else {
        printf("  %-10s  encode  decode   bytes a token (MB/s)\n", "");
        if (at < argc) failed = bench(argv[at], texts, n, runs);
        for (size_t i = 0; at >= argc && i < sizeof tokenizers / sizeof *tokenizers; i++) {
            const bool ours = strchr(tokenizers[i], '/') != NULL;
            snprintf(path, sizeof path, ours ? "%s" : "%s/data/tokenizers/%s", ours ? tokenizers[i] : shared(), tokenizers[i]);
            failed |= bench(path, texts, n, runs);
        }
    }
    for (unsigned i = 0; i < n; i++) buf_free(&texts[i].bytes);
    return failed;
}
