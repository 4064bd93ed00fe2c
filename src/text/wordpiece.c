/* WordPiece: the longest token that begins a word, then the longest that continues it, and so on to its end; a word that does
 * not come out whole is unknown. WordLevel: a word is a token or unknown. */
#include "text/tokenizer_int.h"

static int word_unknown(struct encode *e, struct str text)
{
    if (e->t->unknown < 0)
        return fail(e->err, HEARTH_E_UNSUPPORTED,
                    "\"%.*s\" is not in the vocabulary, nor is the unknown token: the tokenizer cannot encode this text",
                    (int)(text.n < 40 ? text.n : 40), text.p);
    return encode_put(e, (uint32_t)e->t->unknown);
}

/* The longest token that text begins with, given the state of the matcher behind the prefix. */
static uint32_t longest_from(const struct matcher *m, struct match s, struct str text, size_t *n)
{
    uint32_t best = NO_ID;
    for (size_t i = 0; i < text.n && match_feed(m, &s, (uint8_t)text.p[i]); i++) {
        const uint32_t id = match_id(m, &s);
        if (id == NO_ID) continue;
        best = id;
        *n = i + 1;
    }
    return best;
}

/* Whether text has more characters than a word may have. */
static bool word_too_long(const struct tokenizer *t, struct str text)
{
    if (text.n <= t->word_chars_max) return false;
    uint64_t chars = 0;
    for (size_t i = 0; i < text.n; i++) chars += ((uint8_t)text.p[i] & 0xc0) != 0x80;
    return chars > t->word_chars_max;
}

static int word_by_piece(struct encode *e, struct str text)
{
    const struct tokenizer *t = e->t;
    const size_t from = e->out->n;
    if (word_too_long(t, text)) return word_unknown(e, text);
    struct match inside = { 0 };
    bool continues = true; /* some token begins with the prefix */
    for (size_t i = 0; i < t->prefix.n && continues; i++) continues = match_feed(&t->pieces, &inside, (uint8_t)t->prefix.p[i]);
    for (size_t at = 0, n = 0; at < text.n; at += n) {
        uint32_t id = NO_ID;
        if (at == 0 || continues) id = longest_from(&t->pieces, at ? inside : (struct match){ 0 }, str_sub(text, at, text.n), &n);
        if (id == NO_ID) {
            e->out->n = from;
            return word_unknown(e, text);
        }
        int status = encode_put(e, id);
        if (!status) status = encode_steps(e, n);
        if (status) return status;
    }
    return 0;
}

static int word_by_name(struct encode *e, struct str text)
{
    const uint32_t id = vocab_find(&e->t->vocab, text);
    return id == NO_ID ? word_unknown(e, text) : encode_put(e, id);
}

const struct model_kind model_wordpiece = { "WordPiece", word_by_piece, true };
const struct model_kind model_wordlevel = { "words", word_by_name, true };
