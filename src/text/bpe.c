/* Byte pair encoding. Symbols of a word are joined pair by pair, best rank first, leftmost among equals. Ranks come from merge
 * rules (GPT-2 and the tokenizers library) or from the scores of pieces (SentencePiece). Short words are scanned; long ones
 * keep their pairs in order, so that no text costs more than n log n, and one of a single letter no more than n. */
#include "text/tokenizer_int.h"

enum { SCAN_MAX = 64 }; /* symbols; above, the heap is faster */

/* ---- symbols */

static int symbols_reserve(struct encode *e, uint64_t n)
{
    if (n <= e->symbols) return 0;
    if (n >= NO_ID) return fail(e->err, HEARTH_E_ARG, "a word of %llu symbols is too long to encode", (unsigned long long)n);
    const uint64_t room = n + n / 4 + 64;
    struct symbol *p = mem_resize(e->symbol, room, sizeof *p);
    if (!p) return fail_memory(e->err, room * sizeof *p, "encoding a text");
    e->symbol = p;
    e->symbols = room;
    return 0;
}

static void symbol_put(struct encode *e, uint32_t *n, uint32_t id, size_t at)
{
    struct symbol *s = &e->symbol[*n];
    *s = (struct symbol){ .id = id, .at = (uint32_t)at, .prev = *n - 1, .next = *n + 1, .rank = NO_ID };
    ++*n;
}

/* How pairs are ranked: sets rank and merged of symbol i, given that of the text's end. */
typedef void pair_rank(const struct encode *e, struct str text, uint32_t i, uint32_t end);

static void rank_by_rule(const struct encode *e, struct str text, uint32_t i, uint32_t end)
{
    (void)text;
    struct symbol *s = &e->symbol[i];
    s->rank = s->next == end ? NO_ID : merges_find(&e->t->merges, s->id, e->symbol[s->next].id);
    if (s->rank != NO_ID) s->merged = e->t->merges.merge[s->rank].id;
}

/* Orders floats as integers, the highest first; NO_ID is below all. */
static uint32_t score_rank(double score)
{
    const float f = (float)score + 0.0f; /* no negative zero */
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits & 1u << 31 ? bits : ~(bits | 1u << 31);
}

static bool piece_joins(const struct tokenizer *t, uint32_t id)
{
    const uint8_t type = t->vocab.type[id];
    return type == TOKEN_NORMAL || type == TOKEN_USER || type == TOKEN_UNUSED;
}

static void rank_by_score(const struct encode *e, struct str text, uint32_t i, uint32_t end)
{
    const struct tokenizer *t = e->t;
    struct symbol *s = &e->symbol[i];
    s->rank = NO_ID;
    if (s->next == end) return;
    const struct symbol *right = &e->symbol[s->next];
    if (t->user.n && ((s->id != NO_ID && t->vocab.type[s->id] == TOKEN_USER) ||
                      (right->id != NO_ID && t->vocab.type[right->id] == TOKEN_USER)))
        return;
    const size_t to = right->next == end ? text.n : e->symbol[right->next].at;
    const uint32_t id = vocab_find(&t->vocab, str_sub(text, s->at, to));
    if (id == NO_ID || !piece_joins(t, id)) return;
    s->rank = score_rank(t->vocab.score[id]);
    s->merged = id;
    if (e->split && t->vocab.type[id] == TOKEN_UNUSED) e->split[id] = (uint16_t)(right->at - s->at);
}

/* tiktoken: what two parts make is a token, and its rank is its id. */
static void rank_by_id(const struct encode *e, struct str text, uint32_t i, uint32_t end)
{
    struct symbol *s = &e->symbol[i];
    s->rank = NO_ID;
    if (s->next == end) return;
    const uint32_t next = e->symbol[s->next].next;
    s->rank = s->merged = vocab_find(&e->t->vocab, str_sub(text, s->at, next == end ? text.n : e->symbol[next].at));
}

/* ---- merging */

/* Joins symbol i with the next one and ranks the two pairs that changed. */
static void merge_at(struct encode *e, struct str text, uint32_t i, uint32_t end, pair_rank *rank)
{
    struct symbol *s = &e->symbol[i], *gone = &e->symbol[s->next];
    s->id = s->merged;
    s->next = gone->next;
    gone->rank = NO_ID;
    if (s->next != end) e->symbol[s->next].prev = i;
    rank(e, text, i, end);
    if (s->prev != NO_ID) rank(e, text, s->prev, end);
}

static void merge_by_scan(struct encode *e, struct str text, uint32_t end, pair_rank *rank)
{
    for (;;) {
        uint32_t best = 0;
        for (uint32_t i = e->symbol[0].next; i != end; i = e->symbol[i].next)
            if (e->symbol[i].rank < e->symbol[best].rank) best = i;
        if (e->symbol[best].rank == NO_ID) return;
        merge_at(e, text, best, end, rank);
    }
}

/* Pairs wait in runs: lists of one rank with growing positions, so that a heap has to hold only the head of each. Ordinary
 * texts make short runs, repetitive ones a few long ones, which cost no more than a list. A pair is not removed when it
 * changes; one whose rank is no longer that of its symbol is skipped. */
enum { HEAP_CHILDREN = 4 };

static bool pending_less(struct pending a, struct pending b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.symbol < b.symbol;
}

static void heap_up(struct encode *e, uint64_t at, struct pending p)
{
    for (uint64_t up; at > 0 && pending_less(p, e->heap[up = (at - 1) / HEAP_CHILDREN]); at = up) {
        e->heap[at] = e->heap[up];
        e->watch->steps++;
    }
    e->heap[at] = p;
}

/* Puts p at the top and lets it sink. */
static void heap_down(struct encode *e, struct pending p)
{
    uint64_t at = 0;
    for (;;) {
        const uint64_t child = at * HEAP_CHILDREN + 1,
                       stop = child + HEAP_CHILDREN < e->n_heap ? child + HEAP_CHILDREN : e->n_heap;
        uint64_t least = child;
        for (uint64_t i = child + 1; i < stop; i++)
            if (pending_less(e->heap[i], e->heap[least])) least = i;
        if (child >= e->n_heap || !pending_less(e->heap[least], p)) break;
        e->heap[at] = e->heap[least];
        e->watch->steps++;
        at = least;
    }
    if (e->n_heap) e->heap[at] = p;
}

/* A list node for a symbol, from those given back or from new memory; NO_ID: out of memory. */
static uint32_t link_new(struct encode *e, uint32_t symbol)
{
    uint32_t at = e->free_link;
    if (at != NO_ID) {
        e->free_link = e->link[at].next;
    } else {
        if (e->n_link == e->links) {
            const uint64_t room = e->links + e->links / 2 + 256;
            struct run_link *p = mem_resize(e->link, room, sizeof *p);
            if (!p || room >= NO_ID) {
                if (p) e->link = p;
                fail_memory(e->err, room * sizeof *e->link, "encoding a text");
                return NO_ID;
            }
            e->link = p;
            e->links = room;
        }
        at = e->n_link++;
    }
    e->link[at] = (struct run_link){ .symbol = symbol, .next = NO_ID };
    return at;
}

/* Lets the pair at symbol i wait, at the end of the open run of its rank or in a new one. */
static int pending_push(struct encode *e, uint32_t i)
{
    const uint32_t rank = e->symbol[i].rank;
    if (rank == NO_ID) return 0;
    struct open_run *run = &e->run[rank % RUNS_OPEN];
    const bool fits = run->used && run->rank == rank && e->link[run->last].symbol < i;
    const uint32_t at = link_new(e, i);
    if (at == NO_ID) return HEARTH_E_MEMORY;
    if (fits) {
        e->link[run->last].next = at;
        run->last = at;
        return 0;
    }
    *run = (struct open_run){ .used = true, .rank = rank, .last = at };
    if (e->n_heap == e->heaps) {
        const uint64_t room = e->heaps + e->heaps / 2 + 256;
        struct pending *p = mem_resize(e->heap, room, sizeof *p);
        if (!p) return fail_memory(e->err, room * sizeof *p, "encoding a text");
        e->heap = p;
        e->heaps = room;
    }
    heap_up(e, e->n_heap++, (struct pending){ rank, i, at });
    return 0;
}

static struct pending pending_pop(struct encode *e)
{
    const struct pending top = e->heap[0];
    const uint32_t next = e->link[top.link].next;
    struct open_run *run = &e->run[top.rank % RUNS_OPEN];
    if (next != NO_ID) {
        heap_down(e, (struct pending){ top.rank, e->link[next].symbol, next });
    } else {
        if (run->used && run->last == top.link) run->used = false;
        const struct pending last = e->heap[--e->n_heap];
        heap_down(e, last);
    }
    e->link[top.link].next = e->free_link;
    e->free_link = top.link;
    return top;
}

static int merge_by_heap(struct encode *e, struct str text, uint32_t end, pair_rank *rank)
{
    int status = 0;
    e->n_heap = 0;
    e->n_link = 0;
    e->free_link = NO_ID;
    memset(e->run, 0, sizeof e->run);
    for (uint32_t i = 0; i < end && !status; i++) {
        status = encode_steps(e, 1);
        if (!status) status = pending_push(e, i);
    }
    while (e->n_heap && !status) {
        const struct pending best = pending_pop(e);
        status = encode_steps(e, 1);
        if (e->symbol[best.symbol].rank != best.rank) continue;
        merge_at(e, text, best.symbol, end, rank);
        const uint32_t prev = e->symbol[best.symbol].prev;
        if (!status && prev != NO_ID) status = pending_push(e, prev);
        if (!status) status = pending_push(e, best.symbol);
    }
    return status;
}

static int merge_all(struct encode *e, struct str text, uint32_t n, pair_rank *rank)
{
    int status = 0;
    for (uint32_t i = 0; i < n && !status; i++) {
        rank(e, text, i, n);
        status = encode_steps(e, 1);
    }
    if (status) return status;
    if (n > SCAN_MAX) return merge_by_heap(e, text, n, rank);
    if (n > 0) merge_by_scan(e, text, n, rank);
    return 0;
}

/* ---- merge rules */

enum { WHOLE_MAX = 256 }; /* bytes of a character and its affixes, at most 100 bytes each */

/* The character text[from..at] with the prefix and suffix that its place in the word asks for. */
static struct str char_whole(const struct tokenizer *t, struct str text, size_t from, size_t at, char whole[WHOLE_MAX])
{
    size_t n = 0;
    if (t->prefix.n == 0 && t->suffix.n == 0) return str_sub(text, from, at);
    if (from > 0) memcpy(whole, t->prefix.p, n = t->prefix.n);
    memcpy(whole + n, text.p + from, at - from);
    n += at - from;
    if (at == text.n) {
        memcpy(whole + n, t->suffix.p, t->suffix.n);
        n += t->suffix.n;
    }
    return (struct str){ whole, n };
}

static uint32_t char_token(const struct tokenizer *t, struct str whole, int32_t code)
{
    const bool plain = t->prefix.n == 0 && t->suffix.n == 0;
    if (plain && code >= 0 && code < (int32_t)(sizeof t->char_id / sizeof *t->char_id)) return t->char_id[code];
    return vocab_find(&t->vocab, whole);
}

static bool bytes_known(const struct tokenizer *t, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (t->byte_id[(uint8_t)s.p[i]] == NO_ID) return false;
    return t->byte_fallback;
}

/* Cuts a word into characters as the tokenizers library does: an unknown one waits for the next known one, and bytes may
 * overtake it. *n: their number. */
static int symbols_by_rule(struct encode *e, struct str text, uint32_t *n)
{
    const struct tokenizer *t = e->t;
    char whole[WHOLE_MAX];
    bool unknown = false; /* waits */
    size_t unknown_at = 0;
    *n = 0;
    for (size_t at = 0; at < text.n;) {
        const size_t from = at;
        const int32_t code = utf8_next(text, &at);
        const int status = encode_steps(e, 1);
        if (status) return status;
        const struct str s = char_whole(t, text, from, at, whole);
        const uint32_t id = char_token(t, s, code);
        if (id == NO_ID && bytes_known(t, s)) {
            for (size_t i = 0; i < s.n; i++) symbol_put(e, n, t->byte_id[(uint8_t)s.p[i]], from);
            continue;
        }
        if (id == NO_ID && t->unknown_lost)
            return fail(e->err, HEARTH_E_UNSUPPORTED,
                        "\"%.*s\" is not in the vocabulary, nor is the unknown token: the tokenizer cannot encode this text",
                        STR_ARG(s));
        if (id == NO_ID && (t->unknown < 0 || (unknown && t->fuse_unk))) continue;
        if (unknown) symbol_put(e, n, (uint32_t)t->unknown, unknown_at);
        unknown = id == NO_ID;
        unknown_at = from;
        if (id != NO_ID) symbol_put(e, n, id, from);
    }
    if (unknown) symbol_put(e, n, (uint32_t)t->unknown, unknown_at);
    return 0;
}

static int word_by_rule(struct encode *e, struct str text)
{
    const uint32_t whole = e->t->ignore_merges ? vocab_find(&e->t->vocab, text) : NO_ID;
    if (whole != NO_ID) return encode_put(e, whole);
    uint32_t n = 0;
    int status = symbols_reserve(e, text.n * (1 + e->t->prefix.n) + e->t->suffix.n); /* the affixes may become bytes too */
    if (!status) status = symbols_by_rule(e, text, &n);
    if (!status) status = merge_all(e, text, n, rank_by_rule);
    for (uint32_t i = 0; i < n && !status; i = e->symbol[i].next) status = encode_put(e, e->symbol[i].id);
    return status;
}

/* Where the word of text at `from` ends: spaces, then what is none. */
static size_t word_end(struct str text, size_t from, struct str space)
{
    while (str_starts(str_sub(text, from, text.n), space)) from += space.n;
    for (;; from++) {
        const char *next = from < text.n ? memchr(text.p + from, space.p[0], text.n - from) : NULL;
        if (!next) return text.n;
        from = (size_t)(next - text.p);
        if (str_starts(str_sub(text, from, text.n), space)) return from;
    }
}

/* Where no rule joins a space to what stands before it, the words of a text that no pre-tokenizer has cut can be taken one by
 * one, with the same result. */
static int text_by_rule(struct encode *e, struct str text)
{
    int status = 0;
    if (!e->t->cut_at_space) return word_by_rule(e, text);
    for (size_t from = 0, end; from < text.n && !status; from = end) {
        end = word_end(text, from, STR(SPM_SPACE));
        const struct str word = str_sub(text, from, end);
        struct cached_word *cached = cache_slot(e, word);
        const size_t put = e->out->n;
        status = encode_steps(e, word.n);
        if (!status) status = cache_use(e, cached, word);
        if (status > 0) {
            status = 0;
            continue;
        }
        if (!status) status = word_by_rule(e, word);
        if (!status) cache_set(e, cached, word, put);
    }
    return status;
}

bool merges_cut_at_space(const struct tokenizer *t)
{
    const struct str space = STR(SPM_SPACE);
    if (t->ignore_merges || t->prefix.n || t->suffix.n || vocab_find(&t->vocab, space) == NO_ID) return false;
    for (uint32_t i = 0; i < t->merges.n; i++) {
        const struct merge *rule = &t->merges.merge[i];
        if (!str_starts(vocab_text(&t->vocab, rule->right), space)) continue;
        if (!str_ends(vocab_text(&t->vocab, rule->left), space)) return false;
    }
    return true;
}

/* ---- ranks: words are bytes */

static int word_by_id(struct encode *e, struct str text)
{
    const uint32_t whole = vocab_find(&e->t->vocab, text);
    uint32_t n = 0;
    if (whole != NO_ID) return encode_put(e, whole);
    int status = symbols_reserve(e, text.n);
    for (size_t at = 0; at < text.n && !status; at++) {
        symbol_put(e, &n, vocab_find(&e->t->vocab, str_sub(text, at, at + 1)), at);
        status = encode_steps(e, 1);
    }
    if (!status) status = merge_all(e, text, n, rank_by_id);
    for (uint32_t i = 0; i < n && !status; i = e->symbol[i].next)
        if (e->symbol[i].id != NO_ID) status = encode_put(e, e->symbol[i].id);
    return status;
}

/* ---- scores */

static int symbols_by_score(struct encode *e, struct str text, uint32_t *n)
{
    const struct tokenizer *t = e->t;
    int status = 0;
    for (size_t at = 0; at < text.n && !status;) {
        const size_t from = at;
        size_t bytes = 0;
        uint32_t id = match_longest(&t->user, str_sub(text, from, text.n), &bytes);
        if (id != NO_ID) {
            at = from + bytes;
        } else {
            const int32_t code = utf8_next(text, &at);
            const bool common = code >= 0 && code < (int32_t)(sizeof t->char_id / sizeof *t->char_id);
            id = common ? t->char_id[code] : vocab_find(&t->vocab, str_sub(text, from, at));
            if (id != NO_ID && !piece_joins(t, id)) id = NO_ID;
        }
        symbol_put(e, n, id, from);
        status = encode_steps(e, 1);
    }
    return status;
}

/* Unused pieces were joined on the way to longer ones; those that are left are taken apart, down to pieces in use; one that
 * was not joined counts as unknown. */
static int piece_put(struct encode *e, uint32_t id, struct str text)
{
    while (id != NO_ID && e->t->vocab.type[id] == TOKEN_UNUSED && e->split && e->split[id]) {
        const struct str left = str_sub(text, 0, e->split[id]);
        const int status = piece_put(e, vocab_find(&e->t->vocab, left), left);
        if (status) return status;
        text = str_sub(text, e->split[id], text.n);
        id = vocab_find(&e->t->vocab, text);
    }
    const bool known = id != NO_ID && e->t->vocab.type[id] != TOKEN_UNUSED;
    return known ? encode_put(e, id) : encode_unknown(e, text);
}

static int splits_reset(struct encode *e)
{
    if (!e->t->has_unused) return 0;
    const uint32_t n = e->t->vocab.n;
    if (!e->split) e->split = mem_array(n, sizeof *e->split);
    if (!e->split) return fail_memory(e->err, (uint64_t)n * sizeof *e->split, "encoding a text");
    memset(e->split, 0, n * sizeof *e->split);
    return 0;
}

static int word_by_score(struct encode *e, struct str text)
{
    struct cached_word *cached = cache_slot(e, text);
    uint32_t n = 0;
    int status = encode_steps(e, text.n);
    if (!status) status = cache_use(e, cached, text);
    if (status) return status < 0 ? status : 0;
    const size_t from = e->out->n;
    status = symbols_reserve(e, text.n);
    if (!status) status = splits_reset(e);
    if (!status) status = symbols_by_score(e, text, &n);
    if (!status) status = merge_all(e, text, n, rank_by_score);
    bool unknown = false;
    for (uint32_t i = 0; i < n && !status; i = e->symbol[i].next) {
        const struct symbol *s = &e->symbol[i];
        const size_t end = s->next == n ? text.n : e->symbol[s->next].at;
        status = piece_put(e, s->id, str_sub(text, s->at, end));
        unknown |= s->id == NO_ID;
    }
    if (!status && !unknown) cache_set(e, cached, text, from);
    return status;
}

/* Where no piece holds a space behind another character, no merge crosses from a word to the next space: the words can be
 * taken one by one, with the same result. */
static int text_by_score(struct encode *e, struct str text)
{
    const struct str space = e->t->space;
    if (!e->t->cut_at_space) return word_by_score(e, text);
    for (size_t from = 0, end; from < text.n; from = end) {
        end = word_end(text, from, space);
        const int status = word_by_score(e, str_sub(text, from, end));
        if (status) return status;
    }
    return 0;
}

const struct model_kind model_byte_bpe = { "byte-level BPE", word_by_rule, true };
const struct model_kind model_bpe = { "BPE", text_by_rule, true };
const struct model_kind model_spm_bpe = { "SentencePiece BPE", text_by_score, false };
const struct model_kind model_rank_bpe = { "BPE by rank", word_by_id, true };
