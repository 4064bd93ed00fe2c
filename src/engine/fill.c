/* hearth_fill: what masked language models would write in place of missing words. */
#include <math.h>

#include "engine/folder_json.h"
#include "engine/texts.h"

/* tokenizer_config.json and special_tokens_map.json give the mask as a text, or as an object with its content. */
static bool read_mask(const struct model *m, const char *file, struct buf *out)
{
    struct hearth_error err;
    struct file_map f;
    struct json j;
    if (folder_file(&f, m->file->folder, file, &err) != 1) return false;
    const struct str src = { (const char *)f.p, f.n };
    const enum json_kind kind = json_member(&j, src, "mask_token", &err);
    bool found = kind == JSON_STRING;
    if (kind == JSON_OBJECT) {
        enum json_kind key;
        while (!found && (key = json_next(&j)) == JSON_KEY) {
            const bool content = json_is(&j, "content");
            const enum json_kind value = json_next(&j);
            found = content && value == JSON_STRING;
            if (!found && json_skip(&j, value)) break;
        }
    }
    if (found) {
        buf_clear(out);
        json_text(&j, out);
        found = !out->failed;
    }
    file_unmap(&f);
    return found;
}

static int32_t find_mask(const struct model *m, const struct tokenizer *t)
{
    static const char *const files[] = { "tokenizer_config.json", "special_tokens_map.json" };
    static const char *const usual[] = { "[MASK]", "<mask>" };
    const struct kv *kv = container_kv(m->file, "tokenizer.ggml.mask_token_id");
    struct buf text;
    int32_t id = kv && kv->type == KV_INT && kv->i >= 0 && kv->i < m->arch.n_vocab ? (int32_t)kv->i : -1;
    buf_init(&text, 1 << 16);
    for (int i = 0; i < 2 && id < 0; i++)
        if (read_mask(m, files[i], &text)) id = tokenizer_find(t, buf_str(&text));
    for (int i = 0; i < 2 && id < 0; i++) id = tokenizer_find(t, str_from(usual[i]));
    buf_free(&text);
    return id < m->arch.n_vocab ? id : -1;
}

int hearth_mask_token(hearth_model *m, char **text, int32_t *id, hearth_error *err)
{
    const struct tokenizer *t;
    if (!head_is_masked(m->m->arch.head) || m->m->arch.task != HEARTH_TASK_ENCODER)
        return fail(err, HEARTH_E_UNSUPPORTED, "the model has no head that guesses missing words (a ...ForMaskedLM has one)");
    int status = model_tokenizer(m, &t, err);
    if (status) return status;
    *id = find_mask(m->m, t);
    if (*id < 0) return fail(err, HEARTH_E_UNSUPPORTED, "the model's tokenizer does not say how a missing word is written");
    const struct str s = tokenizer_content(t, *id);
    *text = mem_array(s.n + 1, 1);
    if (!*text) return fail_memory(err, s.n + 1, "a token");
    memcpy(*text, s.p, s.n);
    return 0;
}

struct fill {
    hearth_filled *out;
    const struct tokenizer *t;
    int32_t mask;
};

static int32_t pick_masks(void *user, const struct ids *ids, int32_t *rows)
{
    const struct fill *f = user;
    int32_t n = 0;
    for (size_t i = 0; i < ids->n; i++)
        if (ids->id[i] == f->mask) rows[n++] = (int32_t)i;
    return n;
}

/* The best n_top of a row, best first; equal ones in the order of their numbers. */
static void best_guesses(const float *logits, int64_t n, int32_t n_top, hearth_guess *out)
{
    double total = 0.0;
    int32_t held = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t at = held;
        while (at > 0 && logits[i] > out[at - 1].probability) at--; /* holds logits until the end */
        if (at >= n_top) continue;
        if (held < n_top) held++;
        memmove(out + at + 1, out + at, (size_t)(held - 1 - at) * sizeof *out);
        out[at] = (hearth_guess){ .token = (int32_t)i, .probability = logits[i] };
    }
    const double max = (double)out[0].probability;
    for (int64_t i = 0; i < n; i++) total += exp((double)logits[i] - max);
    for (int32_t k = 0; k < held; k++) out[k].probability = (float)(exp((double)out[k].probability - max) / total);
}

static int take_guesses(void *user, size_t text, const float *rows, int64_t n_rows, int64_t columns, struct hearth_error *err)
{
    struct fill *f = user;
    hearth_filled *out = f->out;
    struct tokenizer_info info;
    (void)text;
    tokenizer_info(f->t, &info);
    if (columns < out->n_top) out->n_top = (int32_t)columns;
    out->guess = mem_array((uint64_t)n_rows * (uint64_t)out->n_top, sizeof *out->guess);
    if (!out->guess) return fail_memory(err, (uint64_t)n_rows * (uint64_t)out->n_top * sizeof *out->guess, "guesses");
    out->n_masks = (size_t)n_rows;
    for (int64_t r = 0; r < n_rows; r++) best_guesses(rows + r * columns, columns, out->n_top, out->guess + r * out->n_top);
    for (int64_t k = 0; k < n_rows * out->n_top; k++) {
        hearth_guess *g = &out->guess[k];
        size_t n;
        int status = g->token < info.n_vocab
                         ? hearth_decode((const hearth_tokenizer *)(const void *)f->t, &g->token, 1, &g->text, &n, err)
                         : 0;
        if (!status && !g->text && !(g->text = mem_array(1, 1)))
            status = fail_memory(err, 1, "a guess"); /* rows beyond the tokenizer */
        if (status) return status;
    }
    return 0;
}

int hearth_fill(hearth_model *m, const char *text, size_t n_bytes, int32_t top, const volatile int *cancel, hearth_filled *out,
                hearth_error *err)
{
    const hearth_text one = { .text = text, .n = n_bytes };
    struct fill f = { .out = out };
    struct texts t = { 0 };
    char *written = NULL;
    *out = (hearth_filled){ .size = sizeof *out, .n_top = top ? top : 5 };
    if (top < 0 || top > 10000) return fail(err, HEARTH_E_ARG, "%d guesses: from 1 to 10000 are possible", top);
    int status = hearth_mask_token(m, &written, &f.mask, err);
    if (!status) status = model_tokenizer(m, &f.t, err);
    if (!status) status = texts_open(&t, m, &one, 1, STR(""), session_hard_limit(m->m), err);
    if (!status && t.cut[0])
        status = fail(err, HEARTH_E_CONTEXT, "the text has %zu tokens more than the %d that the model has positions for",
                      t.cut[0], session_hard_limit(m->m));
    if (!status) {
        bool any = false;
        for (size_t i = 0; i < t.ids[0].n; i++) any |= t.ids[0].id[i] == f.mask;
        if (!any) status = fail(err, HEARTH_E_ARG, "the text has no missing word: write %s where one is", written);
    }
    if (!status) {
        out->n_tokens = (int32_t)t.ids[0].n;
        status = texts_run(&t, false, pick_masks, take_guesses, &f, cancel, err);
    }
    texts_free(&t);
    mem_free(written);
    if (status) hearth_filled_free(out);
    return status;
}

void hearth_filled_free(hearth_filled *f)
{
    if (!f) return;
    for (size_t i = 0; f->guess && i < f->n_masks * (size_t)f->n_top; i++) mem_free(f->guess[i].text);
    mem_free(f->guess);
    *f = (hearth_filled){ .size = f->size };
}
