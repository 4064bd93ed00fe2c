/* hearth_cpu: which kernels this machine gets. */
#include <inttypes.h>

#include "base/cpu.h"
#include "engine/report.h"
#include "kernels/kernels.h"

static void features_text(struct report *r, uint64_t bits)
{
    for (int i = 0; i < CPU_FEATURE_COUNT; i++) {
        if (bits & CPU_BIT(i)) report_printf(r, " %s", cpu_feature_name((enum cpu_feature)i));
    }
    report_printf(r, bits ? "\n" : " none\n");
}

static void cpu_text(struct report *r, uint64_t found, uint64_t mask, const struct kernels *k)
{
    uint64_t known = 0;
    for (int i = 0; i < CPU_FEATURE_COUNT; i++) known |= CPU_BIT(i);
    report_printf(r, "cores     %d\nfeatures ", cpu_physical_cores());
    features_text(r, found);
    report_printf(r, "allowed  ");
    if ((mask & known) == known)
        report_printf(r, " all\n");
    else
        features_text(r, mask & known);
    report_printf(r, "sets     ");
    for (int i = 0; i < kernel_set_count; i++) {
        if ((kernel_sets[i].needs & found & mask) == kernel_sets[i].needs) report_printf(r, " %s", kernel_sets[i].name);
    }
    report_printf(r, "\n\n%-6s %-10s %-10s %-10s %s\n", "type", "f32", "bf16", "i8", "input-major");
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (!k->product_f32[t]) continue;
        report_printf(r, "%-6s %-10s %-10s %-10s %s\n", type_table[t].name, k->set_f32[t], k->set_bf16[t],
                      k->set_i8[t] ? k->set_i8[t] : "-", k->set_in_major[t] ? k->set_in_major[t] : "-");
    }
}

static void features_json(struct report *r, const char *name, uint64_t bits)
{
    const char *comma = "";
    report_printf(r, "  \"%s\": [", name);
    for (int i = 0; i < CPU_FEATURE_COUNT; i++) {
        if (!(bits & CPU_BIT(i))) continue;
        report_printf(r, "%s\"%s\"", comma, cpu_feature_name((enum cpu_feature)i));
        comma = ", ";
    }
    report_printf(r, "],\n");
}

static void name_json(struct report *r, const char *key, const char *name)
{
    report_printf(r, name ? "\"%s\": \"%s\"" : "\"%s\": null", key, name);
}

static void cpu_json(struct report *r, uint64_t found, uint64_t mask, const struct kernels *k)
{
    const char *comma = "";
    report_printf(r, "{\n  \"cores\": %d,\n", cpu_physical_cores());
    features_json(r, "features", found);
    features_json(r, "allowed", found & mask);
    report_printf(r, "  \"kernels\": {");
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (!k->product_f32[t]) continue;
        report_printf(r, "%s\n    \"%s\": { ", comma, type_table[t].name);
        name_json(r, "f32", k->set_f32[t]);
        report_printf(r, ", ");
        name_json(r, "bf16", k->set_bf16[t]);
        report_printf(r, ", ");
        name_json(r, "i8", k->set_i8[t]);
        report_printf(r, ", ");
        name_json(r, "in_major", k->set_in_major[t]);
        report_printf(r, " }");
        comma = ",";
    }
    report_printf(r, "\n  }\n}\n");
}

int hearth_cpu(const char *cpu_mask, int json, hearth_write *write, void *user, hearth_error *err)
{
    uint64_t mask;
    int status = cpu_mask_read(&mask, cpu_mask, err);
    if (status) return status;
    struct kernels k;
    struct report r;
    kernels_fill(&k, cpu_features() & mask);
    report_init(&r, write, user);
    (json ? cpu_json : cpu_text)(&r, cpu_features(), mask, &k);
    return report_finish(&r, err);
}
