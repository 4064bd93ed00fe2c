/* Post-processors of tokenizer.json: every one comes down to a list of tokens and texts, for one text and for two. */
#include "text/tokenizer_int.h"

enum { IDS_MAX = 1 << 24 }; /* no model has more */

struct parts {
    struct post_part part[POST_PARTS_MAX];
    uint32_t         n;
};

struct post {
    struct parts single, pair;
    bool         overrules; /* it says types, even where it adds nothing */
};

static int part_put(struct parts *p, int64_t id, int64_t type, struct hearth_error *err)
{
    if (p->n == POST_PARTS_MAX)
        return fail(err, HEARTH_E_UNSUPPORTED, "a post-processor adds more than %d tokens", POST_PARTS_MAX);
    if (id < PART_B || id >= IDS_MAX || type < 0 || type > INT32_MAX)
        return fail(err, HEARTH_E_FORMAT, "a post-processor with an id out of range");
    p->part[p->n++] = (struct post_part){ (int32_t)id, (int32_t)type };
    return 0;
}

/* ---- cls A sep, cls A sep B sep */

static int put_cls_sep(struct post *p, int64_t cls, int64_t sep, bool roberta, struct hearth_error *err)
{
    const int64_t ids[] = { cls, PART_A, sep, roberta ? sep : PART_B, roberta ? PART_B : sep, sep };
    const unsigned n = roberta ? 6 : 5;
    int status = 0;
    for (unsigned i = 0; i < 3 && !status; i++) status = part_put(&p->single, ids[i], 0, err);
    for (unsigned i = 0; i < n && !status; i++) status = part_put(&p->pair, ids[i], i > 2 && !roberta, err);
    p->overrules = true;
    return status;
}

/* ["</s>", 2] */
static int post_pair_read(const struct member *m, int64_t *id)
{
    struct json j = m->value;
    if (!j.src.p || json_next(&j) != JSON_ARRAY || json_next(&j) != JSON_STRING || json_next(&j) != JSON_NUMBER || !j.is_int ||
        j.integer < 0)
        return j.src.p ? json_fail(&j, "a pair [token, id] was expected") : HEARTH_E_FORMAT;
    *id = j.integer;
    return 0;
}

enum { P_TYPE, P_SINGLE, P_PAIR, P_TOKENS, P_CLS, P_SEP, P_LIST, P_ALL };

static int read_cls_sep(struct member *m, struct post *p, bool roberta, struct hearth_error *err)
{
    int64_t cls = 0, sep = 0;
    if (!m[P_CLS].value.src.p || !m[P_SEP].value.src.p) return fail(err, HEARTH_E_FORMAT, "a post-processor without cls or sep");
    int status = post_pair_read(&m[P_CLS], &cls);
    if (!status) status = post_pair_read(&m[P_SEP], &sep);
    return status ? status : put_cls_sep(p, cls, sep, roberta, err);
}

static int post_bert(struct tokenizer *t, struct member *m, struct post *p, struct hearth_error *err)
{
    (void)t;
    return read_cls_sep(m, p, false, err);
}

static int post_roberta(struct tokenizer *t, struct member *m, struct post *p, struct hearth_error *err)
{
    (void)t;
    return read_cls_sep(m, p, true, err);
}

/* ---- ByteLevel: it only moves offsets */

static int post_byte_level(struct tokenizer *t, struct member *m, struct post *p, struct hearth_error *err)
{
    (void)t, (void)m, (void)p, (void)err;
    return 0;
}

/* ---- TemplateProcessing */

/* The ids that special_tokens gives for a name: {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}} */
static int template_special(const struct tokenizer *t, const struct member *tokens, struct str name, int64_t type,
                            struct parts *p)
{
    struct json j = tokens->value;
    struct buf scratch;
    buf_init(&scratch, 1 << 16);
    bool found = false;
    int status = json_next(&j) == JSON_OBJECT ? 0 : HEARTH_E_FORMAT;
    while (!status && !found && json_next(&j) == JSON_KEY) {
        found = str_eq(json_view(&j, &scratch), name);
        if (!found) status = json_skip(&j, JSON_KEY);
    }
    buf_free(&scratch);
    struct member ids = { .key = "ids" };
    if (status || !found || json_next(&j) != JSON_OBJECT || json_members(t, &j, &ids, 1) || !ids.value.src.p ||
        json_next(&ids.value) != JSON_ARRAY)
        return json_fail(&j, "a template with a special token that is not explained");
    for (enum json_kind kind; !status && (kind = json_next(&ids.value)) != JSON_ARRAY_END;)
        status = kind == JSON_NUMBER && ids.value.is_int && ids.value.integer >= 0
                     ? part_put(p, ids.value.integer, type, ids.value.err)
                     : json_fail(&ids.value, "an id was expected");
    return status;
}

/* One part of a template: {"Sequence": {"id": "A", "type_id": 0}} or {"SpecialToken": {"id": "<s>", "type_id": 0}} */
static int template_part(struct tokenizer *t, struct json *j, const struct member *tokens, struct parts *p)
{
    struct member part[] = { { .key = "Sequence" }, { .key = "SpecialToken" } };
    struct member in[] = { { .key = "id" }, { .key = "type_id" } };
    struct str name;
    if (json_members(t, j, part, 2)) return HEARTH_E_FORMAT;
    const bool text = part[0].value.src.p != NULL;
    struct json value = part[text ? 0 : 1].value, type = { 0 };
    if (!value.src.p || json_next(&value) != JSON_OBJECT || json_members(t, &value, in, 2))
        return json_fail(j, "a part of a template was expected");
    const int status = json_member_string(t, &in[0], &name);
    if (status) return status;
    if (in[1].value.src.p) type = in[1].value;
    if (type.src.p && (json_next(&type) != JSON_NUMBER || !type.is_int)) return json_fail(&type, "a type_id was expected");
    if (!text && !tokens->value.src.p) return json_fail(j, "a template with special tokens that are not explained");
    if (!text) return template_special(t, tokens, name, type.integer, p);
    if (!str_is(name, "A") && !str_is(name, "B")) return fail(j->err, HEARTH_E_UNSUPPORTED, "a template for a third text");
    return part_put(p, str_is(name, "A") ? PART_A : PART_B, type.integer, j->err);
}

static int template_read(struct tokenizer *t, const struct member *m, const struct member *tokens, struct parts *p,
                         struct hearth_error *err)
{
    struct json j = m->value;
    int status = 0;
    if (!j.src.p || json_next(&j) != JSON_ARRAY)
        return fail(err, HEARTH_E_UNSUPPORTED, "a TemplateProcessing without a list of parts");
    for (enum json_kind kind; !status && (kind = json_next(&j)) != JSON_ARRAY_END;)
        status = kind == JSON_OBJECT ? template_part(t, &j, tokens, p) : json_fail(&j, "a part of a template was expected");
    return status;
}

static int post_template(struct tokenizer *t, struct member *m, struct post *p, struct hearth_error *err)
{
    int status = template_read(t, &m[P_SINGLE], &m[P_TOKENS], &p->single, err);
    if (!status && m[P_PAIR].value.src.p) status = template_read(t, &m[P_PAIR], &m[P_TOKENS], &p->pair, err);
    p->overrules = true;
    return status;
}

/* ---- Sequence, and the table */

static int post_sequence(struct tokenizer *t, struct member *m, struct post *p, struct hearth_error *err)
{
    (void)p;
    struct json j = m[P_LIST].value;
    int status = 0;
    if (!j.src.p || json_next(&j) != JSON_ARRAY) return fail(err, HEARTH_E_FORMAT, "a Sequence without processors");
    for (enum json_kind kind; !status && (kind = json_next(&j)) != JSON_ARRAY_END;) status = post_read(t, &j, kind);
    return status;
}

static const struct post_kind {
    const char *name;
    int (*read)(struct tokenizer *t, struct member *m, struct post *p, struct hearth_error *err);
} post_kinds[] = {
    { "ByteLevel", post_byte_level },
    { "TemplateProcessing", post_template },
    { "BertProcessing", post_bert },
    { "RobertaProcessing", post_roberta },
    { "Sequence", post_sequence },
};

/* One text once, in a template for one text. */
static int single_keep(struct tokenizer *t, const struct parts *p, struct hearth_error *err)
{
    int status = 0;
    bool seen = false;
    for (uint32_t i = 0; i < p->n && !status; i++) {
        const int32_t id = p->part[i].id;
        if (id == PART_B || (id == PART_A && seen))
            return fail(err, HEARTH_E_UNSUPPORTED, "a template for one text that uses another");
        seen |= id == PART_A;
        if (id >= 0) status = tokenizer_add_template(t, seen, id, err);
    }
    if (!status && !seen) status = fail(err, HEARTH_E_UNSUPPORTED, "a template without the text");
    return status;
}

static int post_keep(struct tokenizer *t, const struct post *p, struct hearth_error *err)
{
    if (!p->overrules) return 0;
    if (t->single)
        return fail(err, HEARTH_E_UNSUPPORTED, "two post-processors that both add tokens are not known to hearth");
    const int status = single_keep(t, &p->single, err);
    if (status) return status;
    t->single = arena_array(&t->arena, POST_PARTS_MAX, sizeof *t->single);
    t->pair = arena_array(&t->arena, POST_PARTS_MAX, sizeof *t->pair);
    if (!t->single || !t->pair) return fail_memory(err, 2 * POST_PARTS_MAX * sizeof *t->pair, "a post-processor");
    memcpy(t->single, p->single.part, p->single.n * sizeof *t->single);
    memcpy(t->pair, p->pair.part, p->pair.n * sizeof *t->pair);
    t->n_single = p->single.n;
    t->n_pair = p->pair.n;
    return 0;
}

int post_read(struct tokenizer *t, struct json *j, enum json_kind kind)
{
    struct member m[P_ALL] = {
        [P_TYPE] = { .key = "type" },           [P_SINGLE] = { .key = "single" }, [P_PAIR] = { .key = "pair" },
        [P_TOKENS] = { .key = "special_tokens" }, [P_CLS] = { .key = "cls" },     [P_SEP] = { .key = "sep" },
        [P_LIST] = { .key = "processors" },
    };
    struct post p = { 0 };
    struct str type;
    if (kind == JSON_NULL) return 0;
    if (kind != JSON_OBJECT) return json_fail(j, "a post-processor was expected");
    int status = json_members(t, j, m, P_ALL);
    if (!status) status = json_member_string(t, &m[P_TYPE], &type);
    if (status) return status;
    for (size_t i = 0; i < sizeof post_kinds / sizeof *post_kinds; i++) {
        if (!str_is(type, post_kinds[i].name)) continue;
        status = post_kinds[i].read(t, m, &p, j->err);
        return status ? status : post_keep(t, &p, j->err);
    }
    return fail(j->err, HEARTH_E_UNSUPPORTED, "the post-processor \"%.*s\" is not known to hearth", STR_ARG(type));
}

int post_start_end(struct tokenizer *t, const int32_t *start, size_t n, int32_t end, struct hearth_error *err)
{
    struct post p = { .overrules = true };
    int status = 0;
    for (size_t i = 0; i < n && !status; i++) status = part_put(&p.single, start[i], 0, err);
    if (!status) status = part_put(&p.single, PART_A, 0, err);
    p.pair = p.single;
    if (!status) status = part_put(&p.pair, PART_B, 1, err);
    if (!status) status = part_put(&p.single, end, 0, err);
    if (!status) status = part_put(&p.pair, end, 1, err);
    return status ? status : post_keep(t, &p, err);
}

int post_cls_sep(struct tokenizer *t, int32_t cls, int32_t sep, bool roberta, struct hearth_error *err)
{
    struct post p = { 0 };
    const int status = put_cls_sep(&p, cls, sep, roberta, err);
    return status ? status : post_keep(t, &p, err);
}
