/* hearth_families: the table of families, as people and scripts read it. */
#include "engine/report.h"
#include "model/family.h"

static void names_text(struct report *r, const char *title, const char *const *names)
{
    if (!names || !names[0]) return;
    report_printf(r, "  %s:", title);
    for (; *names; names++) report_printf(r, " %s", *names);
    report_printf(r, "\n");
}

static void family_text(struct report *r, const struct family *f)
{
    report_printf(r, "%s\n  %s\n", f->name, f->models);
    names_text(r, "model_type", f->hf_types);
    names_text(r, "GGUF", f->gguf_archs);
}

static void names_json(struct report *r, const char *key, const char *const *names)
{
    report_printf(r, ", \"%s\": [", key);
    for (int i = 0; names && names[i]; i++) {
        if (i) report_printf(r, ", ");
        report_string(r, str_from(names[i]));
    }
    report_printf(r, "]");
}

static void family_json(struct report *r, const struct family *f)
{
    static const char *const tasks[] = {
        [HEARTH_TASK_LM] = "decoder", [HEARTH_TASK_ENCODER_DECODER] = "encoder-decoder", [HEARTH_TASK_ENCODER] = "encoder" };
    report_printf(r, "  {\"name\": \"%s\", \"task\": \"%s\", \"models\": ", f->name, tasks[f->initial.task]);
    report_string(r, str_from(f->models));
    names_json(r, "model_types", f->hf_types);
    names_json(r, "gguf", f->gguf_archs);
    report_printf(r, ", \"architectures\": [");
    int n = 0;
    for (const char *const *h = f->heads; h && *h; h++) report_printf(r, "%s\"%s\"", n++ ? ", " : "", *h);
    for (const struct family_head *h = f->encoder_heads; h && h->name; h++) report_printf(r, "%s\"%s\"", n++ ? ", " : "", h->name);
    report_printf(r, "]}");
}

int hearth_families(int json, hearth_write *write, void *user, hearth_error *err)
{
    struct report r;
    const struct family *f;
    report_init(&r, write, user);
    if (json) report_printf(&r, "[\n");
    for (int i = 0; (f = family_row(i)); i++) {
        if (json && i) report_printf(&r, ",\n");
        (json ? family_json : family_text)(&r, f);
    }
    if (json) report_printf(&r, "\n]\n");
    return report_finish(&r, err);
}
