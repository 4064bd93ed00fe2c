/* Models that look texts up as they are: whole words (SentencePiece's WORD), and the longest token that fits (RWKV, bytes). */
#include "text/tokenizer_int.h"

/* A word of SentencePiece begins with a space, or where the text begins. */
static int text_by_words(struct encode *e, struct str text)
{
    const struct vocab *v = &e->t->vocab;
    const struct str space = STR(SPM_SPACE); /* also where pieces write a plain space */
    int status = 0;
    for (size_t from = 0, end; from < text.n && !status; from = end) {
        for (end = from + 1; end < text.n && !str_starts(str_sub(text, end, text.n), space);) end++;
        const struct str word = str_sub(text, from, end);
        const uint32_t id = vocab_find(v, word);
        const bool known = id != NO_ID && (v->type[id] == TOKEN_NORMAL || v->type[id] == TOKEN_USER);
        status = known ? encode_put(e, id) : encode_unknown(e, word);
        if (!status) status = encode_steps(e, word.n);
    }
    return status;
}

static int text_by_longest(struct encode *e, struct str text)
{
    int status = 0;
    for (size_t at = 0, n; at < text.n && !status; at += n) {
        const uint32_t id = match_longest(&e->t->pieces, str_sub(text, at, text.n), &n);
        if (id != NO_ID) {
            status = encode_put(e, id);
        } else {
            n = 1;
            status = encode_unknown(e, str_sub(text, at, at + 1));
        }
        if (!status) status = encode_steps(e, n);
    }
    return status;
}

const struct model_kind model_words = { "SentencePiece words", text_by_words, false };
const struct model_kind model_greedy = { "longest match", text_by_longest, false };
