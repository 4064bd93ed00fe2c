/* Reads tokenizer.json of the tokenizers library. The file is mapped and streamed: one pass notes where the parts stand, then
 * each part is read in the order it is needed. Pages already read are given back, so a large file costs little memory. */
#include <stddef.h>
#include <sys/mman.h>

#include "text/tokenizer_int.h"

enum { DROP_BYTES = 1 << 20, PAGE_BYTES = 4096, AFFIX_BYTES_MAX = 100 };

/* Gives pages of the file back that lie behind the reader. */
static void pages_drop(const struct file_map *m, const struct json *j, size_t *dropped)
{
    if (j->at < *dropped + DROP_BYTES || j->src.p != (const char *)m->p) return;
    const size_t from = *dropped & ~(size_t)(PAGE_BYTES - 1), to = j->at & ~(size_t)(PAGE_BYTES - 1);
    madvise((void *)(uintptr_t)(m->p + from), to - from, MADV_DONTNEED);
    *dropped = to;
}

/* json_skip for values that may be large. */
static int value_skip(const struct tokenizer *t, struct json *j)
{
    size_t dropped = j->at;
    const int outer = j->depth;
    enum json_kind kind = json_next(j);
    while (j->depth > outer && kind != JSON_ERROR) {
        kind = json_next(j);
        pages_drop(&t->map, j, &dropped);
    }
    return kind == JSON_ERROR ? HEARTH_E_FORMAT : 0;
}

int json_members(const struct tokenizer *t, struct json *j, struct member *members, size_t n)
{
    enum json_kind kind;
    while ((kind = json_next(j)) == JSON_KEY) {
        struct member *m = NULL;
        for (size_t i = 0; i < n; i++)
            if (json_is(j, members[i].key)) m = &members[i];
        if (m) m->value = *j;
        const int status = value_skip(t, j);
        if (status) return status;
    }
    return kind == JSON_OBJECT_END ? 0 : HEARTH_E_FORMAT;
}

struct str json_view(const struct json *j, struct buf *scratch)
{
    if (!j->escaped) return j->text;
    buf_clear(scratch);
    json_text(j, scratch);
    return scratch->failed ? (struct str){ "", 0 } : (struct str){ scratch->p ? scratch->p : "", scratch->n };
}

int json_keep(struct tokenizer *t, const struct json *j, struct str *out)
{
    struct buf scratch;
    buf_init(&scratch, TEXT_BYTES_MAX);
    *out = tokenizer_keep(t, json_view(j, &scratch));
    const bool failed = scratch.failed || !out->p;
    buf_free(&scratch);
    return failed ? fail_memory(j->err, j->text.n, "a tokenizer") : 0;
}

/* ---- steps */

/* The options of steps: name, where in struct step_args, and what they are. */
enum option_type { OPTION_STRING, OPTION_BOOL, OPTION_CHOICE, OPTION_INT, OPTION_PATTERN, OPTION_IGNORED, OPTION_STEPS };
static const struct option {
    const char      *name;
    enum option_type type;
    size_t           offset;
} options[] = {
    { "type", OPTION_STRING, offsetof(struct step_args, type) },
    { "content", OPTION_STRING, offsetof(struct step_args, content) },
    { "replacement", OPTION_STRING, offsetof(struct step_args, replacement) },
    { "prepend_scheme", OPTION_STRING, offsetof(struct step_args, prepend_scheme) },
    { "behavior", OPTION_STRING, offsetof(struct step_args, behavior) },
    { "prepend", OPTION_STRING, offsetof(struct step_args, prepend) },
    { "precompiled_charsmap", OPTION_STRING, offsetof(struct step_args, charsmap) },
    { "delimiter", OPTION_STRING, offsetof(struct step_args, delimiter) },
    { "pattern", OPTION_PATTERN, offsetof(struct step_args, pattern) },
    { "invert", OPTION_BOOL, offsetof(struct step_args, invert) },
    { "add_prefix_space", OPTION_BOOL, offsetof(struct step_args, add_prefix_space) },
    { "use_regex", OPTION_BOOL, offsetof(struct step_args, use_regex) },
    { "individual_digits", OPTION_BOOL, offsetof(struct step_args, individual_digits) },
    { "split", OPTION_BOOL, offsetof(struct step_args, split) },
    { "strip_left", OPTION_BOOL, offsetof(struct step_args, left) },
    { "strip_right", OPTION_BOOL, offsetof(struct step_args, right) },
    { "prefix", OPTION_STRING, offsetof(struct step_args, prefix) },
    { "suffix", OPTION_STRING, offsetof(struct step_args, suffix) },
    { "pad_token", OPTION_STRING, offsetof(struct step_args, pad_token) },
    { "word_delimiter_token", OPTION_STRING, offsetof(struct step_args, delimiter) },
    { "cleanup", OPTION_BOOL, offsetof(struct step_args, cleanup) },
    { "clean_text", OPTION_BOOL, offsetof(struct step_args, clean_text) },
    { "handle_chinese_chars", OPTION_BOOL, offsetof(struct step_args, chinese_chars) },
    { "lowercase", OPTION_BOOL, offsetof(struct step_args, lowercase) },
    { "strip_accents", OPTION_CHOICE, offsetof(struct step_args, strip_accents) },
    { "length", OPTION_INT, offsetof(struct step_args, length) },
    { "start", OPTION_INT, offsetof(struct step_args, start) },
    { "stop", OPTION_INT, offsetof(struct step_args, stop) },
    { "trim_offsets", OPTION_IGNORED, 0 },
    { "str_rep", OPTION_IGNORED, 0 },
    { "normalizers", OPTION_STEPS, 0 },
    { "pretokenizers", OPTION_STEPS, 0 },
    { "decoders", OPTION_STEPS, 0 },
};

void step_args_defaults(struct step_args *a)
{
    *a = (struct step_args){
        .behavior = STR("Isolated"),
        .replacement = STR(SPM_SPACE),
        .add_prefix_space = true,
        .use_regex = true,
        .split = true,
        .prefix = STR("##"),
        .suffix = STR("</w>"),
        .pad_token = STR("<pad>"),
        .delimiter = STR("|"),
        .cleanup = true,
        .clean_text = true,
        .chinese_chars = true,
        .lowercase = true,
        .strip_accents = -1,
        .length = 5,
        .left = true,
        .right = true,
    };
}

/* What steps put into a text has to be text: regular expressions are matched without another look. */
static int option_keep(struct tokenizer *t, struct json *j, struct str *out)
{
    const int status = json_keep(t, j, out);
    return status || utf8_valid(*out) ? status : json_fail(j, "an option of a step is malformed UTF-8");
}

/* {"String": "..."} or {"Regex": "..."} */
static int pattern_read(struct tokenizer *t, struct json *j, struct step_args *a)
{
    if (json_next(j) != JSON_OBJECT || json_next(j) != JSON_KEY) return json_fail(j, "a pattern was expected");
    a->pattern_is_regex = json_is(j, "Regex");
    if (!a->pattern_is_regex && !json_is(j, "String")) return json_fail(j, "a pattern that is no String and no Regex");
    if (json_next(j) != JSON_STRING) return json_fail(j, "a pattern was expected");
    const int status = option_keep(t, j, &a->pattern);
    if (status) return status;
    return json_next(j) == JSON_OBJECT_END ? 0 : json_fail(j, "a pattern was expected");
}

static int option_read(struct tokenizer *t, struct json *j, const struct option *o, struct step_args *a)
{
    char *const to = (char *)a + o->offset;
    if (o->type == OPTION_PATTERN) return pattern_read(t, j, a);
    const enum json_kind kind = json_next(j);
    if (o->type == OPTION_IGNORED || kind == JSON_NULL) return json_skip(j, kind);
    if (o->type == OPTION_STRING && kind == JSON_STRING) return option_keep(t, j, (struct str *)(void *)to);
    if (o->type == OPTION_BOOL && (kind == JSON_TRUE || kind == JSON_FALSE)) {
        *(bool *)to = kind == JSON_TRUE;
        return 0;
    }
    if (o->type == OPTION_CHOICE && (kind == JSON_TRUE || kind == JSON_FALSE)) {
        *(int *)(void *)to = kind == JSON_TRUE;
        return 0;
    }
    if (o->type == OPTION_INT && kind == JSON_NUMBER && j->is_int) {
        *(int64_t *)(void *)to = j->integer;
        return 0;
    }
    return json_fail(j, "an option of a step has the wrong type");
}

static int steps_read(struct tokenizer *t, struct json *j, enum json_kind kind, step_add *add);

static int steps_read_list(struct tokenizer *t, struct json *j, step_add *add)
{
    if (json_next(j) != JSON_ARRAY) return json_fail(j, "a list of steps was expected");
    for (enum json_kind kind; (kind = json_next(j)) != JSON_ARRAY_END;) {
        const int status = steps_read(t, j, kind, add);
        if (status) return status;
    }
    return 0;
}

static const struct option *option_find(const struct json *j)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (json_is(j, options[i].name)) return &options[i];
    return NULL;
}

/* One step, or a Sequence of them: null, or the object whose brace was just read. */
static int steps_read(struct tokenizer *t, struct json *j, enum json_kind kind, step_add *add)
{
    struct step_args a;
    struct str strange = { NULL, 0 };
    bool sequence = false;
    int status = 0;
    step_args_defaults(&a);
    if (kind == JSON_NULL) return 0;
    if (kind != JSON_OBJECT) return json_fail(j, "a step was expected");
    while (!status && (kind = json_next(j)) == JSON_KEY) {
        const struct option *o = option_find(j);
        sequence |= o && o->type == OPTION_STEPS;
        if (!o) strange = j->text;
        if (!o) status = json_skip(j, JSON_KEY);
        else status = o->type == OPTION_STEPS ? steps_read_list(t, j, add) : option_read(t, j, o, &a);
    }
    if (status) return status;
    if (kind != JSON_OBJECT_END) return HEARTH_E_FORMAT;
    if (!a.type.p) return json_fail(j, "a step without a type");
    if (!sequence || !str_is(a.type, "Sequence")) status = add(t, &a, j->err);
    if (!status && strange.p)
        status = fail(j->err, HEARTH_E_UNSUPPORTED, "the option \"%.*s\" of the step \"%.*s\" is not known to hearth",
                      STR_ARG(strange), STR_ARG(a.type));
    return status;
}

/* ---- added tokens */

int json_read_added(struct tokenizer *t, struct json *j, int64_t id)
{
    struct added a = { .id = NO_ID };
    bool normalized = false, has_normalized = false;
    enum json_kind kind;
    while ((kind = json_next(j)) == JSON_KEY) {
        const struct json key = *j;
        kind = json_next(j);
        if (json_is(&key, "id") && kind == JSON_NUMBER && j->is_int) {
            id = j->integer;
        } else if (json_is(&key, "content") && kind == JSON_STRING) {
            const int status = json_keep(t, j, &a.content);
            if (status) return status;
        } else if (kind == JSON_TRUE || kind == JSON_FALSE) {
            const bool value = kind == JSON_TRUE;
            if (json_is(&key, "special")) a.special = value;
            if (json_is(&key, "lstrip")) a.lstrip = value;
            if (json_is(&key, "rstrip")) a.rstrip = value;
            if (json_is(&key, "single_word")) a.single_word = value;
            if (json_is(&key, "normalized")) normalized = value, has_normalized = true;
        } else if (json_skip(j, kind)) {
            return HEARTH_E_FORMAT;
        }
    }
    if (kind != JSON_OBJECT_END) return kind == JSON_ERROR ? HEARTH_E_FORMAT : json_fail(j, "an added token was expected");
    if (id < 0 || id > INT32_MAX || !a.content.p) return json_fail(j, "an added token without id or content");
    if (a.content.n == 0) return 0;
    a.id = (uint32_t)id;
    a.normalized = has_normalized ? normalized : !a.special;
    return tokenizer_add_token(t, &a, j->err);
}

static int added_read(struct tokenizer *t, struct json *j)
{
    if (json_next(j) != JSON_ARRAY) return json_fail(j, "a list of added tokens was expected");
    for (enum json_kind kind; (kind = json_next(j)) != JSON_ARRAY_END;) {
        if (kind != JSON_OBJECT) return json_fail(j, "an added token was expected");
        const int status = json_read_added(t, j, -1);
        if (status) return status;
    }
    return 0;
}

/* Ids are given as the library gives them, whatever the file says: that of the vocabulary, else the next free one behind it.
 * Of entries with one content the last counts, in the place of the first. entries: size of the vocabulary. */
static int added_number(struct tokenizer *t, uint32_t entries, struct hearth_error *err)
{
    struct vocab contents = { 0 };
    uint32_t n = 0, next = entries;
    int status = 0;
    for (uint32_t i = 0; i < t->n_added && !status; i++)
        status = vocab_add(&contents, &(struct token){ .id = i, .text = t->added[i].content, .copy = true }, err);
    if (!status) status = vocab_index(&contents, err);
    uint32_t *place = status ? NULL : mem_array(t->n_added, sizeof *place); /* where an entry went */
    if (!status && !place) status = fail_memory(err, t->n_added * sizeof *place, "added tokens");
    for (uint32_t i = 0; i < t->n_added && !status; i++) {
        struct added a = t->added[i];
        const uint32_t first = vocab_find(&contents, a.content), known = vocab_find(&t->vocab, a.content);
        a.id = first < i ? t->added[place[first]].id : known != NO_ID ? known : next++;
        place[i] = first < i ? place[first] : n++;
        t->added[place[i]] = a;
    }
    if (!status) t->n_added = n;
    mem_free(place);
    vocab_free(&contents);
    return status;
}

/* Added tokens that the model's vocabulary lacks get an id there, but no place in its index: the model never makes them. */
int tokenizer_join_added(struct tokenizer *t, struct hearth_error *err)
{
    uint32_t entries = 0;
    for (uint32_t i = 0; i < t->vocab.n; i++) entries += t->vocab.offset[i] != NO_ID;
    int status = added_number(t, entries, err);
    for (uint32_t i = 0; i < t->n_added && !status; i++) {
        const struct token token = { .id = t->added[i].id, .text = t->added[i].content, .type = TOKEN_USER, .copy = true,
                                     .scored = t->vocab.score != NULL };
        if (vocab_text(&t->vocab, token.id).n == 0) status = vocab_add(&t->vocab, &token, err);
    }
    return status;
}

/* ---- models */

int vocab_map_read(struct vocab *v, const struct file_map *m, struct json *j)
{
    struct buf scratch;
    buf_init(&scratch, TEXT_BYTES_MAX);
    v->last_counts = true;
    size_t dropped = j->at;
    int status = json_next(j) == JSON_OBJECT ? 0 : json_fail(j, "a vocabulary {text: id} was expected");
    while (!status) {
        enum json_kind kind = json_next(j);
        if (kind != JSON_KEY) {
            if (kind != JSON_OBJECT_END) status = HEARTH_E_FORMAT;
            break;
        }
        struct token token = { .text = json_view(j, &scratch), .type = TOKEN_NORMAL, .copy = true };
        kind = json_next(j);
        if (scratch.failed)
            status = fail_memory(j->err, scratch.n, "a vocabulary");
        else if (kind != JSON_NUMBER || !j->is_int || j->integer < 0 || j->integer > INT32_MAX)
            status = json_fail(j, "a token id was expected");
        token.id = (uint32_t)j->integer;
        if (!status) status = vocab_add(v, &token, j->err);
        pages_drop(m, j, &dropped);
    }
    buf_free(&scratch);
    return status;
}

/* ["a", "b"] or "a b": the parts of a merge, in two scratch buffers. */
static int merge_read(struct tokenizer *t, struct json *j, enum json_kind kind, struct buf scratch[2])
{
    struct str left, right;
    if (kind == JSON_STRING) {
        if (!merge_split(json_view(j, &scratch[0]), &left, &right)) return json_fail(j, "a merge \"a b\" was expected");
    } else {
        if (kind != JSON_ARRAY || json_next(j) != JSON_STRING) return json_fail(j, "a merge [\"a\", \"b\"] was expected");
        left = json_view(j, &scratch[0]);
        if (json_next(j) != JSON_STRING) return json_fail(j, "a merge [\"a\", \"b\"] was expected");
        right = json_view(j, &scratch[1]);
        if (json_next(j) != JSON_ARRAY_END) return json_fail(j, "a merge [\"a\", \"b\"] was expected");
    }
    if (scratch[0].failed || scratch[1].failed) return fail_memory(j->err, scratch[0].n, "merge rules");
    return merges_add(&t->merges, &t->vocab, left, right, t->prefix.n, j->err);
}

static int merges_read(struct tokenizer *t, struct json *j)
{
    struct buf scratch[2];
    for (int i = 0; i < 2; i++) buf_init(&scratch[i], TEXT_BYTES_MAX);
    size_t dropped = j->at;
    int status = json_next(j) == JSON_ARRAY ? 0 : json_fail(j, "a list of merges was expected");
    for (enum json_kind kind; !status && (kind = json_next(j)) != JSON_ARRAY_END;) {
        status = kind == JSON_ERROR ? HEARTH_E_FORMAT : merge_read(t, j, kind, scratch);
        pages_drop(&t->map, j, &dropped);
    }
    for (int i = 0; i < 2; i++) buf_free(&scratch[i]);
    return status ? status : merges_index(&t->merges, j->err);
}

/* The score of a piece as the tokenizers library reads it: its JSON reader (serde_json) rounds twice, digits and then their
 * division by a power of ten, and the last bit decides between segmentations of equal score. */
static double score_parse(const struct json *j)
{
    static const double ten[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    const struct str s = j->text;
    size_t i = s.n > 0 && s.p[0] == '-', decimals = 0;
    uint64_t digits = 0;
    bool point = false;
    for (; i < s.n; i++) {
        if (s.p[i] == '.') {
            point = true;
            continue;
        }
        if (s.p[i] < '0' || s.p[i] > '9' || digits > (UINT64_MAX - 9) / 10) break;
        digits = digits * 10 + (uint64_t)(s.p[i] - '0');
        decimals += point;
    }
    if (!point || decimals >= sizeof ten / sizeof *ten || (i < s.n && (s.p[i] < '0' || s.p[i] > '9'))) return j->number;
    return (s.p[0] == '-' ? -(double)digits : (double)digits) / ten[decimals];
}

/* [["piece", score], ...] */
static int unigram_vocab_read(struct tokenizer *t, struct json *j)
{
    struct buf scratch;
    buf_init(&scratch, TEXT_BYTES_MAX);
    size_t dropped = j->at;
    struct token token = { .type = TOKEN_NORMAL, .copy = true, .scored = true };
    int status = json_next(j) == JSON_ARRAY ? 0 : json_fail(j, "a vocabulary [[text, score]] was expected");
    for (enum json_kind kind; !status && (kind = json_next(j)) != JSON_ARRAY_END; token.id++) {
        if (kind == JSON_ARRAY) kind = json_next(j);
        token.text = kind == JSON_STRING ? json_view(j, &scratch) : (struct str){ "", 0 };
        if (kind == JSON_STRING) kind = json_next(j);
        token.score = kind == JSON_NUMBER ? score_parse(j) : 0;
        if (kind != JSON_NUMBER || json_next(j) != JSON_ARRAY_END) status = json_fail(j, "a piece [text, score] was expected");
        else if (scratch.failed) status = fail_memory(j->err, scratch.n, "a vocabulary");
        else status = vocab_add(&t->vocab, &token, j->err);
        pages_drop(&t->map, j, &dropped);
    }
    buf_free(&scratch);
    return status;
}

enum { M_TYPE, M_VOCAB, M_MERGES, M_UNK, M_UNK_ID, M_DROPOUT, M_PREFIX, M_SUFFIX, M_FUSE, M_BYTES, M_IGNORE, M_CHARS, M_ALL };

/* A member that is true, or a number other than 0. */
static bool member_is_set(const struct member *m)
{
    struct json j = m->value;
    if (!j.src.p) return false;
    const enum json_kind kind = json_next(&j);
    return kind == JSON_TRUE || (kind == JSON_NUMBER && j.number != 0);
}

int json_member_string(struct tokenizer *t, const struct member *m, struct str *out)
{
    struct json j = m->value;
    *out = (struct str){ "", 0 };
    if (!j.src.p) return 0;
    const enum json_kind kind = json_next(&j);
    if (kind == JSON_NULL) return 0;
    return kind == JSON_STRING ? json_keep(t, &j, out) : json_fail(&j, "a string was expected");
}

/* One that the vocabulary lacks matters only where a text has unknown characters. */
void tokenizer_find_unknown(struct tokenizer *t, struct str name)
{
    const uint32_t id = vocab_find(&t->vocab, name);
    t->unknown_lost = id == NO_ID;
    if (id != NO_ID) t->unknown = t->unk = (int32_t)id;
}

static int bpe_read(struct tokenizer *t, struct member *m, struct hearth_error *err)
{
    struct str unk;
    int status = json_member_string(t, &m[M_UNK], &unk);
    if (!status) status = json_member_string(t, &m[M_PREFIX], &t->prefix);
    if (!status) status = json_member_string(t, &m[M_SUFFIX], &t->suffix);
    if (status) return status;
    if (member_is_set(&m[M_DROPOUT]))
        return fail(err, HEARTH_E_UNSUPPORTED, "a BPE model with dropout encodes at random; set it to null");
    if (t->prefix.n > AFFIX_BYTES_MAX || t->suffix.n > AFFIX_BYTES_MAX)
        return fail(err, HEARTH_E_UNSUPPORTED, "a BPE model with an affix of more than %d bytes", AFFIX_BYTES_MAX);
    if (!m[M_MERGES].value.src.p) return fail(err, HEARTH_E_FORMAT, "a BPE model without merges");
    t->fuse_unk = member_is_set(&m[M_FUSE]);
    t->byte_fallback = member_is_set(&m[M_BYTES]);
    t->ignore_merges = member_is_set(&m[M_IGNORE]);
    status = vocab_map_read(&t->vocab, &t->map, &m[M_VOCAB].value);
    if (!status) status = vocab_index(&t->vocab, err);
    if (!status) status = merges_read(t, &m[M_MERGES].value);
    if (!status) status = tokenizer_join_added(t, err);
    t->model = t->byte_alphabet ? &model_byte_bpe : &model_bpe;
    if (!status && unk.n) tokenizer_find_unknown(t, unk);
    return status;
}

static int unigram_read(struct tokenizer *t, struct member *m, struct hearth_error *err)
{
    t->model = &model_unigram;
    t->byte_fallback = member_is_set(&m[M_BYTES]);
    t->fuse_unk = true;
    int status = unigram_vocab_read(t, &m[M_VOCAB].value);
    const uint32_t pieces = t->vocab.n;
    for (uint32_t i = 0; i < pieces; i++)
        if (i == 0 || t->vocab.score[i] < t->score_min) t->score_min = t->vocab.score[i];
    if (!status) status = vocab_index(&t->vocab, err);
    if (!status) status = matcher_build(&t->pieces, &t->vocab, NULL, err);
    if (!status) status = tokenizer_join_added(t, err);
    struct json j = m[M_UNK_ID].value;
    if (status || !j.src.p || json_next(&j) != JSON_NUMBER) return status;
    if (!j.is_int || j.integer < 0 || j.integer >= pieces) return json_fail(&j, "an unk_id that is no id");
    t->unknown = t->unk = (int32_t)j.integer;
    return 0;
}

/* {"word": id}, WordPiece's and WordLevel's; what the unknown token is called. */
static int words_read(struct tokenizer *t, struct member *m, const char *unk_name, struct hearth_error *err)
{
    struct str unk;
    int status = json_member_string(t, &m[M_UNK], &unk);
    if (!status) status = vocab_map_read(&t->vocab, &t->map, &m[M_VOCAB].value);
    if (!status) status = vocab_index(&t->vocab, err);
    if (!status && !m[M_UNK].value.src.p) unk = str_from(unk_name);
    if (!status) tokenizer_find_unknown(t, unk);
    return status;
}

static int wordpiece_read(struct tokenizer *t, struct member *m, struct hearth_error *err)
{
    t->model = &model_wordpiece;
    t->word_chars_max = 100;
    t->prefix = STR("##");
    struct json j = m[M_CHARS].value;
    if (j.src.p) {
        if (json_next(&j) != JSON_NUMBER || !j.is_int || j.integer < 0)
            return json_fail(&j, "a number of characters was expected");
        t->word_chars_max = (uint64_t)j.integer;
    }
    int status = m[M_PREFIX].value.src.p ? json_member_string(t, &m[M_PREFIX], &t->prefix) : 0;
    if (!status && t->prefix.n > AFFIX_BYTES_MAX)
        return fail(err, HEARTH_E_UNSUPPORTED, "a WordPiece model with a prefix of more than %d bytes", AFFIX_BYTES_MAX);
    if (!status) status = words_read(t, m, "[UNK]", err);
    if (!status) status = matcher_build(&t->pieces, &t->vocab, NULL, err);
    return status ? status : tokenizer_join_added(t, err);
}

static int wordlevel_read(struct tokenizer *t, struct member *m, struct hearth_error *err)
{
    t->model = &model_wordlevel;
    const int status = words_read(t, m, "<unk>", err);
    return status ? status : tokenizer_join_added(t, err);
}

static const struct {
    const char *name;
    int (*read)(struct tokenizer *t, struct member *m, struct hearth_error *err);
} model_types[] = {
    { "BPE", bpe_read },
    { "Unigram", unigram_read },
    { "WordPiece", wordpiece_read },
    { "WordLevel", wordlevel_read },
};

/* "type" came late in the format's history; without it, what the model has tells. */
static struct str type_guess(const struct member *m)
{
    struct json vocab = m[M_VOCAB].value;
    if (json_next(&vocab) == JSON_ARRAY) return STR("Unigram");
    if (m[M_MERGES].value.src.p) return STR("BPE");
    return m[M_PREFIX].value.src.p && m[M_CHARS].value.src.p ? STR("WordPiece") : STR("WordLevel");
}

static int model_read(struct tokenizer *t, struct json *j)
{
    struct member m[M_ALL] = {
        [M_TYPE] = { .key = "type" },           [M_VOCAB] = { .key = "vocab" },
        [M_MERGES] = { .key = "merges" },       [M_UNK] = { .key = "unk_token" },
        [M_UNK_ID] = { .key = "unk_id" },       [M_DROPOUT] = { .key = "dropout" },
        [M_FUSE] = { .key = "fuse_unk" },       [M_PREFIX] = { .key = "continuing_subword_prefix" },
        [M_BYTES] = { .key = "byte_fallback" }, [M_SUFFIX] = { .key = "end_of_word_suffix" },
        [M_IGNORE] = { .key = "ignore_merges" }, [M_CHARS] = { .key = "max_input_chars_per_word" },
    };
    struct str type;
    if (json_next(j) != JSON_OBJECT) return json_fail(j, "a model was expected");
    int status = json_members(t, j, m, M_ALL);
    if (!status) status = json_member_string(t, &m[M_TYPE], &type);
    if (status) return status;
    if (!m[M_VOCAB].value.src.p) return fail(j->err, HEARTH_E_FORMAT, "a model without a vocabulary");
    if (type.n == 0) type = type_guess(m);
    for (size_t i = 0; i < sizeof model_types / sizeof *model_types; i++)
        if (str_is(type, model_types[i].name)) return model_types[i].read(t, m, j->err);
    return fail(j->err, HEARTH_E_UNSUPPORTED, "tokenizer models of type \"%.*s\" are not known to hearth", STR_ARG(type));
}

/* ---- the file */

enum { T_ADDED, T_NORMALIZER, T_PRE, T_POST, T_DECODER, T_MODEL, T_ALL };

static int part_read(struct tokenizer *t, struct member *m, step_add *add)
{
    struct json j = m->value;
    if (!j.src.p) return 0;
    const enum json_kind kind = json_next(&j);
    return add ? steps_read(t, &j, kind, add) : post_read(t, &j, kind);
}

int tokenizer_json_read(struct tokenizer *t, const char *path, struct hearth_error *err)
{
    struct member m[T_ALL] = {
        [T_ADDED] = { .key = "added_tokens" },   [T_NORMALIZER] = { .key = "normalizer" }, [T_PRE] = { .key = "pre_tokenizer" },
        [T_POST] = { .key = "post_processor" }, [T_DECODER] = { .key = "decoder" },       [T_MODEL] = { .key = "model" },
    };
    struct json j;
    int status = file_map(&t->map, path, err);
    if (status) return status;
    json_init(&j, (struct str){ (const char *)t->map.p, t->map.n }, err);
    if (json_next(&j) != JSON_OBJECT) return json_fail(&j, "this is no tokenizer.json");
    status = json_members(t, &j, m, T_ALL);
    if (!status && !m[T_MODEL].value.src.p)
        status = fail(err, HEARTH_E_FORMAT, "this JSON file has no \"model\", so it is no tokenizer.json");
    if (!status && m[T_ADDED].value.src.p) status = added_read(t, &m[T_ADDED].value);
    if (!status) status = part_read(t, &m[T_NORMALIZER], normalize_add);
    if (!status) status = part_read(t, &m[T_PRE], pre_add);
    if (!status) status = part_read(t, &m[T_DECODER], decode_add);
    if (!status) status = part_read(t, &m[T_POST], NULL);
    if (!status) status = model_read(t, &m[T_MODEL].value);
    t->decode_spaced = t->decode.n == 0;
    t->shows_added = true;
    file_unmap(&t->map);
    return status;
}
