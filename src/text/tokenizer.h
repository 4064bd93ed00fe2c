/* Tokenizers: text to ids and back. Whatever the file (tokenizer.json, vocab.json + merges.txt, SentencePiece .model, GGUF
 * keys, llama2.c .bin), it is translated into one pipeline: added tokens, normalizer, pre-tokenizer, model, post-processor,
 * decoder. */
#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H

#include "base/status.h"
#include "base/str.h"

struct container;
struct tokenizer;

struct ids { /* growing array of token ids */
    int32_t *id;
    size_t   n, room;
};
void ids_free(struct ids *v);

/* Finds the tokenizer of an opened model: inside the file (GGUF) or beside it (folder: tokenizer.json, tokenizer.model,
 * spiece.model, sentencepiece.bpe.model, source.spm, vocab.json + merges.txt, vocab.txt; llama2.c: tokenizer.bin, tokN.bin
 * beside the file). c has to outlive the tokenizer: the texts of a GGUF's tokens stay where they are. */
int tokenizer_open_model(struct tokenizer **out, const struct container *c, struct hearth_error *err);
/* Opens a tokenizer file (or a folder, or a GGUF) itself. */
int  tokenizer_open_file(struct tokenizer **out, const char *path, struct hearth_error *err);
void tokenizer_close(struct tokenizer *t);

struct tokenizer_info {
    const char *source; /* file name or "gguf" */
    const char *kind;   /* "byte-level BPE", "SentencePiece BPE", "unigram" ... */
    int32_t     n_vocab;
    int32_t     bos, eos, unk, pad; /* -1: none */
    bool        add_bos, add_eos;   /* what encoding with special tokens does */
};
void tokenizer_info(const struct tokenizer *t, struct tokenizer_info *out);

/* Appends the ids of text. special: also what the reference adds by default (BOS, EOS, template). Special tokens written out
 * in the text ("</s>") are recognised as the reference does. Malformed UTF-8: each bad byte counts as U+FFFD.
 * HEARTH_E_MEMORY, HEARTH_E_ARG. */
int tokenizer_encode(const struct tokenizer *t, struct str text, bool special, struct ids *out, struct hearth_error *err);

/* The same for long texts. cancel (may be NULL) is polled: when it is not 0, HEARTH_E_CANCELLED. steps counts inner steps, so
 * that tests can see how the work grows with the text. */
struct text_watch {
    const volatile int *cancel;
    uint64_t            steps;
};
enum { WATCH_STEPS = 1 << 14 }; /* between two looks at cancel; some steps take 100 ns */

/* Counts n steps of work on a text, and ends it when it is to be cancelled. */
static inline int watch_steps(struct text_watch *w, uint64_t n, struct hearth_error *err)
{
    const uint64_t before = w->steps;
    w->steps += n;
    if ((before ^ w->steps) < WATCH_STEPS || !w->cancel || !*w->cancel) return 0;
    return fail(err, HEARTH_E_CANCELLED, "work on a text was cancelled");
}

int tokenizer_encode_watched(const struct tokenizer *t, struct str text, bool special, struct text_watch *watch, struct ids *out,
                             struct hearth_error *err);

/* As tokenizer_encode, with the token type ("segment") of each id, for one text or, with second, for a pair.
 * HEARTH_E_UNSUPPORTED: the tokenizer does not know pairs. */
int tokenizer_encode_types(const struct tokenizer *t, struct str first, const struct str *second, bool special, struct ids *out,
                           struct ids *types, struct hearth_error *err);

/* The same cut to at most `most` ids: the end of the longer text goes first, what stands round the texts stays. *n_cut: how many
 * ids went. HEARTH_E_ARG: not even the special tokens fit. */
int tokenizer_encode_most(const struct tokenizer *t, struct str first, const struct str *second, size_t most, struct ids *out,
                          struct ids *types, size_t *n_cut, struct hearth_error *err);

/* Appends the bytes of a whole text (SentencePiece drops one leading space). skip_special: control tokens give nothing. Bytes
 * may be malformed, and the last ones part of a character: struct detok (detok.h) makes valid UTF-8, also id by id. */
int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, struct buf *out,
                     struct hearth_error *err);
int tokenizer_decode_watched(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, struct text_watch *watch,
                             struct buf *out, struct hearth_error *err);

/* The same as valid UTF-8: what is malformed becomes U+FFFD, as struct detok writes it. */
int tokenizer_decode_text(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, struct text_watch *watch,
                          struct buf *out, struct hearth_error *err);

/* The token with exactly this content ("<|endoftext|>"), or -1. */
int32_t tokenizer_find(const struct tokenizer *t, struct str content);
/* The raw content of a token as its file has it (for people and for inspect); empty when id is out of range. */
struct str tokenizer_content(const struct tokenizer *t, int32_t id);

#endif
