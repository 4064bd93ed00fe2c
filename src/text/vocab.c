/* Vocabularies: token texts by id and by content, prefixes byte by byte, merge rules. Hash tables are open addressing with
 * bounded probes, since a file could be made of colliding names. */
#include <math.h>

#include "text/tokenizer_int.h"

enum {
    PROBES_MAX  = 4096,
    ID_SPARSITY = 16,    /* ids may be this many times as large as the count of tokens, */
    ID_FREE     = 65536, /* and small ones always */
};

/* ---- texts by id */

static int vocab_grow(struct vocab *v, uint32_t n, bool scored, struct hearth_error *err)
{
    if (n > v->room) {
        const uint32_t room = n > v->room + v->room / 2 ? n + 256 : v->room + v->room / 2;
        uint32_t *offset = mem_resize(v->offset, room, sizeof *offset);
        if (offset) v->offset = offset;
        uint16_t *length = mem_resize(v->length, room, sizeof *length);
        if (length) v->length = length;
        uint8_t *type = mem_resize(v->type, room, sizeof *type);
        if (type) v->type = type;
        double *score = scored ? mem_resize(v->score, room, sizeof *score) : NULL;
        if (score) v->score = score;
        if (!offset || !length || !type || (scored && !score)) return fail_memory(err, (uint64_t)room * 8, "a vocabulary");
        v->room = room;
    }
    for (; v->n < n; v->n++) {
        v->offset[v->n] = NO_ID;
        v->length[v->n] = 0;
        v->type[v->n] = TOKEN_UNUSED;
        if (scored) v->score[v->n] = 0;
    }
    return 0;
}

int vocab_add(struct vocab *v, const struct token *token, struct hearth_error *err)
{
    if (token->id / ID_SPARSITY > v->n + ID_FREE / ID_SPARSITY)
        return fail(err, HEARTH_E_FORMAT, "token id %u is far beyond the number of tokens", token->id);
    if (token->text.n > UINT16_MAX) return fail(err, HEARTH_E_FORMAT, "token %u is %zu bytes long", token->id, token->text.n);
    if (token->scored && !isfinite(token->score))
        return fail(err, HEARTH_E_FORMAT, "the score of token %u is no number", token->id);
    const bool known = token->id < v->n && v->offset[token->id] != NO_ID;
    if (known) return fail(err, HEARTH_E_FORMAT, "token id %u is given twice", token->id);
    if (token->id >= v->n) {
        const int status = vocab_grow(v, token->id + 1, token->scored, err);
        if (status) return status;
    }
    uint64_t offset = v->own.n;
    if (token->copy) {
        if (!v->own.cap) buf_init(&v->own, TEXT_BYTES_MAX);
        buf_put(&v->own, token->text.p, token->text.n);
        if (v->own.failed) return fail_memory(err, (uint64_t)v->own.n + token->text.n, "a vocabulary");
        v->text = v->own.p;
    } else {
        if (!v->text) v->text = token->text.p;
        offset = (uint64_t)(token->text.p - v->text);
        if (token->text.p < v->text || offset >= NO_ID) return fail(err, HEARTH_E_FORMAT, "the token texts lie too far apart");
    }
    v->offset[token->id] = (uint32_t)offset;
    v->length[token->id] = (uint16_t)token->text.n;
    v->type[token->id] = (uint8_t)token->type;
    if (token->scored) v->score[token->id] = token->score;
    if (token->text.n > v->longest) v->longest = (uint32_t)token->text.n;
    return 0;
}

struct str vocab_text(const struct vocab *v, uint32_t id)
{
    if (id >= v->n || v->offset[id] == NO_ID) return (struct str){ "", 0 };
    return (struct str){ v->text + v->offset[id], v->length[id] };
}

void vocab_free(struct vocab *v)
{
    mem_free(v->offset);
    mem_free(v->length);
    mem_free(v->type);
    mem_free(v->score);
    mem_free(v->slot);
    buf_free(&v->own);
    *v = (struct vocab){ 0 };
}

/* ---- ids by text */

/* A power of two that leaves at least half of the slots empty; 0 when there would be too many. */
static uint32_t slots_for(uint32_t n)
{
    uint64_t slots = 16;
    while (slots < (uint64_t)n * 2) slots *= 2;
    return slots <= UINT32_MAX ? (uint32_t)slots : 0;
}

/* The slot of text: one that holds it, or an empty one; -1 after too many probes. */
static int64_t vocab_slot(const struct vocab *v, struct str text)
{
    const uint32_t mask = v->slots - 1;
    uint32_t at = (uint32_t)str_hash(text) & mask;
    for (int probes = 0; probes < PROBES_MAX; probes++, at = (at + 1) & mask)
        if (!v->slot[at] || str_eq(vocab_text(v, v->slot[at] - 1), text)) return at;
    return -1;
}

int vocab_index(struct vocab *v, struct hearth_error *err)
{
    if (v->own.p) v->text = v->own.p;
    v->slots = slots_for(v->n);
    v->slot = v->slots ? mem_array(v->slots, sizeof *v->slot) : NULL;
    if (!v->slot) return fail_memory(err, (uint64_t)v->slots * sizeof *v->slot, "a vocabulary");
    for (uint32_t id = 0; id < v->n; id++) {
        if (v->offset[id] == NO_ID) continue;
        const int64_t at = vocab_slot(v, vocab_text(v, id));
        if (at < 0) return fail(err, HEARTH_E_FORMAT, "the token texts collide on purpose");
        if (v->slot[at] && !v->last_counts) continue;
        if (v->slot[at]) v->offset[v->slot[at] - 1] = NO_ID, v->length[v->slot[at] - 1] = 0;
        v->slot[at] = id + 1;
    }
    return 0;
}

uint32_t vocab_find(const struct vocab *v, struct str text)
{
    if (text.n > v->longest || !v->slots) return NO_ID;
    const int64_t at = vocab_slot(v, text);
    return at < 0 || !v->slot[at] ? NO_ID : v->slot[at] - 1;
}

/* ---- prefixes */

static int text_compare(const struct vocab *v, uint32_t a, uint32_t b)
{
    const struct str x = vocab_text(v, a), y = vocab_text(v, b);
    const int c = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    if (c) return c;
    return x.n != y.n ? (x.n < y.n ? -1 : 1) : (a > b) - (a < b);
}

/* Merge sort, from short runs to long ones; other is room of the same size. Returns whichever array holds the result. */
static uint32_t *order_sort(const struct vocab *v, uint32_t *order, uint32_t *other, uint32_t n)
{
    for (uint64_t run = 1; run < n; run *= 2) {
        for (uint64_t from = 0; from < n; from += 2 * run) {
            const uint64_t middle = from + run < n ? from + run : n, end = from + 2 * run < n ? from + 2 * run : n;
            uint64_t a = from, b = middle;
            for (uint64_t i = from; i < end; i++)
                other[i] = b == end || (a < middle && text_compare(v, order[a], order[b]) < 0) ? order[a++] : order[b++];
        }
        uint32_t *swap = order;
        order = other;
        other = swap;
    }
    return order;
}

int matcher_build(struct matcher *m, const struct vocab *v, matcher_filter *filter, struct hearth_error *err)
{
    *m = (struct matcher){ .v = v };
    for (uint32_t id = 0; id < v->n; id++) m->n += v->length[id] > 0 && (!filter || filter(v, id));
    uint32_t *order = mem_array(m->n, sizeof *order), *other = mem_array(m->n, sizeof *other);
    if (!order || !other) {
        mem_free(order);
        mem_free(other);
        return fail_memory(err, (uint64_t)m->n * 8, "a vocabulary");
    }
    uint32_t n = 0;
    for (uint32_t id = 0; id < v->n; id++)
        if (v->length[id] > 0 && (!filter || filter(v, id))) order[n++] = id;
    m->order = order_sort(v, order, other, n);
    mem_free(m->order == order ? other : order);
    uint32_t at = 0;
    for (unsigned b = 0; b < 256; b++) {
        m->first[b] = at;
        while (at < n && (uint8_t)vocab_text(v, m->order[at]).p[0] == b) at++;
    }
    m->first[256] = n;
    return 0;
}

void matcher_free(struct matcher *m)
{
    mem_free(m->order);
    *m = (struct matcher){ 0 };
}

/* The byte of text number i at depth, -1 behind its end. */
static int byte_at(const struct matcher *m, uint32_t i, uint32_t depth)
{
    const struct str s = vocab_text(m->v, m->order[i]);
    return depth < s.n ? (uint8_t)s.p[depth] : -1;
}

/* The first of lo..hi whose byte at depth is at least `byte`. */
static uint32_t lower_bound(const struct matcher *m, uint32_t lo, uint32_t hi, uint32_t depth, int byte)
{
    while (lo < hi) {
        const uint32_t middle = lo + (hi - lo) / 2;
        if (byte_at(m, middle, depth) < byte) lo = middle + 1;
        else hi = middle;
    }
    return lo;
}

bool match_feed(const struct matcher *m, struct match *s, uint8_t byte)
{
    if (s->depth == 0) {
        s->lo = m->first[byte];
        s->hi = m->first[byte + 1];
    } else {
        if (byte_at(m, s->lo, s->depth) != byte) s->lo = lower_bound(m, s->lo, s->hi, s->depth, byte);
        if (s->lo < s->hi && byte_at(m, s->hi - 1, s->depth) != byte) s->hi = lower_bound(m, s->lo, s->hi, s->depth, byte + 1);
    }
    s->depth++;
    return s->lo < s->hi;
}

uint32_t match_id(const struct matcher *m, const struct match *s)
{
    const uint32_t id = m->order[s->lo];
    return vocab_text(m->v, id).n == s->depth ? id : NO_ID;
}

uint32_t match_longest(const struct matcher *m, struct str text, size_t *n)
{
    uint32_t best = NO_ID;
    struct match s = { 0 };
    for (size_t i = 0; i < text.n && m->n && match_feed(m, &s, (uint8_t)text.p[i]); i++) {
        const uint32_t id = match_id(m, &s);
        if (id == NO_ID) continue;
        best = id;
        *n = i + 1;
    }
    return best;
}

/* ---- merges */

static uint32_t pair_hash(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
    return (uint32_t)(h * 0xd6e8feb86659fd93u >> 32);
}

bool merge_split(struct str rule, struct str *left, struct str *right)
{
    const char *space = rule.n ? memchr(rule.p + 1, ' ', rule.n - 1) : NULL;
    if (!space) return false;
    *left = (struct str){ rule.p, (size_t)(space - rule.p) };
    *right = str_sub(rule, left->n + 1, rule.n);
    return true;
}

int merges_add(struct merges *m, const struct vocab *v, struct str left, struct str right, size_t skip, struct hearth_error *err)
{
    char both[1024];
    struct merge rule = { vocab_find(v, left), vocab_find(v, right), NO_ID };
    if (skip <= right.n && left.n + right.n - skip <= sizeof both) {
        memcpy(both, left.p, left.n);
        memcpy(both + left.n, right.p + skip, right.n - skip);
        rule.id = vocab_find(v, (struct str){ both, left.n + right.n - skip });
    }
    if (rule.left == NO_ID || rule.right == NO_ID || rule.id == NO_ID)
        return fail(err, HEARTH_E_FORMAT, "merge %u (\"%.*s\" \"%.*s\") speaks of a token that is not in the vocabulary", m->n,
                    STR_ARG(left), STR_ARG(right));
    if (m->n == m->room) {
        const uint32_t room = m->room + m->room / 2 + 1024;
        struct merge *merge = mem_resize(m->merge, room, sizeof *merge);
        if (!merge) return fail_memory(err, (uint64_t)room * sizeof *merge, "merge rules");
        m->merge = merge;
        m->room = room;
    }
    m->merge[m->n++] = rule;
    return 0;
}

/* The slot of a pair: one that holds it, or an empty one; -1 after too many probes. */
static int64_t merges_slot(const struct merges *m, uint32_t left, uint32_t right)
{
    const uint32_t mask = m->slots - 1;
    uint32_t at = pair_hash(left, right) & mask;
    for (int probes = 0; probes < PROBES_MAX; probes++, at = (at + 1) & mask) {
        if (!m->slot[at]) return at;
        const struct merge *rule = &m->merge[m->slot[at] - 1];
        if (rule->left == left && rule->right == right) return at;
    }
    return -1;
}

int merges_index(struct merges *m, struct hearth_error *err)
{
    m->slots = slots_for(m->n);
    m->slot = m->slots ? mem_array(m->slots, sizeof *m->slot) : NULL;
    if (!m->slot) return fail_memory(err, (uint64_t)m->slots * sizeof *m->slot, "merge rules");
    for (uint32_t i = 0; i < m->n; i++) {
        const int64_t at = merges_slot(m, m->merge[i].left, m->merge[i].right);
        if (at < 0) return fail(err, HEARTH_E_FORMAT, "the merge rules collide on purpose");
        m->slot[at] = i + 1; /* the last of equal pairs counts, as where a later entry of a map replaces an earlier one */
    }
    return 0;
}

uint32_t merges_find(const struct merges *m, uint32_t left, uint32_t right)
{
    if (left == NO_ID || right == NO_ID) return NO_ID;
    const int64_t at = merges_slot(m, left, right);
    return at < 0 || !m->slot[at] ? NO_ID : m->slot[at] - 1;
}

void merges_free(struct merges *m)
{
    mem_free(m->merge);
    mem_free(m->slot);
    *m = (struct merges){ 0 };
}
