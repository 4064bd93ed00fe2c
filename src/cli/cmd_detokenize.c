/* hearth detokenize: token ids to text. */
#include "cli/cli.h"

const char cmd_detokenize_about[] =
    "Prints the text of token ids: those given, or those on standard input. Ids are separated by\n"
    "spaces or commas, a JSON array will do, and @FILE reads them from a file. The text is written\n"
    "as it is, without a newline after it.\n"
    "\n"
    "  hearth detokenize models/tale 403 407 261 378\n"
    "  hearth tokenize models/tale --no-special < a.txt | hearth detokenize models/tale > b.txt\n";

const struct option cmd_detokenize_options[] = {
    OPTS_COMMON,
};

int cmd_detokenize(const struct settings *s, struct hearth_error *err)
{
    hearth_tokenizer *t = NULL;
    struct id_list ids = { 0 };
    char *text = NULL;
    size_t n;
    int status = hearth_tokenizer_open(&t, s->words.v[0], err);
    if (!status && s->words.n == 1) status = id_list_read(&ids, "@-", "standard input", err);
    for (size_t i = 1; !status && i < s->words.n; i++) status = id_list_read(&ids, s->words.v[i], "ID", err);
    if (!status) status = hearth_decode(t, ids.id, ids.n, &text, &n, err);
    if (!status) status = output_text(&s->terminal, (struct str){ text, n }, err);
    if (!status && s->terminal.out && n && text[n - 1] != '\n') status = output_bytes("\n", 1, err);
    hearth_free(text);
    id_list_free(&ids);
    hearth_tokenizer_close(t);
    return status;
}
