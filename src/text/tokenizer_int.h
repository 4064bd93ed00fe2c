/* The pipeline in memory, shared by the files of this folder. Readers (one per file format) fill a struct tokenizer; encoding
 * runs added tokens -> normalizer -> pre-tokenizer -> model -> post-processor, decoding runs the decoder. Every kind of step
 * is a row in the table of its file. After tokenizer_finish nothing here changes, so threads may share it. */
#ifndef TEXT_TOKENIZER_INT_H
#define TEXT_TOKENIZER_INT_H

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "formats/container.h"
#include "text/detok.h"

enum {
    TEXT_BYTES_MAX   = 1 << 30, /* of one text to encode, and of all token texts of one file */
    ADDED_BYTES_MAX  = 1024,    /* longest added token */
    ADDED_MAX        = 65536,   /* added tokens */
    STEPS_MAX        = 16,      /* normalizer, pre-tokenizer or decoder steps */
    TEMPLATE_IDS_MAX = 64,      /* ids a post-processor may put on one side */
    SPECIAL_MAX      = 1024,    /* names in additional_special_tokens */
};

#define NO_ID UINT32_MAX
#define SPM_SPACE "\xe2\x96\x81" /* U+2581, what SentencePiece writes for a space */

/* ---- vocab.c: strings with numbers */

/* SentencePiece's numbers. TOKEN_NONE: never made from a text. */
enum token_type { TOKEN_NONE, TOKEN_NORMAL, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER, TOKEN_UNUSED, TOKEN_BYTE };

struct vocab {
    const char *text;     /* token i is the length[i] bytes at text + offset[i]; in a mapped file, or own.p */
    uint32_t   *offset;   /* [n]; NO_ID: a hole */
    uint16_t   *length;   /* [n] */
    uint8_t    *type;     /* [n] enum token_type */
    double     *score;    /* [n], or NULL */
    uint32_t    n, room, longest;
    struct buf  own;      /* texts that had to be decoded */
    uint32_t   *slot;     /* hash table text -> id + 1, open addressing */
    uint32_t    slots;
    bool        last_counts; /* of equal texts, and leaves holes; else the first */
};

/* Adds token `id`: text is copied when `copy`, else it stays where it is (all such texts within 4 GiB of v->text, which the
 * first one sets). scored: v->score is wanted. */
struct token {
    uint32_t        id;
    struct str      text;
    enum token_type type;
    double          score;
    bool            copy, scored;
};
int        vocab_add(struct vocab *v, const struct token *token, struct hearth_error *err);
int        vocab_index(struct vocab *v, struct hearth_error *err); /* after the last vocab_add */
struct str vocab_text(const struct vocab *v, uint32_t id);         /* empty for a hole */
uint32_t   vocab_find(const struct vocab *v, struct str text);     /* NO_ID: none */
void       vocab_free(struct vocab *v);

/* A sorted view of (some of) a vocabulary, walked byte by byte. */
struct matcher {
    const struct vocab *v;
    uint32_t           *order; /* [n] ids by text, then id */
    uint32_t            n;
    uint32_t            first[257]; /* texts beginning with byte b: order[first[b]] .. order[first[b + 1]] */
};

struct tokenizer;
struct match { /* the texts that begin with the bytes fed so far */
    uint32_t lo, hi, depth;
};

typedef bool matcher_filter(const struct vocab *v, uint32_t id); /* NULL: all tokens */
int      matcher_build(struct matcher *m, const struct vocab *v, matcher_filter *filter, struct hearth_error *err);
void     matcher_free(struct matcher *m);
bool     match_feed(const struct matcher *m, struct match *s, uint8_t byte); /* false: nothing begins so */
uint32_t match_id(const struct matcher *m, const struct match *s);           /* the text that is just these bytes, or NO_ID */
uint32_t match_longest(const struct matcher *m, struct str text, size_t *n); /* longest prefix of text, or NO_ID */

/* Merge rules of byte pair encoding; the rank of a rule is its index. */
struct merge {
    uint32_t left, right, id;
};
struct merges {
    struct merge *merge;
    uint32_t      n, room;
    uint32_t     *slot; /* hash table (left, right) -> rank + 1 */
    uint32_t      slots;
};
bool merge_split(struct str rule, struct str *left, struct str *right); /* "a b"; false: it has no two parts */
/* left and right are token texts; what they make is left + right without the first `skip` bytes of right. */
int      merges_add(struct merges *m, const struct vocab *v, struct str left, struct str right, size_t skip,
                    struct hearth_error *err);
int      merges_index(struct merges *m, struct hearth_error *err);
uint32_t merges_find(const struct merges *m, uint32_t left, uint32_t right); /* rank, or NO_ID */
void     merges_free(struct merges *m);
bool     merges_cut_at_space(const struct tokenizer *t); /* bpe.c: no rule joins a space (U+2581) to what is before it */

/* ---- regex.c: PCRE2 read as Oniguruma */

struct regex;
struct regex_match; /* scratch of one thread */
int  regex_new(struct regex **out, struct str pattern, bool literal, struct hearth_error *err);
void regex_free(struct regex *r);
int  regex_match_new(struct regex_match **out, size_t text_bytes, struct hearth_error *err);
void regex_match_free(struct regex_match *m);
/* The next match at or after `at` in valid UTF-8: 1 and *begin, *end; 0: none. */
int  regex_next(const struct regex *r, struct regex_match *m, struct str text, size_t at, size_t *begin, size_t *end,
                struct hearth_error *err);

/* ---- unicode.c */

bool unicode_is_space(int32_t c);       /* White_Space */
bool unicode_is_numeric(int32_t c);     /* Nd, Nl, No */
bool unicode_is_punctuation(int32_t c); /* P*, and ASCII punctuation */
bool unicode_is_word(int32_t c);        /* Alphabetic, M*, Nd, Pc, joiners */
unsigned unicode_script(int32_t c);     /* scripts.c: a number, 0: none */
/* unicode_old.c: as the tokenizers library knows them */
bool unicode_is_control(int32_t c);     /* Cc, Cf, Co */
bool unicode_is_nonspacing(int32_t c);  /* Mn */
bool unicode_is_mark(int32_t c);        /* M* */
bool unicode_decomposes(int32_t c);     /* false: a character whose decomposition came too late */
unsigned unicode_combining_class(int32_t c);
/* Appends s with every malformed part as U+FFFD. each_byte: one per byte (as SentencePiece decodes), else one per maximal
 * part (as Python's errors="replace"). */
void unicode_replace(struct buf *out, struct str s, bool each_byte);
int  unicode_normalize(struct buf *out, struct str s, bool compatible, bool compose, struct text_watch *watch,
                       struct hearth_error *err);
/* The byte alphabet of GPT-2: the character (below 0x180) that stands for a byte, and back (-1: none). */
int32_t byte_char(uint8_t byte);
void    byte_alphabet_put(struct buf *out, struct str s); /* appends s in it */
int32_t char_byte(int32_t c);

/* ---- charsmap.c: SentencePiece's precompiled normalisation */

struct charsmap {
    const uint8_t *trie; /* [units] little-endian 32-bit units of a Darts-clone double array */
    uint32_t       units;
    struct str     text; /* replacements, each ends in NUL */
};
int charsmap_open(struct charsmap *m, struct str blob, struct hearth_error *err);
/* The longest (or the shortest) rule that begins text: its replacement in *to and its length, or 0. */
size_t charsmap_find(const struct charsmap *m, struct str text, bool shortest, struct str *to);

/* ---- steps */

struct tokenizer;
struct encode;

struct split_behavior; /* presplit.c */
enum prepend { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER };

/* One step with its parameters; what a field means stands beside the function of the kind that reads it. */
struct step {
    const struct normalize_kind *normalize;
    const struct pre_kind       *pre;
    const struct decode_kind    *decode;
    struct regex                *regex;
    const struct split_behavior *behavior;
    struct charsmap              charsmap;
    struct str                   from, to;
    enum prepend                 prepend;
    bool                         invert, flag, left, right;
    int64_t                      count, stop;
};

struct hf_config;
struct steps {
    struct step *step; /* [STEPS_MAX] */
    unsigned     n;
};

/* Options of a step as tokenizer.json has them; absent ones hold the library's defaults. */
struct step_args {
    struct str type, content, replacement, prepend_scheme, behavior, prepend, charsmap, pattern, delimiter;
    struct str prefix, suffix, pad_token;
    bool       pattern_is_regex, invert, add_prefix_space, use_regex, individual_digits, split, left, right;
    bool       cleanup, clean_text, chinese_chars, lowercase;
    int        strip_accents; /* -1: as lowercase */
    int64_t    start, stop, length;
};
void step_args_defaults(struct step_args *a);

typedef int step_add(struct tokenizer *t, const struct step_args *a, struct hearth_error *err);
step_add normalize_add, pre_add, decode_add; /* append a step by type name; HEARTH_E_UNSUPPORTED for unknown ones */

/* normalize.c: appends the normalised text to out. */
struct normalize_kind {
    const char *name;
    int (*make)(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err);
    int (*run)(const struct step *s, struct encode *e, struct str in, struct buf *out);
};
int normalize_run(struct encode *e, struct str in, struct str *out); /* *out lives until the next call */

/* presplit.c: cuts a piece of text and hands each part to the next step, the last of them to the model. */
struct piece {
    struct str text;
    bool       first; /* it begins where the text began */
};
struct pre_kind {
    const char *name;
    int (*make)(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err);
    int (*run)(const struct step *s, struct encode *e, unsigned index, struct piece in);
};
int pre_run(struct encode *e, unsigned index, struct piece in); /* steps index.. and the model */

/* decode.c: rewrites out->p[from ..], the text of one token. */
struct decode_kind {
    const char *name;
    int (*make)(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err);
    void (*run)(const struct step *s, struct buf *out, size_t from, bool first);
};
/* Appends the bytes of one id. */
void decode_token(const struct tokenizer *t, int32_t id, bool skip_special, struct decode_state *state, struct buf *out);

/* ---- models */

struct model_kind {
    const char *name;  /* for people */
    int (*word)(struct encode *e, struct str text); /* appends the ids of one piece */
    bool        apart; /* they depend on nothing but the piece (if not fuse_across) */
};
extern const struct model_kind model_byte_bpe, model_bpe, model_spm_bpe, model_rank_bpe; /* bpe.c */
extern const struct model_kind model_unigram;                                          /* unigram.c */
extern const struct model_kind model_words, model_greedy;                              /* lookup.c */
extern const struct model_kind model_wordpiece, model_wordlevel;                       /* wordpiece.c */

/* ---- the tokenizer */

struct added {
    struct str content;
    uint32_t   id;
    bool       special, normalized, lstrip, rstrip, single_word;
    bool       shown_special; /* as it is shown in decoded texts, it has the name of a special one */
};

/* One part of what a post-processor makes: a token, or the first or second text. */
enum { PART_A = -1, PART_B = -2, POST_PARTS_MAX = 4 * TEMPLATE_IDS_MAX + 2 };
struct post_part {
    int32_t id;   /* of the token; PART_A, PART_B: a text */
    int32_t type; /* token type ("segment") of its ids */
};

struct tokenizer {
    struct arena             arena;
    struct file_map          map;   /* the file, when token texts stay in it */
    struct container        *owned; /* the container, when we opened it ourselves */
    bool                     in_container; /* token texts stay in the container, which has to outlive us */
    const char              *source;
    const struct model_kind *model;

    struct vocab    vocab;
    struct merges   merges;
    struct added   *added;
    uint32_t        n_added, added_room;
    uint32_t       *shown;        /* [vocab.n] which added token, + 1, stands for an id in decoded texts, or 0; NULL: none */
    bool            shows_added;  /* fill it */
    struct vocab    raw_text, normal_text;   /* added tokens matched before and after the normalizer; ids: index in added */
    struct matcher  raw_match, normal_match;
    struct steps    normalize, pre, decode;
    int32_t         before[TEMPLATE_IDS_MAX], after[TEMPLATE_IDS_MAX];
    uint32_t        n_before, n_after;
    struct post_part *single, *pair;         /* [POST_PARTS_MAX] with types, and for two texts; see tokenizer_encode_types */
    uint32_t        n_single, n_pair;
    int32_t         bos, eos, unk, pad;
    int32_t         unknown;       /* what the model gives for unknown characters; -1: nothing */
    bool            unknown_lost;  /* the file names an unknown token that it lacks: unknown characters cannot be encoded */

    bool            byte_fallback, fuse_unk, ignore_merges;
    bool            byte_alphabet; /* words are bytes in GPT-2's alphabet */
    bool            fuse_across;   /* unknown characters join across words (SentencePiece) */
    struct str      prefix, suffix; /* of a character inside a word, and of the last one */
    uint64_t        word_chars_max; /* WordPiece: longer words are unknown */
    uint32_t        byte_id[256];  /* byte tokens; NO_ID */
    uint32_t        char_id[512];  /* one-character tokens, by code point */

    struct str      space;         /* how SentencePiece pieces write a space */
    bool            cut_at_space;  /* no piece holds a space behind another character: words are independent */
    bool            space_behind;  /* the dummy space is put behind the text, not before it */
    bool            prefix_once;   /* the dummy space is put where the text begins, not behind every added token; spaces that
                                    * follow it stay */
    uint32_t        n_named;       /* M2M: pieces with greater ids are unknown to the model; 0: none are */
    bool            has_unused;    /* pieces that may be joined on the way, but have to be taken apart again */
    bool            float_sums;    /* unigram: SentencePiece adds in float, the tokenizers library in double */
    double          score_min, score_max;
    struct matcher  pieces;        /* unigram: what the Viterbi search may use; WordPiece: all tokens */
    struct matcher  user;          /* SentencePiece: user-defined symbols, never cut nor normalised */

    bool            eos_once;      /* EOS is not added to a text that ends in it */
    bool            decode_spaced; /* no decoder: tokens are joined by spaces */
    bool            decode_trims;  /* "first" lasts until some text came out */
    bool            decode_dedup;  /* CTC: a token that repeats the one before gives nothing */
    struct str      decode_owes;   /* a token that ends in this owes a space to the next; empty: none */
    bool            fuse_seen;     /* decode.c, while steps are added */
    uint32_t        decode_growth; /* a decoded token is at most this many times as long */
};

/* Appends an added token (content is copied). */
int tokenizer_add_token(struct tokenizer *t, const struct added *a, struct hearth_error *err);
/* One more id before (or after) every text encoded with special tokens. */
int tokenizer_add_template(struct tokenizer *t, bool after, int32_t id, struct hearth_error *err);
/* Ids of the tables and matchers; the last step of every reader. */
int tokenizer_finish(struct tokenizer *t, struct hearth_error *err);
/* Numbers the added tokens as the tokenizers library does and gives their ids texts (tokenizer_json.c); before finish. */
int tokenizer_join_added(struct tokenizer *t, struct hearth_error *err);
void tokenizer_find_unknown(struct tokenizer *t, struct str name);
struct str tokenizer_keep(struct tokenizer *t, struct str s); /* a copy in the arena; p NULL when out of memory */

/* ---- readers: fill a zeroed tokenizer (arena ready) from a file or container */

int tokenizer_json_read(struct tokenizer *t, const char *path, struct hearth_error *err);
int tokenizer_vocab_read(struct tokenizer *t, const char *vocab, const char *merges, struct hearth_error *err);
/* Other ids for the pieces of a SentencePiece file: first[i] for the first ones, the rest moves by shift. */
struct spm_numbers {
    const uint8_t *first;
    uint32_t       n_first, shift;
    bool           unknown_first; /* a file whose first piece is not <unk> has these ids already */
};
/* numbers, vocab (a vocab.json that numbers the pieces): may be NULL. */
int tokenizer_spm_read(struct tokenizer *t, const char *path, const struct spm_numbers *numbers, const char *vocab,
                       struct hearth_error *err);
/* A SentencePiece file with what its family adds (spm_family.c); folder: NULL when the file stands alone. */
int spm_family_read(struct tokenizer *t, const char *path, const char *folder, struct hearth_error *err);
/* A folder without a tokenizer file whose class needs none (ByT5). 1: it is no such folder. */
int bytes_family_read(struct tokenizer *t, const char *folder, struct hearth_error *err);
int vocab_json_read(struct vocab *v, const char *path, struct hearth_error *err); /* {text: id} */
/* The same at a reader of the mapped file m, without vocab_index. */
int vocab_map_read(struct vocab *v, const struct file_map *m, struct json *j);
int tokenizer_llama2c_read(struct tokenizer *t, const char *path, int64_t n_vocab, struct hearth_error *err);
/* vocab.txt; h: its roles and switches */
int tokenizer_words_read(struct tokenizer *t, const char *path, const struct hf_config *h, struct hearth_error *err);
bool tokenizer_llama2c_fits(struct file_map m); /* it has that form, to its last byte */
/* folder: NULL when the file stands alone. */
int tokenizer_tiktoken_read(struct tokenizer *t, const char *path, const char *folder, struct hearth_error *err);
bool tokenizer_tiktoken_fits(struct file_map m); /* it begins so */
int tokenizer_tekken_read(struct tokenizer *t, const char *path, struct hearth_error *err);
bool tokenizer_tekken_fits(struct file_map m);
int tokenizer_rwkv_read(struct tokenizer *t, const char *path, struct hearth_error *err);
bool tokenizer_rwkv_fits(struct file_map m);
bool base64_read(struct str in, struct buf *out);
int hex_digit(char c); /* -1: none */
int tiktoken_split(struct tokenizer *t, struct str pattern, bool nfc, struct hearth_error *err);
int greedy_setup(struct tokenizer *t, struct hearth_error *err); /* tables of model_greedy; the vocabulary is complete */
int tokenizer_gguf_read(struct tokenizer *t, const struct container *c, struct hearth_error *err);

/* What Hugging Face writes beside a tokenizer file; every field may be absent. Strings live in t's arena. */
struct hf_config {
    int        add_bos, add_eos; /* -1: not said */
    int        legacy, legacy_behaviour;
    int        lower_case, strip_accents, chinese_chars, prefix_space;
    int        keep_accents, separate_vocabs, timestamps;
    int64_t    extra_ids, offset; /* -1: not said */
    struct str bos, eos, unk, pad, cls, sep, mask;
    struct str kind, model_type;   /* tokenizer_class without "Fast"; of config.json */
    struct str language, task;     /* Whisper's */
    struct str src_lang, language_codes;
    struct str special[SPECIAL_MAX]; /* additional_special_tokens, extra_special_tokens */
    uint32_t   n_special;
    bool       want_added; /* added tokens go into t */
    bool       roles_special; /* those of added_tokens.json: special if they have a role, else normalised */
};
/* Reads tokenizer_config.json, special_tokens_map.json, added_tokens.json and what config.json says of a folder into *h. */
int hf_config_read(struct tokenizer *t, const char *folder, struct hf_config *h, struct hearth_error *err);
/* The ids of the names in *h. */
void tokenizer_roles(struct tokenizer *t, const struct hf_config *h);
/* In a folder the reference recognises the tokens with a role, and control tokens, where they are written in a text. */
int tokenizer_recognise(struct tokenizer *t, struct hearth_error *err);

/* tokenizer_json.c: parts of JSON files. Members of an object, each as a reader that stands before the value (src.p NULL:
 * absent). */
struct member {
    const char *key;
    struct json value;
};
/* Finds the members of the object whose brace was just read, and goes behind it. */
int json_members(const struct tokenizer *t, struct json *j, struct member *members, size_t n);
int json_member_string(struct tokenizer *t, const struct member *m, struct str *out); /* empty: absent or null */
struct str json_view(const struct json *j, struct buf *scratch); /* the KEY or STRING just returned; scratch if it had escapes */
/* A copy of the STRING just returned, in t's arena. */
int json_keep(struct tokenizer *t, const struct json *j, struct str *out);
/* One entry of added_tokens / added_tokens_decoder; the opening brace was read. id < 0: taken from the entry. */
int json_read_added(struct tokenizer *t, struct json *j, int64_t id);
/* tokenizer_post.c: reads a post-processor of tokenizer.json; kind: what was just read. */
int post_read(struct tokenizer *t, struct json *j, enum json_kind kind);
/* Around two texts stands what stands around one. */
int post_start_end(struct tokenizer *t, const int32_t *start, size_t n, int32_t end, struct hearth_error *err);
/* What BERT and RoBERTa put round one text and two: cls A sep [sep] B sep. */
int post_cls_sep(struct tokenizer *t, int32_t cls, int32_t sep, bool roberta, struct hearth_error *err);

/* ---- SentencePiece's rules, common to .model, GGUF and llama2.c */

struct spm_options {
    struct str charsmap; /* empty: none */
    bool       dummy_prefix, remove_extra, escape;
};
/* Normalizer, decoder and tables; the vocabulary is complete. */
int spm_setup(struct tokenizer *t, const struct spm_options *o, struct hearth_error *err);

/* The pre-tokenizer that a GGUF names (gguf_pre.c); sets normalizer, pre-tokenizer and decoder. */
int gguf_pre_setup(struct tokenizer *t, struct str name, struct str architecture, bool *add_bos, bool *add_eos,
                   struct hearth_error *err);
int byte_level_setup(struct tokenizer *t, struct hearth_error *err); /* GPT-2's own */
int clip_setup(struct tokenizer *t, struct hearth_error *err);       /* CLIP's, tokenizer_vocab.c */
int whisper_setup(struct tokenizer *t, const struct hf_config *h, struct hearth_error *err); /* whisper.c */

/* ---- one call of tokenizer_encode */

struct symbol { /* bpe.c: a node of the linked list that merging shortens */
    uint32_t id, at;          /* at: first byte in the word */
    uint32_t prev, next;
    uint32_t rank, merged;    /* of the pair with the next symbol: NO_ID, or the smaller the sooner; what it becomes */
};

struct pending { /* bpe.c: the head of a run of pairs that wait for being merged */
    uint32_t rank, symbol, link;
};
struct run_link {
    uint32_t symbol, next;
};
struct open_run { /* a run that may grow at its end */
    uint32_t rank, last;
    bool     used;
};
enum { RUNS_OPEN = 1024 };

struct path { /* unigram.c: best way to end at a byte */
    uint32_t id, begin;
    double   score;
};

struct cached_word {
    uint32_t at; /* its ids begin here in out */
    uint16_t n, bytes; /* bytes 0: empty */
    char     text[24];
};

struct encode {
    const struct tokenizer *t;
    struct text_watch      *watch;
    struct ids             *out;
    struct hearth_error    *err;
    struct regex_match     *match;
    struct buf              clean, normal[2];
    struct buf              made[STEPS_MAX]; /* texts made by pre-tokenizer steps */
    struct symbol          *symbol;
    uint64_t                symbols;
    struct pending         *heap;
    uint64_t                n_heap, heaps;
    struct run_link        *link;
    uint64_t                links;
    uint32_t                n_link, free_link;
    struct open_run         run[RUNS_OPEN];
    struct path            *path;
    uint64_t                paths;
    struct cached_word     *cache;
    uint32_t                cache_mask;
    bool                    last_unknown; /* the id just put stands for unknown characters */
    bool                    first;        /* the part being normalised begins where the text began */
    uint16_t               *split;        /* bpe.c: [vocab] how many bytes of an unused piece came from its left part */
    bool                    lead_lost;    /* the normalizer took characters away where the text began */
};

static inline int encode_steps(struct encode *e, uint64_t n)
{
    return watch_steps(e->watch, n, e->err);
}

int encode_put(struct encode *e, uint32_t id);
/* An unknown character: its bytes, the unknown token, or nothing. */
int encode_unknown(struct encode *e, struct str text);

/* word_cache.c: words seen before in this text; their ids are copied from where they were put */
struct cached_word *cache_slot(struct encode *e, struct str word); /* NULL: not kept */
int  cache_use(struct encode *e, const struct cached_word *c, struct str word); /* 1: found and put */
void cache_set(struct encode *e, struct cached_word *c, struct str word, size_t from); /* its ids are those from `from` on */
/* The ids of a piece that the pre-tokenizer has cut. alphabet: the model knows it in GPT-2's alphabet, written there; or NULL. */
int  word_run(struct encode *e, struct str text, struct buf *alphabet);

#endif
