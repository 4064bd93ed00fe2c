/* Unigram segmentation: the path of pieces with the highest sum of scores, found in one pass over the text (Viterbi), as
 * SentencePiece and the tokenizers library do it, ties and rounding included. */
#include "text/tokenizer_int.h"

#define UNKNOWN_PENALTY 10.0
#define UNREACHED       UINT32_MAX

static int paths_reserve(struct encode *e, uint64_t n)
{
    if (n > e->paths) {
        const uint64_t room = n + n / 4 + 64;
        struct path *p = mem_resize(e->path, room, sizeof *p);
        if (!p) return fail_memory(e->err, room * sizeof *p, "encoding a text");
        e->path = p;
        e->paths = room;
    }
    for (uint64_t i = 0; i < n; i++) e->path[i] = (struct path){ .begin = UNREACHED };
    return 0;
}

/* A way to end at `end`; the first of equal ones stays, where equal means after rounding. */
static void path_offer(struct encode *e, size_t begin, size_t end, uint32_t id, double score)
{
    struct path *p = &e->path[end];
    double sum = score + e->path[begin].score;
    if (e->t->float_sums) sum = (float)sum;
    if (p->begin != UNREACHED && sum <= p->score) return;
    *p = (struct path){ .id = id, .begin = (uint32_t)begin, .score = sum };
}

/* User-defined pieces always win, the longer the better. */
static double piece_score(const struct tokenizer *t, uint32_t id, struct str text)
{
    const struct vocab *v = &t->vocab;
    if (v->type[id] != TOKEN_USER) return v->score[id];
    return (float)(0.1 * ((double)text.n - 1.0));
}

/* All pieces that begin at `at`; where none is a single character, that character is unknown. */
static int paths_from(struct encode *e, struct str text, size_t at)
{
    const struct tokenizer *t = e->t;
    size_t one = at;
    utf8_next(text, &one);
    bool single = false;
    struct match m = { 0 };
    for (size_t i = at; i < text.n && t->pieces.n && match_feed(&t->pieces, &m, (uint8_t)text.p[i]); i++) {
        const uint32_t id = match_id(&t->pieces, &m);
        if (id == NO_ID) continue;
        path_offer(e, at, i + 1, id, piece_score(t, id, str_sub(text, at, i + 1)));
        single |= i + 1 == one;
    }
    if (!single) path_offer(e, at, one, NO_ID, t->score_min - UNKNOWN_PENALTY);
    return encode_steps(e, m.depth + 1);
}

static int word_by_unigram(struct encode *e, struct str text)
{
    int status = paths_reserve(e, (uint64_t)text.n + 1);
    if (text.n == 0) return status;
    for (size_t at = 0; at < text.n && !status; utf8_next(text, &at)) status = paths_from(e, text, at);
    if (status) return status;
    /* Walk back, turning the links round: path[i] then says which piece begins at i and where it ends. */
    uint32_t end = (uint32_t)text.n;
    for (struct path last = e->path[end]; end > 0;) {
        const struct path before = e->path[last.begin];
        e->path[last.begin] = (struct path){ .id = last.id, .begin = end };
        end = last.begin;
        last = before;
    }
    if (!e->t->fuse_across) e->last_unknown = false;
    for (uint32_t at = 0; at < text.n && !status; at = e->path[at].begin) {
        const struct path *p = &e->path[at];
        if (p->id == NO_ID) status = encode_unknown(e, str_sub(text, at, p->begin));
        else status = encode_put(e, p->id);
        if (!status) status = encode_steps(e, 1);
    }
    return status;
}

const struct model_kind model_unigram = { "unigram", word_by_unigram, true };
