/* The public face of tokenizers: encoding drives the pipeline, decoding walks ids, the rest answers questions. */
#include "text/tokenizer_int.h"

enum {
    CACHE_WORDS       = 8192, /* words remembered while one text is encoded; a power of two */
    CACHE_TEXT_BYTES  = 1024, /* shorter texts go without */
};

void ids_free(struct ids *v)
{
    mem_free(v->id);
    *v = (struct ids){ 0 };
}

/* ---- ids out */

static int ids_reserve(struct ids *v, size_t n, struct hearth_error *err)
{
    if (n <= v->room) return 0;
    const size_t room = n + n / 2 + 32;
    int32_t *id = mem_resize(v->id, room, sizeof *id);
    if (!id) return fail_memory(err, (uint64_t)room * sizeof *id, "token ids");
    v->id = id;
    v->room = room;
    return 0;
}

int encode_put(struct encode *e, uint32_t id)
{
    struct ids *out = e->out;
    const int status = out->n < out->room ? 0 : ids_reserve(out, out->n + 1, e->err);
    if (status) return status;
    if (e->t->n_named && id > e->t->n_named && id < e->t->vocab.n && e->t->vocab.offset[id] != NO_ID)
        id = (uint32_t)e->t->unknown;
    out->id[out->n++] = (int32_t)id;
    e->last_unknown = false;
    return 0;
}

int encode_unknown(struct encode *e, struct str text)
{
    const struct tokenizer *t = e->t;
    bool bytes = t->byte_fallback;
    for (size_t i = 0; i < text.n && bytes; i++) bytes = t->byte_id[(uint8_t)text.p[i]] != NO_ID;
    int status = 0;
    for (size_t i = 0; i < text.n && bytes && !status; i++) status = encode_put(e, t->byte_id[(uint8_t)text.p[i]]);
    if (bytes || t->unknown < 0 || (e->last_unknown && t->fuse_unk)) return status;
    status = encode_put(e, (uint32_t)t->unknown);
    e->last_unknown = true;
    return status;
}

/* ---- added tokens */

static bool is_word_at(struct str s, size_t at)
{
    return at < s.n && unicode_is_word(utf8_next(s, &at));
}

/* Where the character that ends at `at` begins. */
static size_t char_before(struct str s, size_t at)
{
    while (at > 0 && ((uint8_t)s.p[--at] & 0xc0) == 0x80) continue;
    return at;
}

struct found {
    uint32_t id;
    size_t   begin, end;
    size_t   next; /* where the search goes on: white space taken along is searched too */
};

/* Whether a match counts, and the white space it takes along (never before `done`). */
static bool added_accept(const struct added *a, struct str text, size_t done, struct found *f)
{
    if (a->single_word && f->begin > 0 && is_word_at(text, char_before(text, f->begin))) return false;
    if (a->single_word && is_word_at(text, f->end)) return false;
    if (a->lstrip && f->begin < done) f->begin = done;
    for (size_t at; a->lstrip && f->begin > done; f->begin = at) {
        size_t next = at = char_before(text, f->begin);
        if (!unicode_is_space(utf8_next(text, &next))) break;
    }
    for (size_t at = f->end; a->rstrip && at < text.n;) {
        if (!unicode_is_space(utf8_next(text, &at))) break;
        f->end = at;
    }
    f->id = a->id;
    return true;
}

/* The next added token at or after f->next: leftmost, longest. 1: there is one. */
static int added_next(struct encode *e, const struct matcher *m, struct str text, size_t done, struct found *f)
{
    const struct tokenizer *t = e->t;
    for (size_t at = f->next; at < text.n;) {
        size_t n = 0;
        const int status = encode_steps(e, 1);
        if (status) return status;
        if (m->first[(uint8_t)text.p[at]] == m->first[(uint8_t)text.p[at] + 1]) {
            at++;
            continue;
        }
        const uint32_t i = match_longest(m, str_sub(text, at, text.n), &n);
        if (i == NO_ID) {
            at++;
            continue;
        }
        f->begin = at;
        f->end = f->next = at + n;
        if (added_accept(&t->added[i], text, done, f)) return 1;
        at += n;
    }
    return 0;
}

typedef int part_fn(struct encode *e, struct str text, bool first);

/* Cuts text at the added tokens of m; what lies between goes to part. */
static int added_split(struct encode *e, const struct matcher *m, struct str text, bool first, part_fn *part)
{
    int status = 0;
    size_t done = 0;
    for (struct found f = { 0 }; m->n && !status; done = f.end) {
        status = added_next(e, m, text, done, &f);
        if (status <= 0) break;
        status = 0;
        if (f.begin > done) status = part(e, str_sub(text, done, f.begin), first && done == 0);
        if (!status && f.begin < f.end) status = encode_put(e, f.id); /* else the token before took it along */
    }
    if (!status && done < text.n) status = part(e, str_sub(text, done, text.n), first && done == 0);
    return status;
}

/* ---- encoding */

static int encode_normal(struct encode *e, struct str text, bool first)
{
    e->last_unknown = false;
    return pre_run(e, 0, (struct piece){ text, first });
}

static int encode_raw(struct encode *e, struct str text, bool first)
{
    e->first = first;
    const int status = normalize_run(e, text, &text);
    return status ? status : added_split(e, &e->t->normal_match, text, first && !e->lead_lost, encode_normal);
}

static int encode_init(struct encode *e, const struct tokenizer *t, size_t text_bytes, struct text_watch *watch, struct ids *out,
                       struct hearth_error *err)
{
    *e = (struct encode){ .t = t, .watch = watch, .out = out, .err = err };
    buf_init(&e->clean, 3u * TEXT_BYTES_MAX);
    for (int i = 0; i < 2; i++) buf_init(&e->normal[i], 4u * (size_t)TEXT_BYTES_MAX - 16);
    for (int i = 0; i < STEPS_MAX; i++) buf_init(&e->made[i], 4u * (size_t)TEXT_BYTES_MAX - 16);
    if (text_bytes > CACHE_TEXT_BYTES) {
        e->cache = mem_array(CACHE_WORDS, sizeof *e->cache);
        if (!e->cache) return fail_memory(err, CACHE_WORDS * sizeof *e->cache, "encoding a text");
        e->cache_mask = CACHE_WORDS - 1;
    }
    return regex_match_new(&e->match, text_bytes, err);
}

static void encode_free(struct encode *e)
{
    regex_match_free(e->match);
    buf_free(&e->clean);
    for (int i = 0; i < 2; i++) buf_free(&e->normal[i]);
    for (int i = 0; i < STEPS_MAX; i++) buf_free(&e->made[i]);
    mem_free(e->symbol);
    mem_free(e->heap);
    mem_free(e->link);
    mem_free(e->path);
    mem_free(e->cache);
    mem_free(e->split);
}

static int put_all(struct encode *e, const int32_t *ids, uint32_t n)
{
    int status = 0;
    for (uint32_t i = 0; i < n && !status; i++) status = encode_put(e, (uint32_t)ids[i]);
    return status;
}

enum { PART_BYTES = 1 << 20 };

/* A text as valid UTF-8, in clean when it was none. */
static int encode_clean(struct encode *e, struct str *text)
{
    bool valid = true;
    int status = 0;
    for (size_t at = 0, end; at < text->n && !status; at = end) {
        end = at + PART_BYTES < text->n ? at + PART_BYTES : text->n;
        if (end < text->n) end -= utf8_tail(str_sub(*text, at, end));
        const struct str part = str_sub(*text, at, end);
        if (valid && !utf8_valid(part)) {
            buf_put(&e->clean, text->p, at);
            valid = false;
        }
        if (!valid) unicode_replace(&e->clean, part, false);
        status = encode_steps(e, end - at);
    }
    if (valid) return status;
    if (e->clean.failed) return fail_memory(e->err, text->n, "a text");
    *text = buf_str(&e->clean);
    return status;
}

int tokenizer_encode(const struct tokenizer *t, struct str text, bool special, struct ids *out, struct hearth_error *err)
{
    struct text_watch watch = { 0 };
    return tokenizer_encode_watched(t, text, special, &watch, out, err);
}

int tokenizer_encode_watched(const struct tokenizer *t, struct str text, bool special, struct text_watch *watch, struct ids *out,
                             struct hearth_error *err)
{
    if (text.n > TEXT_BYTES_MAX)
        return fail(err, HEARTH_E_ARG, "a text of %zu bytes is too long to encode at once (1 GiB)", text.n);
    const size_t before = out->n;
    struct encode e;
    int status = encode_init(&e, t, text.n, watch, out, err);
    if (!status) status = encode_clean(&e, &text);
    if (!status && special) status = put_all(&e, t->before, t->n_before);
    if (!status) status = added_split(&e, &t->raw_match, text, true, encode_raw);
    const bool ended = t->eos_once && out->n > before && out->id[out->n - 1] == t->eos;
    if (!status && special && !ended) status = put_all(&e, t->after, t->n_after);
    if (status) out->n = before;
    encode_free(&e);
    return status;
}

/* What goes round the texts; without a post-processor what a reader put around one text, round each. */
static uint32_t parts_for(const struct tokenizer *t, bool two, struct post_part parts[POST_PARTS_MAX])
{
    uint32_t n = 0;
    if (t->single) {
        n = two ? t->n_pair : t->n_single;
        memcpy(parts, two ? t->pair : t->single, n * sizeof *parts);
        return n;
    }
    for (int32_t text = 0; text <= two; text++) {
        for (uint32_t i = 0; i < t->n_before; i++) parts[n++] = (struct post_part){ t->before[i], text };
        parts[n++] = (struct post_part){ text ? PART_B : PART_A, text };
        for (uint32_t i = 0; i < t->n_after; i++) parts[n++] = (struct post_part){ t->after[i], text };
    }
    return n;
}

int tokenizer_encode_types(const struct tokenizer *t, struct str first, const struct str *second, bool special, struct ids *out,
                           struct ids *types, struct hearth_error *err)
{
    struct post_part parts[POST_PARTS_MAX];
    const size_t before = out->n, types_before = types->n;
    const uint32_t n = parts_for(t, second != NULL, parts);
    int status = n ? 0 : fail(err, HEARTH_E_UNSUPPORTED, "the tokenizer does not say how it joins two texts");
    struct encode put_id = { .t = t, .out = out, .err = err }, put_type = { .t = t, .out = types, .err = err };
    for (uint32_t i = 0; i < n && !status; i++) {
        if (parts[i].id >= 0 && special) status = encode_put(&put_id, (uint32_t)parts[i].id);
        if (parts[i].id < 0) status = tokenizer_encode(t, parts[i].id == PART_B && second ? *second : first, false, out, err);
        while (!status && types->n - types_before < out->n - before) status = encode_put(&put_type, (uint32_t)parts[i].type);
    }
    if (!status) return 0;
    out->n = before;
    types->n = types_before;
    return status;
}

/* How many ids of two texts stay when `room` are left for both: one by one the longer loses, the second when they are equal. */
static void share_room(size_t *a, size_t *b, size_t room)
{
    while (*a + *b > room) {
        const size_t over = *a + *b - room;
        const size_t apart = *a > *b ? *a - *b : *b - *a;
        const size_t take = apart == 0 ? 1 : over < apart ? over : apart;
        *(*a > *b ? a : b) -= take;
    }
}

int tokenizer_encode_most(const struct tokenizer *t, struct str first, const struct str *second, size_t most, struct ids *out,
                          struct ids *types, size_t *n_cut, struct hearth_error *err)
{
    struct post_part parts[POST_PARTS_MAX];
    const size_t before = out->n, types_before = types->n;
    const uint32_t n = parts_for(t, second != NULL, parts);
    struct encode put_id = { .t = t, .out = out, .err = err }, put_type = { .t = t, .out = types, .err = err };
    struct ids text[2] = { 0 };
    size_t around = 0;
    int status = n ? 0 : fail(err, HEARTH_E_UNSUPPORTED, "the tokenizer does not say how it joins two texts");
    for (uint32_t i = 0; i < n; i++) around += parts[i].id >= 0;
    if (!status && around > most)
        status = fail(err, HEARTH_E_ARG, "%zu tokens are not even room for the %zu special ones", most, around);
    if (!status) status = tokenizer_encode(t, first, false, &text[0], err);
    if (!status && second) status = tokenizer_encode(t, *second, false, &text[1], err);
    if (!status) {
        const size_t all = text[0].n + text[1].n;
        share_room(&text[0].n, &text[1].n, most - around);
        *n_cut = all - text[0].n - text[1].n;
    }
    for (uint32_t i = 0; i < n && !status; i++) {
        const struct ids *ids = &text[parts[i].id == PART_B];
        if (parts[i].id >= 0) status = encode_put(&put_id, (uint32_t)parts[i].id);
        else status = put_all(&put_id, ids->id, (uint32_t)ids->n);
        while (!status && types->n - types_before < out->n - before) status = encode_put(&put_type, (uint32_t)parts[i].type);
    }
    ids_free(&text[0]);
    ids_free(&text[1]);
    if (!status) return 0;
    out->n = before;
    types->n = types_before;
    return status;
}

int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, struct buf *out,
                     struct hearth_error *err)
{
    struct text_watch watch = { 0 };
    return tokenizer_decode_watched(t, ids, n, skip_special, &watch, out, err);
}

int tokenizer_decode_watched(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, struct text_watch *watch,
                             struct buf *out, struct hearth_error *err)
{
    struct decode_state state = { .first = true, .previous = -1 };
    for (size_t i = 0; i < n; i++) {
        const size_t from = out->n;
        decode_token(t, ids[i], skip_special, &state, out);
        const int status = watch_steps(watch, out->n - from + 1, err);
        if (status) return status;
    }
    return out->failed ? fail_memory(err, out->n, "a text") : 0;
}

int tokenizer_decode_text(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, struct text_watch *watch,
                          struct buf *out, struct hearth_error *err)
{
    struct buf raw;
    buf_init(&raw, TEXT_BYTES_MAX);
    int status = tokenizer_decode_watched(t, ids, n, skip_special, watch, &raw, err);
    if (!status) unicode_replace(out, buf_str(&raw), t->byte_fallback);
    if (!status && out->failed) status = fail_memory(err, raw.n, "a text");
    buf_free(&raw);
    return status;
}

/* ---- questions */

int32_t tokenizer_find(const struct tokenizer *t, struct str content)
{
    const uint32_t id = vocab_find(&t->vocab, content);
    if (id != NO_ID) return (int32_t)id;
    for (uint32_t i = 0; i < t->n_added; i++)
        if (str_eq(t->added[i].content, content)) return (int32_t)t->added[i].id;
    return -1;
}

struct str tokenizer_content(const struct tokenizer *t, int32_t id)
{
    const struct str text = id < 0 ? (struct str){ "", 0 } : vocab_text(&t->vocab, (uint32_t)id);
    if (text.n || id < 0) return text;
    for (uint32_t i = 0; i < t->n_added; i++)
        if (t->added[i].id == (uint32_t)id) return t->added[i].content;
    return text;
}

static bool in_template(int32_t id, const int32_t *ids, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (ids[i] == id) return id >= 0;
    return false;
}

/* One more than the greatest id there is. Those of a post-processor may be beyond the vocabulary: they are what its file says. */
static uint32_t ids_end(const struct tokenizer *t)
{
    struct post_part parts[POST_PARTS_MAX];
    uint32_t n = t->n_named ? t->n_named : t->vocab.n;
    for (uint32_t i = 0; i < t->n_added; i++)
        if (t->added[i].id >= n) n = t->added[i].id + 1;
    for (int two = 0; two < 2; two++) {
        const uint32_t count = parts_for(t, two, parts);
        for (uint32_t i = 0; i < count; i++)
            if (parts[i].id >= 0 && (uint32_t)parts[i].id >= n) n = (uint32_t)parts[i].id + 1;
    }
    return n;
}

void tokenizer_info(const struct tokenizer *t, struct tokenizer_info *out)
{
    *out = (struct tokenizer_info){
        .source = t->source,
        .kind = t->model->name,
        .n_vocab = (int32_t)ids_end(t),
        .bos = t->bos,
        .eos = t->eos,
        .unk = t->unk,
        .pad = t->pad,
        .add_bos = in_template(t->bos, t->before, t->n_before),
        .add_eos = in_template(t->eos, t->after, t->n_after),
    };
}

/* ---- building */

struct str tokenizer_keep(struct tokenizer *t, struct str s)
{
    return (struct str){ arena_strndup(&t->arena, s.p, s.n), s.n };
}

int tokenizer_add_token(struct tokenizer *t, const struct added *a, struct hearth_error *err)
{
    if (a->content.n == 0 || a->content.n > ADDED_BYTES_MAX || a->id > INT32_MAX)
        return fail(err, HEARTH_E_UNSUPPORTED, "added token %u is %zu bytes long", a->id, a->content.n);
    if (a->normalized && !utf8_valid(a->content)) return fail(err, HEARTH_E_FORMAT, "added token %u is no valid UTF-8", a->id);
    if (t->n_added == ADDED_MAX) return fail(err, HEARTH_E_UNSUPPORTED, "more than %d added tokens", ADDED_MAX);
    if (t->n_added == t->added_room) {
        const uint32_t room = t->added_room * 2 + 32;
        struct added *p = mem_resize(t->added, room, sizeof *p);
        if (!p) return fail_memory(err, (uint64_t)room * sizeof *p, "added tokens");
        t->added = p;
        t->added_room = room;
    }
    t->added[t->n_added] = *a;
    t->added[t->n_added].content = tokenizer_keep(t, a->content);
    if (!t->added[t->n_added].content.p) return fail_memory(err, a->content.n, "added tokens");
    t->n_added++;
    return 0;
}

int tokenizer_add_template(struct tokenizer *t, bool after, int32_t id, struct hearth_error *err)
{
    uint32_t *n = after ? &t->n_after : &t->n_before;
    if (*n == TEMPLATE_IDS_MAX)
        return fail(err, HEARTH_E_UNSUPPORTED, "a post-processor adds more than %d tokens", TEMPLATE_IDS_MAX);
    (after ? t->after : t->before)[(*n)++] = id;
    return 0;
}

/* Puts the added tokens that are matched before (or, normalised, after) the normalizer into a table of their own. */
static int added_index(struct tokenizer *t, bool normalized, struct vocab *v, struct matcher *m, struct hearth_error *err)
{
    struct encode e;
    struct text_watch watch = { 0 };
    int status = encode_init(&e, t, 0, &watch, NULL, err);
    for (uint32_t i = 0; i < t->n_added && !status; i++) {
        struct token token = { .id = i, .text = t->added[i].content, .type = TOKEN_NORMAL, .copy = true };
        if (t->added[i].normalized != normalized) continue;
        if (normalized) status = normalize_run(&e, token.text, &token.text);
        if (!status) status = vocab_add(v, &token, err);
    }
    encode_free(&e);
    return status ? status : matcher_build(m, v, NULL, err);
}

/* "<0x0A>" and, in files without such tokens, nothing. */
static void byte_tokens_find(struct tokenizer *t)
{
    static const char digits[] = "0123456789ABCDEF";
    for (int b = 0; b < 256; b++) {
        const char name[6] = { '<', '0', 'x', digits[b >> 4], digits[b & 15], '>' };
        t->byte_id[b] = vocab_find(&t->vocab, (struct str){ name, sizeof name });
    }
}

static void char_tokens_find(struct tokenizer *t)
{
    for (uint32_t c = 0; c < sizeof t->char_id / sizeof *t->char_id; c++) {
        char utf8[4];
        t->char_id[c] = vocab_find(&t->vocab, (struct str){ utf8, utf8_put(utf8, c) });
    }
}

static bool special_named(const struct tokenizer *t, struct str text)
{
    for (uint32_t i = 0; i < t->n_added; i++)
        if (t->added[i].special && str_eq(t->added[i].content, text)) return true;
    return false;
}

/* An added token is decoded as it was looked for: normalised, and before a token of the vocabulary that has its id. */
static int shown_find(struct tokenizer *t, struct hearth_error *err)
{
    for (uint32_t i = 0; i < t->n_added; i++) {
        const struct added *a = &t->added[i];
        const struct str text = a->normalized ? vocab_text(&t->normal_text, i) : a->content;
        if (a->id >= t->vocab.n || str_eq(text, vocab_text(&t->vocab, a->id))) continue;
        t->added[i].shown_special = special_named(t, text);
        if (!t->shown) t->shown = mem_array(t->vocab.n, sizeof *t->shown);
        if (!t->shown) return fail_memory(err, (uint64_t)t->vocab.n * sizeof *t->shown, "added tokens");
        t->shown[a->id] = i + 1;
    }
    return 0;
}

int tokenizer_finish(struct tokenizer *t, struct hearth_error *err)
{
    byte_tokens_find(t);
    char_tokens_find(t);
    if (t->model == &model_bpe) t->cut_at_space = merges_cut_at_space(t);
    for (uint32_t i = 0; i < t->n_added; i++)
        if (t->added[i].special && t->added[i].id < t->vocab.n) t->vocab.type[t->added[i].id] = TOKEN_CONTROL;
    int status = added_index(t, false, &t->raw_text, &t->raw_match, err);
    if (!status) status = added_index(t, true, &t->normal_text, &t->normal_match, err);
    return status || !t->shows_added ? status : shown_find(t, err);
}

static void steps_free(struct steps *steps)
{
    for (unsigned i = 0; i < steps->n; i++) regex_free(steps->step[i].regex);
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t) return;
    steps_free(&t->normalize);
    steps_free(&t->pre);
    steps_free(&t->decode);
    matcher_free(&t->raw_match);
    matcher_free(&t->normal_match);
    matcher_free(&t->pieces);
    matcher_free(&t->user);
    vocab_free(&t->vocab);
    vocab_free(&t->raw_text);
    vocab_free(&t->normal_text);
    merges_free(&t->merges);
    mem_free(t->added);
    mem_free(t->shown);
    file_unmap(&t->map);
    container_close(t->owned);
    arena_free(&t->arena);
    mem_free(t);
}
