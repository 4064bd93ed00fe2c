/* SentencePiece: its .model files (protocol buffers, sentencepiece_model.proto), and the rules that .model, GGUF and llama2.c
 * files share. */
#include <float.h>

#include "text/tokenizer_int.h"

/* ---- protocol buffers: fields of a message, read in place */

struct proto {
    const uint8_t *p;
    size_t         n, at;
};

struct field {
    uint64_t   number, value; /* value: of a varint, or the bits of a fixed one */
    unsigned   wire;
    struct str bytes;
};

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static bool varint_read(struct proto *r, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && r->at < r->n; shift += 7) {
        const uint8_t byte = r->p[r->at++];
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return true;
    }
    return false;
}

static bool fixed_read(struct proto *r, size_t bytes, uint64_t *out)
{
    *out = 0;
    if (r->n - r->at < bytes) return false;
    for (size_t i = 0; i < bytes; i++) *out |= (uint64_t)r->p[r->at++] << (8 * i);
    return true;
}

/* 1: a field; 0: the end; -1: the message is broken. */
static int field_next(struct proto *r, struct field *f)
{
    uint64_t tag, n;
    if (r->at == r->n) return 0;
    *f = (struct field){ 0 };
    if (!varint_read(r, &tag)) return -1;
    f->number = tag >> 3;
    f->wire = tag & 7;
    if (f->number == 0) return -1;
    if (f->wire == WIRE_VARINT) return varint_read(r, &f->value) ? 1 : -1;
    if (f->wire == WIRE_FIXED64) return fixed_read(r, 8, &f->value) ? 1 : -1;
    if (f->wire == WIRE_FIXED32) return fixed_read(r, 4, &f->value) ? 1 : -1;
    if (f->wire != WIRE_BYTES || !varint_read(r, &n) || n > r->n - r->at) return -1;
    f->bytes = (struct str){ (const char *)r->p + r->at, n };
    r->at += n;
    return 1;
}

static struct proto proto_of(struct str s)
{
    return (struct proto){ (const uint8_t *)s.p, s.n, 0 };
}

/* ---- the model file */

enum { UNNAMED_GAP = 1024 }; /* ids behind a vocab.json that added tokens may have */

enum { MODEL_UNIGRAM = 1, MODEL_BPE, MODEL_WORD, MODEL_CHAR };

struct model_file {
    uint64_t           type;
    bool               byte_fallback, suffix_space;
    const struct spm_numbers *numbers;
    uint32_t           pieces; /* read so far */
    struct str         unk, bos, eos, pad;
    struct spm_options options;
};

static int broken(struct hearth_error *err)
{
    return fail(err, HEARTH_E_FORMAT, "this is no SentencePiece model, or it is truncated or corrupt");
}

static uint32_t piece_id(const struct spm_numbers *n, uint32_t piece)
{
    return !n ? piece : piece < n->n_first ? n->first[piece] : piece + n->shift;
}

static int piece_read(struct tokenizer *t, struct model_file *m, struct str bytes, struct hearth_error *err)
{
    struct token token = { .type = TOKEN_NORMAL, .scored = true };
    struct proto r = proto_of(bytes);
    struct field f;
    int more;
    while ((more = field_next(&r, &f)) > 0) {
        if (f.number == 1 && f.wire == WIRE_BYTES) token.text = f.bytes;
        if (f.number == 2 && f.wire == WIRE_FIXED32) {
            const uint32_t bits = (uint32_t)f.value;
            float score;
            memcpy(&score, &bits, sizeof score);
            token.score = score;
        }
        if (f.number == 3 && f.wire == WIRE_VARINT)
            token.type = f.value >= TOKEN_NORMAL && f.value <= TOKEN_BYTE ? (enum token_type)f.value : TOKEN_UNUSED;
    }
    if (more < 0 || !token.text.p) return broken(err);
    /* has them */
    if (m->pieces == 0 && token.type != TOKEN_UNKNOWN && m->numbers && m->numbers->unknown_first)
        m->numbers = NULL;
    token.id = piece_id(m->numbers, m->pieces);
    m->pieces++;
    return vocab_add(&t->vocab, &token, err);
}

static int trainer_read(struct model_file *m, struct str bytes, struct hearth_error *err)
{
    struct proto r = proto_of(bytes);
    struct field f;
    int more;
    while ((more = field_next(&r, &f)) > 0) {
        if (f.wire == WIRE_VARINT && f.number == 3) m->type = f.value;
        if (f.wire == WIRE_VARINT && f.number == 24) m->suffix_space = f.value != 0;
        if (f.wire == WIRE_VARINT && f.number == 35) m->byte_fallback = f.value != 0;
        if (f.wire == WIRE_BYTES && f.number == 45) m->unk = f.bytes;
        if (f.wire == WIRE_BYTES && f.number == 46) m->bos = f.bytes;
        if (f.wire == WIRE_BYTES && f.number == 47) m->eos = f.bytes;
        if (f.wire == WIRE_BYTES && f.number == 48) m->pad = f.bytes;
    }
    return more < 0 ? broken(err) : 0;
}

static int normalizer_read(struct model_file *m, struct str bytes, struct hearth_error *err)
{
    struct proto r = proto_of(bytes);
    struct field f;
    int more;
    while ((more = field_next(&r, &f)) > 0) {
        if (f.wire == WIRE_BYTES && f.number == 2) m->options.charsmap = f.bytes;
        if (f.wire == WIRE_VARINT && f.number == 3) m->options.dummy_prefix = f.value != 0;
        if (f.wire == WIRE_VARINT && f.number == 4) m->options.remove_extra = f.value != 0;
        if (f.wire == WIRE_VARINT && f.number == 5) m->options.escape = f.value != 0;
    }
    return more < 0 ? broken(err) : 0;
}

/* Rules for decoded text: no known model has any. */
static int denormalizer_check(struct str bytes, struct hearth_error *err)
{
    struct model_file m = { 0 };
    const int status = normalizer_read(&m, bytes, err);
    if (status || !m.options.charsmap.n) return status;
    return fail(err, HEARTH_E_UNSUPPORTED,
                "SentencePiece models that rewrite decoded text (denormalizer_spec) are not known to hearth");
}

static int32_t control_find(const struct tokenizer *t, struct str name)
{
    const uint32_t id = vocab_find(&t->vocab, name);
    return id != NO_ID && t->vocab.type[id] == TOKEN_CONTROL ? (int32_t)id : -1;
}

static const struct model_kind *const model_kinds[] = {
    [MODEL_UNIGRAM] = &model_unigram, [MODEL_BPE] = &model_spm_bpe, [MODEL_WORD] = &model_words,
    [MODEL_CHAR] = &model_spm_bpe, /* characters: pieces that never join */
};

/* Gives the pieces the ids of a vocab.json. Its other tokens are kept for decoding; pieces that it lacks still take part in
 * cutting a text, with ids out of reach. */
static int vocab_renumber(struct tokenizer *t, const char *path, struct hearth_error *err)
{
    struct vocab names = { 0 }, v = { 0 };
    const struct vocab *pieces = &t->vocab;
    int status = vocab_json_read(&names, path, err);
    for (uint32_t id = 0; id < names.n && !status; id++) {
        struct token token = { .id = id, .text = vocab_text(&names, id), .type = TOKEN_NONE, .copy = true, .scored = true };
        const uint32_t piece = vocab_find(pieces, token.text);
        if (names.offset[id] == NO_ID) continue;
        if (piece != NO_ID) token.type = (enum token_type)pieces->type[piece];
        if (piece != NO_ID) token.score = pieces->score[piece];
        status = vocab_add(&v, &token, err);
    }
    uint32_t beyond = names.n + UNNAMED_GAP;
    for (uint32_t id = 0; id < pieces->n && !status; id++) {
        struct token token = { .text = vocab_text(pieces, id), .copy = true, .scored = true, .score = pieces->score[id] };
        if (pieces->offset[id] == NO_ID || vocab_find(&names, token.text) != NO_ID) continue;
        token.id = beyond++;
        token.type = (enum token_type)pieces->type[id];
        t->n_named = names.n;
        status = vocab_add(&v, &token, err);
    }
    if (!status) status = vocab_index(&v, err);
    vocab_free(&names);
    vocab_free(&t->vocab);
    t->vocab = v;
    return status ? fail_in(err, "%s", path), status : 0;
}

static int model_file_read(struct tokenizer *t, struct model_file *m, struct hearth_error *err)
{
    struct proto r = { t->map.p, t->map.n, 0 };
    struct field f;
    int more, status = 0;
    while (!status && (more = field_next(&r, &f)) != 0) {
        if (more < 0) return broken(err);
        if (f.wire == WIRE_BYTES && f.number == 1) status = piece_read(t, m, f.bytes, err);
        if (f.wire == WIRE_BYTES && f.number == 2) status = trainer_read(m, f.bytes, err);
        if (f.wire == WIRE_BYTES && f.number == 3) status = normalizer_read(m, f.bytes, err);
        if (f.wire == WIRE_BYTES && f.number == 5) status = denormalizer_check(f.bytes, err);
    }
    if (!status && t->vocab.n == 0) return broken(err);
    return status ? status : vocab_index(&t->vocab, err);
}

int tokenizer_spm_read(struct tokenizer *t, const char *path, const struct spm_numbers *numbers, const char *vocab,
                       struct hearth_error *err)
{
    struct model_file m = {
        .numbers = numbers, .type = MODEL_UNIGRAM,
        .unk = STR("<unk>"), .bos = STR("<s>"), .eos = STR("</s>"), .pad = STR("<pad>"),
        .options = { .dummy_prefix = true, .remove_extra = true, .escape = true },
    };
    int status = file_map(&t->map, path, err);
    if (status) return status;
    if (t->map.n > TEXT_BYTES_MAX) return broken(err);
    status = model_file_read(t, &m, err);
    if (!status && vocab) status = vocab_renumber(t, vocab, err);
    if (status) return status;
    t->model = m.type < sizeof model_kinds / sizeof *model_kinds ? model_kinds[m.type] : NULL;
    if (!t->model)
        return fail(err, HEARTH_E_UNSUPPORTED, "SentencePiece models of type %llu are not known to hearth",
                    (unsigned long long)m.type);
    t->space_behind = m.suffix_space;
    t->byte_fallback = m.byte_fallback;
    t->bos = control_find(t, m.bos);
    t->eos = control_find(t, m.eos);
    t->pad = control_find(t, m.pad);
    return spm_setup(t, &m.options, err);
}

/* ---- what the formats share */

/* Whether some piece that is not used could be joined. */
static bool any_unused(const struct tokenizer *t)
{
    for (uint32_t id = 0; id < t->vocab.n; id++)
        if (t->vocab.type[id] == TOKEN_UNUSED && t->vocab.length[id]) return true;
    return false;
}

static bool filter_user(const struct vocab *v, uint32_t id)
{
    return v->type[id] == TOKEN_USER;
}

static bool filter_pieces(const struct vocab *v, uint32_t id)
{
    return v->type[id] == TOKEN_USER || v->type[id] == TOKEN_NORMAL;
}

/* Whether no piece goes on with a space behind another character. */
static bool pieces_end_at_space(const struct tokenizer *t)
{
    for (uint32_t id = 0; id < t->vocab.n; id++) {
        const struct str text = vocab_text(&t->vocab, id);
        size_t at = 0;
        if (!filter_pieces(&t->vocab, id)) continue;
        while (str_starts(str_sub(text, at, text.n), t->space)) at += t->space.n;
        for (; at < text.n; at++)
            if (str_starts(str_sub(text, at, text.n), t->space)) return false;
    }
    return true;
}

static void score_least(struct tokenizer *t)
{
    double least = DBL_MAX;
    for (uint32_t id = 0; id < t->vocab.n; id++) {
        if (t->vocab.type[id] == TOKEN_UNKNOWN && t->unknown < 0) t->unknown = t->unk = (int32_t)id;
        if (t->vocab.type[id] != TOKEN_NORMAL) continue;
        if (t->vocab.score[id] < least) least = t->vocab.score[id];
    }
    t->score_min = least == DBL_MAX ? 0 : least;
}

int spm_setup(struct tokenizer *t, const struct spm_options *o, struct hearth_error *err)
{
    struct step_args a;
    t->space = o->escape ? STR(SPM_SPACE) : STR(" ");
    t->fuse_unk = t->fuse_across = t->float_sums = true;
    t->decode_trims = o->remove_extra;
    score_least(t);
    t->has_unused = any_unused(t);
    t->cut_at_space = !t->has_unused && pieces_end_at_space(t);
    int status = matcher_build(&t->user, &t->vocab, filter_user, err);
    if (!status && t->model == &model_unigram) status = matcher_build(&t->pieces, &t->vocab, filter_pieces, err);
    step_args_defaults(&a);
    a.type = STR("SentencePiece");
    a.charsmap = o->charsmap;
    a.add_prefix_space = o->dummy_prefix;
    a.left = o->remove_extra;
    if (!status) status = normalize_add(t, &a, err);
    a.add_prefix_space = o->dummy_prefix || o->remove_extra;
    if (!status) status = decode_add(t, &a, err);
    a.type = STR("ByteFallback");
    return status || !t->byte_fallback ? status : decode_add(t, &a, err);
}
