/* Words seen before in this text: their ids are copied from where they were put. Most words of a text are such. */
#include "text/tokenizer_int.h"

struct cached_word *cache_slot(struct encode *e, struct str word)
{
    if (!e->cache || word.n == 0 || word.n > sizeof e->cache->text) return NULL;
    return &e->cache[str_hash(word) & e->cache_mask];
}

int cache_use(struct encode *e, const struct cached_word *c, struct str word)
{
    if (!c || c->bytes != word.n || memcmp(c->text, word.p, word.n) != 0) return 0;
    for (uint32_t i = 0; i < c->n; i++) {
        const int status = encode_put(e, (uint32_t)e->out->id[c->at + i]);
        if (status) return status;
    }
    e->last_unknown = false;
    return 1;
}

void cache_set(struct encode *e, struct cached_word *c, struct str word, size_t from)
{
    const size_t n = e->out->n - from;
    if (!c || from > UINT32_MAX || n > UINT16_MAX) return;
    *c = (struct cached_word){ .at = (uint32_t)from, .n = (uint16_t)n, .bytes = (uint16_t)word.n };
    memcpy(c->text, word.p, word.n);
}

int word_run(struct encode *e, struct str text, struct buf *alphabet)
{
    const bool apart = e->t->model->apart && !e->t->fuse_across;
    struct cached_word *cached = apart ? cache_slot(e, text) : NULL;
    int status = encode_steps(e, text.n);
    if (!status) status = cache_use(e, cached, text);
    if (status) return status < 0 ? status : 0;
    const size_t from = e->out->n;
    struct str word = text;
    if (alphabet) {
        buf_clear(alphabet);
        byte_alphabet_put(alphabet, text);
        if (alphabet->failed) return fail_memory(e->err, alphabet->n, "a text");
        word = buf_str(alphabet);
    }
    status = e->t->model->word(e, word);
    if (!status) cache_set(e, cached, text, from);
    return status;
}
