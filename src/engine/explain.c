/* hearth_explain: the resolved layer table and the exact ops that a step runs, from the tape the runner uses. */
#include <stdio.h>

#include "engine/report.h"
#include "engine/session.h"
#include "model/blocks/blocks.h"
#include "model/rope.h"

static const char *const cache_names[] = { [CACHE_FULL] = "full", [CACHE_WINDOW] = "window", [CACHE_CROSS] = "cross", [CACHE_STATE] = "state" };
static const char *const position_names[] = {
    [POSITION_NONE] = "none", [POSITION_LEARNED] = "learned", [POSITION_WAVES] = "sines and cosines",
    [POSITION_ALIBI] = "linear bias", [POSITION_ROTARY] = "rotary", [POSITION_BUCKETS] = "distance buckets" };

static void layer_line(struct report *r, const struct model *m, const struct layer *l, const char *part, int json)
{
    const char *cache = l->group >= 0 ? cache_names[m->group[l->group].kind] : "none";
    if (json)
        report_printf(r, "%s{\"part\": \"%s\", \"layer\": %d, \"mixer\": \"%s\", \"ffn\": \"%s\", \"cache\": \"%s\", \"cross\": %s, \"attn_scale\": %g}",
                      l->index || part[0] == 'd' ? ",\n  " : "\n  ", part, l->index, mixer_table[l->mixer].name, ffn_table[l->ffn].name, cache,
                      l->cross_layer >= 0 ? "true" : "false", (double)l->attn_scale);
    else
        report_printf(r, "  %s %3d  %-10s %-16s cache %-7s%s scale %g\n", part, l->index, mixer_table[l->mixer].name, ffn_table[l->ffn].name, cache,
                      l->cross_layer >= 0 ? " +cross" : "", (double)l->attn_scale);
}

static void model_lines(struct report *r, const struct model *m)
{
    const struct arch *a = &m->arch;
    report_printf(r, "%s: family %s (%s)\n", m->file->path, m->family->name, m->file->format);
    report_printf(r, "width %d, vocabulary %d, context %d, %lld parameters in %lld bytes\n", a->width, a->n_vocab, a->context, (long long)m->parameters,
                  (long long)m->bytes);
    report_printf(r, "norm %s (eps %g), activation %s, feed-forward width %d\n", a->norm == NORM_RMS ? "rms" : "layer", (double)a->norm_eps,
                  activation_name(a->act), a->ff_width);
    if (a->mixer == MIXER_ATTENTION)
        report_printf(r, "%d heads of %d, %d key/value heads, window %d\n", a->n_head, a->key_width, a->n_kv, a->window);
    report_printf(r, "positions: %s", position_names[a->position]);
    if (a->position == POSITION_ROTARY)
        report_printf(r, ", %s scaling, theta %g, factor %g, part %d of each head, pairs %s", rope_kind_name(a->rope.kind), a->rope.theta,
                      a->rope.factor, a->rope.part, a->rope.interleaved ? "(2i, 2i+1)" : "(i, i+half)");
    report_printf(r, "\n");
    if (a->n_expert) report_printf(r, "%d experts, %d a token\n", a->n_expert, a->n_expert_used);
}

static void tensor_text(char *text, size_t size, const struct tensor *x)
{
    char shape[80], number[16] = "";
    if (x->index >= 0) snprintf(number, sizeof number, ".%d", x->index);
    snprintf(text, size, "%s%s %s", x->name, number, tensor_describe(x, shape, sizeof shape));
}

static void record_line(struct report *r, const struct op_record *o, int i, int json)
{
    char out[160] = "", in[160];
    const char *slash = strrchr(o->file, '/');
    int64_t bytes = 0;
    if (o->out[0]) tensor_text(out, sizeof out, o->out[0]);
    if (json)
        report_printf(r, "%s{\"op\": \"%s\", \"layer\": %d, \"out\": \"%s\", \"in\": [", i ? ",\n  " : "\n  ", op_table[o->op].name, o->layer, out);
    else
        report_printf(r, "%4d  %-11s layer %3d  %-34s <-", i, op_table[o->op].name, o->layer, out);
    for (int k = 0, n = 0; k < TAPE_INPUTS; k++) {
        if (!o->in[k]) continue;
        tensor_text(in, sizeof in, o->in[k]);
        report_printf(r, json ? "%s\"%s\"" : "%s %s", n++ ? (json ? ", " : ",") : "", in);
        bytes += tensor_bytes(o->in[k]);
    }
    if (o->out[0]) bytes += tensor_bytes(o->out[0]);
    report_printf(r, json ? "], \"bytes\": %lld, \"source\": \"%s:%d\"}" : "  %lld bytes  %s:%d\n", (long long)bytes, slash ? slash + 1 : o->file, o->line);
}

static void tape_lines(struct report *r, const struct tape *t, const char *title, int json)
{
    report_printf(r, json ? ",\n\"%s\": [" : "\n%s\n", title);
    for (int i = 0; i < t->n_record && !r->stopped; i++) record_line(r, &t->record[i], i, json);
    if (json) report_printf(r, "]");
    else report_printf(r, "  %d ops, %lld bytes of activations\n", t->n_record, (long long)t->planned_bytes);
}

/* The encode step, recorded for n tokens. */
static int record_encoder(struct hearth_session *s, int64_t n, hearth_error *err)
{
    struct tensor *out = session_record_source(s, n);
    return tape_plan(s->tape, &out, 1, err);
}

int hearth_explain(hearth_model *model, int n_tokens, int json, hearth_write *write, void *user, hearth_error *err)
{
    const struct model *m = model->m;
    hearth_session *s;
    struct report r;
    if (n_tokens < 1) return fail(err, HEARTH_E_ARG, "a step of %d tokens makes no sense", n_tokens);
    int status = session_new(&s, model, &(hearth_session_options){ .size = sizeof(hearth_session_options), .context = n_tokens, .chunk = n_tokens }, false, err);
    if (status) return status;
    report_init(&r, write, user);
    if (json) {
        report_printf(&r, "{\"family\": \"%s\", \"parameters\": %lld, \"bytes\": %lld, \"layers\": [", m->family->name, (long long)m->parameters, (long long)m->bytes);
    } else {
        model_lines(&r, m);
        report_printf(&r, "\nlayers\n");
    }
    for (int i = 0; i < m->arch.n_encoder_layer; i++) layer_line(&r, m, &m->encoder_layer[i], "encoder", json);
    for (int i = 0; i < m->arch.n_layer; i++) layer_line(&r, m, &m->layer[i], m->arch.n_encoder_layer ? "decoder" : "layer", json);
    if (json) report_printf(&r, "]");
    if (m->arch.n_layer) tape_lines(&r, s->tape, "step", json);
    if (m->arch.n_encoder_layer) {
        status = record_encoder(s, n_tokens, err);
        if (!status) tape_lines(&r, s->tape, "encode", json);
    }
    if (json) report_printf(&r, "}\n");
    const int sent = report_finish(&r, status ? NULL : err);
    hearth_session_free(s);
    return status ? status : sent;
}
