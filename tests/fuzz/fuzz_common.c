/* Files in memory and common checks of the fuzz targets. The linker gives us every call of file_map and file_kind (--wrap). */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "text/detok.h"

enum { FILES_MAX = 8, MAPPED_MAX = 64, NAME_MAX_BYTES = 64 };

static struct {
    char           path[NAME_MAX_BYTES];
    const uint8_t *p;
    size_t         n;
} files[FILES_MAX];
static int n_files;

static volatile uint64_t sink; /* what was read goes here, so that it is read */

void fuzz_fail(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "fuzz: ");
    vfprintf(stderr, format, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    abort();
}

/* ---- files */

const char *fuzz_file(const char *name, const uint8_t *p, size_t n)
{
    if (n_files == FILES_MAX) fuzz_fail("more than %d files", FILES_MAX);
    snprintf(files[n_files].path, NAME_MAX_BYTES, FUZZ_FOLDER "/%s", name);
    files[n_files].p = p;
    files[n_files].n = n;
    return files[n_files++].path;
}

void fuzz_files_drop(void) { n_files = 0; }

struct fuzz_pair fuzz_split(const uint8_t *p, size_t n)
{
    const uint8_t *at = n ? memchr(p, 0xff, n) : NULL;
    if (!at) return (struct fuzz_pair){ .first = p, .n_first = n };
    return (struct fuzz_pair){ p, at + 1, (size_t)(at - p), n - (size_t)(at - p) - 1 };
}

static bool is_ours(const char *path)
{
    const size_t n = strlen(FUZZ_FOLDER);
    return strncmp(path, FUZZ_FOLDER, n) == 0 && (path[n] == 0 || path[n] == '/');
}

static int find_file(const char *path)
{
    for (int i = 0; i < n_files; i++)
        if (strcmp(files[i].path, path) == 0) return i;
    return -1;
}

int            __real_file_map(struct file_map *m, const char *path, struct hearth_error *err);
void           __real_file_unmap(struct file_map *m);
enum file_kind __real_file_kind(const char *path);
int            __wrap_file_map(struct file_map *m, const char *path, struct hearth_error *err);
void           __wrap_file_unmap(struct file_map *m);
enum file_kind __wrap_file_kind(const char *path);

static const uint8_t *mapped[MAPPED_MAX]; /* our own mappings in use; NULL: free place */

int __wrap_file_map(struct file_map *m, const char *path, struct hearth_error *err)
{
    *m = (struct file_map){ 0 };
    if (!is_ours(path)) return __real_file_map(m, path, err);
    const int file = find_file(path);
    int place = 0;
    if (file < 0) return fail(err, HEARTH_E_NOT_FOUND, "cannot open %s: no such file", path);
    m->p = (const uint8_t *)"";
    if (!files[file].n) return 0;
    while (place < MAPPED_MAX && mapped[place]) place++;
    uint8_t *block = malloc(files[file].n);
    if (!block || place == MAPPED_MAX) fuzz_fail("no memory for another mapping");
    memcpy(block, files[file].p, files[file].n);
    *m = (struct file_map){ block, files[file].n };
    mapped[place] = block;
    return 0;
}

void __wrap_file_unmap(struct file_map *m)
{
    for (int i = 0; m->n && i < MAPPED_MAX; i++) {
        if (mapped[i] != m->p) continue;
        mapped[i] = NULL;
        free((uint8_t *)(uintptr_t)m->p);
        *m = (struct file_map){ 0 };
        return;
    }
    __real_file_unmap(m);
}

enum file_kind __wrap_file_kind(const char *path)
{
    if (!is_ours(path)) return __real_file_kind(path);
    if (strcmp(path, FUZZ_FOLDER) == 0) return FILE_FOLDER;
    return find_file(path) < 0 ? FILE_NONE : FILE_REGULAR;
}

/* ---- what must hold */

void fuzz_check_refusal(int status, const struct hearth_error *err)
{
    static const int kinds[] = { HEARTH_E_FORMAT, HEARTH_E_UNSUPPORTED, HEARTH_E_NOT_FOUND, HEARTH_E_MEMORY, HEARTH_E_CONTEXT, HEARTH_E_ARG };
    bool known = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) known |= status == kinds[i];
    if (!known) fuzz_fail("refused as %s: %s", hearth_status_name(status), err->text);
    if (err->status != status) fuzz_fail("returned %s, but the error says %s", hearth_status_name(status), hearth_status_name(err->status));
    if (!err->text[0]) fuzz_fail("%s without a sentence", hearth_status_name(status));
    if (getenv("FUZZ_SAY")) printf("# %s: %s\n", hearth_status_name(status), err->text);
}

static void walk_array(const struct container *c, const struct kv *array)
{
    struct kv_iter it;
    struct kv v;
    for (kv_iterate(&it, c, array); kv_next(&it, &v);) {
        sink += v.type == KV_STRING ? str_hash(v.s) : (uint64_t)v.i;
        if (v.type == KV_ARRAY) walk_array(c, &v);
    }
    if (it.index != array->array.n) fuzz_fail("an array of %llu ended at %llu", (unsigned long long)array->array.n, (unsigned long long)it.index);
}

void fuzz_walk(const struct container *c)
{
    for (uint64_t i = 0; i < c->n_kv; i++) {
        const struct kv *kv = &c->kv[i];
        sink += str_hash(kv->key) + (kv->type == KV_STRING ? str_hash(kv->s) : 0);
        if (kv->type == KV_ARRAY) walk_array(c, kv);
    }
    for (uint64_t i = 0; i < c->n_tensor; i++) {
        const struct file_tensor *t = &c->tensor[i];
        uint64_t values = 1, bytes;
        if (t->rank < 0 || t->rank > 4 || t->type >= DTYPE_COUNT) fuzz_fail("a tensor of rank %d, type %d", t->rank, (int)t->type);
        for (int d = 0; d < t->rank; d++)
            if (!size_mul(values, t->dim[d], &values)) fuzz_fail("a shape overflows");
        if (!type_row_bytes(t->type, values, &bytes) || bytes != t->n_bytes) fuzz_fail("a tensor's size is not its shape's");
        sink += str_hash(t->name) + str_hash((struct str){ t->data, t->n_bytes });
    }
}

/* The ids as a stream, and all at once: malformed bytes become U+FFFD in both. */
static void check_stream(const struct tokenizer *t, const struct ids *ids, struct str text, bool exact)
{
    struct hearth_error err = { 0 };
    struct detok d;
    struct buf all;
    char *whole;
    size_t n;
    int status = detok_init(&d, t, false, false, &err);
    if (status) {
        fuzz_check_refusal(status, &err);
        return;
    }
    buf_init(&all, (size_t)1 << 30);
    for (size_t i = 0; i < ids->n; i++) {
        const struct str piece = detok_push(&d, ids->id[i]);
        if (!utf8_valid(piece)) fuzz_fail("the stream broke a character");
        buf_put(&all, piece.p, piece.n);
    }
    const struct str rest = detok_finish(&d);
    buf_put(&all, rest.p, rest.n);
    status = hearth_decode((const hearth_tokenizer *)(const void *)t, ids->id, ids->n, &whole, &n, &err);
    if (status) {
        fuzz_check_refusal(status, &err);
    } else {
        if (exact && !str_eq((struct str){ whole, n }, text)) fuzz_fail("'%.*s' came back as '%.*s'", STR_ARG(text), (int)n, whole);
        if (exact && !str_eq(buf_str(&all), text)) fuzz_fail("'%.*s' was streamed as '%.*s'", STR_ARG(text), STR_ARG(buf_str(&all)));
        hearth_free(whole);
    }
    buf_free(&all);
    detok_free(&d);
}

/* A text twice: an id, a type, and what single texts refuse. */
static void check_pair(const struct tokenizer *t, struct str text, bool special)
{
    struct hearth_error err = { 0 };
    struct ids ids = { 0 }, types = { 0 };
    const int status = tokenizer_encode_types(t, text, &text, special, &ids, &types, &err);
    if (status) fuzz_check_refusal(status, &err);
    if (ids.n != types.n) fuzz_fail("%zu ids with %zu types", ids.n, types.n);
    ids_free(&ids);
    ids_free(&types);
}

void fuzz_text(const struct tokenizer *t, struct str text, bool special, bool exact)
{
    struct hearth_error err = { 0 };
    struct ids ids = { 0 };
    struct tokenizer_info info;
    tokenizer_info(t, &info);
    const int status = tokenizer_encode(t, text, special, &ids, &err);
    if (status) fuzz_check_refusal(status, &err);
    for (size_t i = 0; i < ids.n; i++)
        if (ids.id[i] < 0 || ids.id[i] >= info.n_vocab) fuzz_fail("id %d of a vocabulary of %d", ids.id[i], info.n_vocab);
    if (!status) check_stream(t, &ids, text, exact);
    ids_free(&ids);
    check_pair(t, text, special);
}

void fuzz_tokenizer(const char *path)
{
    static const char *const texts[] = {
        "", " ", "Once upon a time,  there was 1 dragon; it's <s>old</s>\n\n\t", "\xc3\xa9t\xc3\xa9 e\xcc\x81 \xf0\x9f\x94\xa5\xe2\x80\x8d \xef\xbc\xa1\xef\xac\x81 \xe4\xb8\xad\xe6\x96\x87",
        "\xff\xc3 \xed\xa0\x80\xf4", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 123456789 <|endoftext|> DON'T   ",
    };
    struct hearth_error err = { 0 };
    struct tokenizer *t;
    const int status = tokenizer_open_file(&t, path, &err);
    if (status) {
        fuzz_check_refusal(status, &err);
        return;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) fuzz_text(t, str_from(texts[i]), i % 2 == 0, false);
    tokenizer_close(t);
}

void fuzz_model(const char *path)
{
    static const int32_t ids[] = { 3, 1, 4, 1, 5 };
    struct hearth_error err = { 0 };
    hearth_model *m = NULL;
    hearth_session *s = NULL;
    hearth_request r = { .size = sizeof r, .ids = ids, .n_ids = sizeof ids / sizeof *ids, .max_tokens = 3 };
    const hearth_model_options model = { .size = sizeof model, .threads = 1 };
    const hearth_session_options session = { .size = sizeof session, .context = 8, .chunk = 4 };
    int status = hearth_model_open(&m, path, &model, &err);
    if (!status) status = hearth_session_new(&s, m, &session, &err);
    if (!status) status = hearth_generate(s, &r, 1, NULL, NULL, NULL, &err);
    if (status) fuzz_check_refusal(status, &err);
    else hearth_free(r.generated);
    hearth_session_free(s);
    hearth_model_close(m);
}
