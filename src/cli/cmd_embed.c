/* hearth embed: texts to vectors. */
#include <math.h>

#include "cli/cli.h"

const char cmd_embed_about[] =
    "Turns each TEXT, or each line of standard input, into a vector: texts that mean alike get vectors\n"
    "that point alike. The model's folder says how (sentence-transformers' modules.json, a GGUF's\n"
    "pooling type); the options below say otherwise. One line of numbers a text.\n"
    "\n"
    "  hearth embed all-MiniLM-L6-v2 \"A cat sat on the mat.\" \"A kitten rested on the rug.\" --similarity\n"
    "      how alike the texts are: cosines, from -1 to 1\n"
    "  hearth embed e5-small --prefix \"query: \" \"how to bake bread\" --json\n"
    "      a model that wants a word before each text\n"
    "  hearth embed model --floats < lines.txt > vectors.f32\n"
    "      little-endian 32-bit floats, one vector after another\n";

const struct option cmd_embed_options[] = {
    OPT_CHOICE("pooling", pooling, "auto|mean|cls|max|mean-sqrt|weighted|last", 0,
               "how the states of the tokens become one vector: their mean, the first (cls), the largest values, the sum over the "
               "root of the length, a mean that weighs later tokens more, or the last; auto is as the folder says"),
    OPT_FLAG("normalize", 0, normalize, "make vectors of length 1"),
    OPT_FLAG("no-normalize", 0, no_normalize, "leave the length of vectors as it comes"),
    OPT_STRING("prompt-name", 0, prompt_name, "NAME", "put this prompt of the model's folder before each text, like query"),
    OPT_STRING("prefix", 0, prefix, "TEXT", "put these words before each text"),
    OPT_INT("max-tokens", 0, max_tokens, 0, 0, INT32_MAX, "cut texts after so many tokens; 0 takes what the folder says"),
    OPT_FLAG("similarity", 0, similarity, "show the cosine of every text with every other instead"),
    OPT_FLAG("floats", 0, floats, "write the vectors as little-endian 32-bit floats"),
    OPTS_JSON,
    OPTS_MODEL(HEARTH_ARITH_AUTO),
    OPTS_COMMON,
};

/* Cosine of vectors a and b f32 [n]; 0 when one has no length. */
static double cosine(const float *a, const float *b, int32_t n)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;
    for (int32_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0.0 && bb > 0.0 ? ab / sqrt(aa * bb) : 0.0;
}

static void print_similarity(const hearth_embeddings *e, bool json, struct buf *out)
{
    buf_puts(out, json ? "{\"similarity\": [" : "");
    for (size_t i = 0; i < e->n; i++) {
        buf_puts(out, json ? i ? ",\n  [" : "\n  [" : "");
        for (size_t k = 0; k < e->n; k++) {
            const double x = cosine(e->values + i * (size_t)e->width, e->values + k * (size_t)e->width, e->width);
            if (json) {
                buf_puts(out, k ? ", " : "");
                buf_json_number(out, x);
            } else {
                buf_printf(out, "%s%7.4f", k ? " " : "", x);
            }
        }
        buf_puts(out, json ? "]" : "\n");
    }
    buf_puts(out, json ? "\n]}\n" : "");
}

static void print_numbers(const float *x, int32_t n, const char *between, struct buf *out)
{
    for (int32_t i = 0; i < n; i++) {
        buf_puts(out, i ? between : "");
        buf_json_number(out, (double)x[i]);
    }
}

static void print_json(const hearth_embeddings *e, struct buf *out)
{
    buf_printf(out, "{\"width\": %d, \"embeddings\": [", e->width);
    for (size_t i = 0; i < e->n; i++) {
        buf_printf(out, "%s\n  {\"tokens\": %d, \"cut\": %d, \"embedding\": [", i ? "," : "", e->n_tokens[i], e->n_cut[i]);
        print_numbers(e->values + i * (size_t)e->width, e->width, ", ", out);
        buf_puts(out, "]}");
    }
    buf_puts(out, "\n]}\n");
}

static int print_vectors(const struct settings *s, const hearth_embeddings *e, struct hearth_error *err)
{
    struct buf out;
    if (s->floats) return output_bytes(e->values, e->n * (size_t)e->width * sizeof *e->values, err);
    buf_init(&out, (size_t)1 << 36);
    if (s->similarity) print_similarity(e, s->json, &out);
    else if (s->json) print_json(e, &out);
    for (size_t i = 0; !s->similarity && !s->json && i < e->n; i++) {
        print_numbers(e->values + i * (size_t)e->width, e->width, " ", &out);
        buf_char(&out, '\n');
    }
    const int status = output_buf(&s->terminal, &out, err);
    buf_free(&out);
    return status;
}

int cmd_embed(const struct settings *s, struct hearth_error *err)
{
    if (s->normalize && s->no_normalize) return fail(err, HEARTH_E_ARG, "--normalize and --no-normalize do not go together");
    if (s->prompt_name && s->prefix) return fail(err, HEARTH_E_ARG, "--prompt-name and --prefix do not go together");
    if (s->floats && (s->json || s->similarity)) return fail(err, HEARTH_E_ARG, "--floats goes with neither --json nor --similarity");
    if (s->floats && s->terminal.out) return fail(err, HEARTH_E_ARG, "--floats writes bytes that are no text: send standard output to a file");
    struct text_list texts;
    hearth_embeddings e = { 0 };
    hearth_model *m = NULL;
    int status = text_list_read(&texts, s, err);
    if (status) return status;
    status = cli_model_open(&m, s, s->words.v[0], err);
    if (!status) {
        const hearth_embed_options o = {
            .size = sizeof o, .pooling = (enum hearth_pooling)s->pooling, .normalize = s->normalize ? 1 : s->no_normalize ? -1 : 0,
            .prompt_name = s->prompt_name, .prefix = s->prefix, .max_tokens = (int32_t)s->max_tokens, .cancel = interrupt_watch(false) };
        status = hearth_embed(m, texts.v, texts.n, &o, &e, err);
        if (status == HEARTH_E_CANCELLED && interrupt_seen()) status = EXIT_INTERRUPTED;
    }
    if (!status) {
        text_list_cut(s, e.n_cut, e.n);
        status = print_vectors(s, &e, err);
    }
    hearth_embeddings_free(&e);
    hearth_model_close(m);
    text_list_free(&texts);
    return status;
}
