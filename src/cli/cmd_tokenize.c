/* hearth tokenize: text to token ids. */
#include "base/json.h"
#include "cli/cli.h"

const char cmd_tokenize_about[] =
    "Prints the token ids of TEXT, or of all of standard input, as the model's reference would have\n"
    "them: with the special tokens that it adds, unless --no-special. The first word is a model or a\n"
    "tokenizer file alone (tokenizer.json, tokenizer.model, ...).\n"
    "\n"
    "  hearth tokenize models/tale \"Once upon a time\"\n"
    "      ids on one line\n"
    "  hearth tokenize models/tale --pieces \"Once upon a time\"\n"
    "      one token a line: its id and its text\n"
    "  hearth tokenize models/tale < book.txt | wc -w\n"
    "      how many tokens a file has\n"
    "  printf '\"one\"\\n\"two\"\\n' | hearth tokenize models/tale --jsonl\n"
    "      a JSON string a line in, a JSON array of ids a line out\n";

const struct option cmd_tokenize_options[] = {
    OPT_FLAG("no-special", 0, no_special, "without the tokens that stand before and after a text"),
    OPT_FLAG("jsonl", 0, jsonl, "read JSON strings, one a line, and answer each line at once"),
    OPT_FLAG("pieces", 0, pieces, "also show the text of each token"),
    OPTS_JSON,
    OPTS_COMMON,
};

/* The text of one token as it stands within a text: a decoder may drop a space before the first, so the token is decoded
 * twice in a row and the second one taken. */
static int piece_text(const hearth_tokenizer *t, int32_t id, struct buf *out, struct hearth_error *err)
{
    const int32_t twice[2] = { id, id };
    char *one = NULL, *two = NULL;
    size_t n_one, n_two;
    int status = hearth_decode(t, twice, 1, &one, &n_one, err);
    if (!status) status = hearth_decode(t, twice, 2, &two, &n_two, err);
    if (!status) {
        const bool first = n_two >= n_one && memcmp(one, two, n_one) == 0;
        buf_json_string(out, first ? (struct str){ two + n_one, n_two - n_one } : (struct str){ one, n_one });
    }
    hearth_free(one);
    hearth_free(two);
    return status;
}

static int print_pieces(const hearth_tokenizer *t, const int32_t *ids, size_t n, struct buf *out, struct hearth_error *err)
{
    int status = 0;
    for (size_t i = 0; !status && i < n; i++) {
        buf_printf(out, "%d\t", ids[i]);
        status = piece_text(t, ids[i], out, err);
        buf_char(out, '\n');
    }
    return status;
}

/* {"ids": [...], "pieces": [...]} */
static int print_json(const hearth_tokenizer *t, const int32_t *ids, size_t n, bool pieces, struct buf *out,
                      struct hearth_error *err)
{
    int status = 0;
    buf_puts(out, "{\"ids\": ");
    id_list_json(out, ids, n);
    for (size_t i = 0; pieces && !status && i < n; i++) {
        buf_puts(out, i ? ", " : ", \"pieces\": [");
        status = piece_text(t, ids[i], out, err);
    }
    buf_puts(out, pieces ? n ? "]}\n" : ", \"pieces\": []}\n" : "}\n");
    return status;
}

static void print_ids(const int32_t *ids, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) buf_printf(out, "%s%d", i ? " " : "", ids[i]);
    buf_char(out, '\n');
}

static int tokenize_text(const struct settings *s, const hearth_tokenizer *t, struct str text, struct hearth_error *err)
{
    int32_t *ids = NULL;
    size_t n;
    struct buf out;
    buf_init(&out, (size_t)1 << 36); /* some bytes per token, of a text that has a bound */
    int status = hearth_encode(t, text.p, text.n, !s->no_special, &ids, &n, err);
    if (!status) {
        if (s->json) status = print_json(t, ids, n, s->pieces, &out, err);
        else if (s->pieces) status = print_pieces(t, ids, n, &out, err);
        else print_ids(ids, n, &out);
    }
    if (!status) status = output_buf(&s->terminal, &out, err);
    buf_free(&out);
    hearth_free(ids);
    return status;
}

static int tokenize_all(const struct settings *s, const hearth_tokenizer *t, struct hearth_error *err)
{
    if (s->words.n > 1) return tokenize_text(s, t, str_from(s->words.v[1]), err);
    struct buf text;
    buf_init(&text, INPUT_TEXT_MAX);
    int status = input_all(NULL, &text, err);
    if (!status) status = tokenize_text(s, t, text.p ? buf_str(&text) : STR(""), err);
    buf_free(&text);
    return status;
}

/* ---- --jsonl */

/* One JSON string and nothing else. Lone surrogates become their 3-byte forms, which is what a tokenizer then sees. */
static int line_decode(struct str line, struct buf *text, struct hearth_error *err)
{
    struct json j;
    json_init(&j, line, err);
    const enum json_kind kind = json_next(&j);
    if (kind == JSON_ERROR) return err->status;
    if (kind != JSON_STRING) return fail(err, HEARTH_E_FORMAT, "a JSON string is needed here");
    buf_clear(text);
    json_text(&j, text);
    if (text->failed) return fail_memory(err, line.n, "a line");
    const enum json_kind end = json_next(&j);
    if (end == JSON_ERROR) return err->status;
    return end == JSON_END ? 0 : fail(err, HEARTH_E_FORMAT, "something follows the JSON string");
}

static int line_answer(const struct settings *s, const hearth_tokenizer *t, struct str text, struct buf *out,
                       struct hearth_error *err)
{
    int32_t *ids = NULL;
    size_t n;
    int status = hearth_encode(t, text.p, text.n, !s->no_special, &ids, &n, err);
    if (status) return status;
    buf_clear(out);
    id_list_json(out, ids, n);
    buf_char(out, '\n');
    hearth_free(ids);
    status = output_buf(&s->terminal, out, err);
    return status ? status : output_flush(err);
}

static int tokenize_lines(const struct settings *s, const hearth_tokenizer *t, struct hearth_error *err)
{
    struct input_lines lines;
    struct buf text, out;
    struct str line;
    int status;
    input_lines_start(&lines);
    buf_init(&text, INPUT_TEXT_MAX);
    buf_init(&out, (size_t)1 << 36);
    for (uint64_t number = 1; (status = input_lines_next(&lines, &line, err)) > 0; number++) {
        status = line_decode(line, &text, err);
        if (status) {
            fail_in(err, "line %llu of standard input", (unsigned long long)number);
            break;
        }
        status = line_answer(s, t, text.p ? buf_str(&text) : STR(""), &out, err);
        if (status) break;
    }
    buf_free(&out);
    buf_free(&text);
    input_lines_free(&lines);
    return status;
}

int cmd_tokenize(const struct settings *s, struct hearth_error *err)
{
    if (s->jsonl && s->words.n > 1) return fail(err, HEARTH_E_ARG, "--jsonl reads standard input; leave TEXT out");
    if (s->jsonl && s->pieces) return fail(err, HEARTH_E_ARG, "--jsonl and --pieces do not go together");
    hearth_tokenizer *t;
    int status = hearth_tokenizer_open(&t, s->words.v[0], err);
    if (status) return status;
    status = s->jsonl ? tokenize_lines(s, t, err) : tokenize_all(s, t, err);
    hearth_tokenizer_close(t);
    return status;
}
