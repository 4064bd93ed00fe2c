/* RWKV's world vocabulary (rwkv_vocab_v20230424.txt, github.com/BlinkDL/RWKV-LM): lines of an id, a token as Python writes it
 * ('text' or b'bytes'), and its number of bytes. A text is cut greedily, always at the longest token that fits. */
#include "text/tokenizer_int.h"

struct line {
    struct str text;
    size_t     at;
};

static char line_peek(const struct line *l)
{
    return l->at < l->text.n ? l->text.p[l->at] : 0;
}

static bool number_read(struct line *l, uint32_t *out)
{
    const size_t from = l->at;
    *out = 0;
    for (char c; (c = line_peek(l)) >= '0' && c <= '9' && l->at - from < 9; l->at++) *out = *out * 10 + (uint32_t)(c - '0');
    return l->at > from;
}

static bool hex_read(struct line *l, int digits, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++, l->at++) {
        const int digit = hex_digit(line_peek(l));
        if (digit < 0) return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* Behind a backslash. In bytes \x is a byte, in a string a character. */
static bool escape_read(struct line *l, bool bytes, struct buf *out)
{
    static const char letters[] = "nrt0\\'\"", meant[] = "\n\r\t\0\\'\"";
    const char c = line_peek(l);
    const char *at = c ? strchr(letters, c) : NULL;
    uint32_t code;
    l->at++;
    if (at) {
        buf_char(out, meant[at - letters]);
        return true;
    }
    if (!hex_read(l, c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : -1, &code) || (c != 'x' && (c != 'u' && c != 'U')))
        return false;
    if (bytes && c != 'x') return false;
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    char utf8[4] = { (char)code };
    buf_put(out, utf8, bytes ? 1 : utf8_put(utf8, code));
    return true;
}

static bool literal_read(struct line *l, struct buf *out)
{
    const bool bytes = line_peek(l) == 'b';
    if (bytes) l->at++;
    const char quote = line_peek(l);
    if (quote != '\'' && quote != '"') return false;
    for (l->at++; l->at < l->text.n && line_peek(l) != quote;) {
        const char c = l->text.p[l->at++];
        if (c != '\\') buf_char(out, c);
        else if (!escape_read(l, bytes, out)) return false;
    }
    return l->at++ < l->text.n && !out->failed;
}

/* ID LITERAL LENGTH; the length has to agree. */
static bool line_read(struct str text, uint32_t *id, struct buf *out)
{
    struct line l = { text, 0 };
    uint32_t n;
    buf_clear(out);
    if (!number_read(&l, id) || line_peek(&l) != ' ') return false;
    l.at++;
    if (!literal_read(&l, out) || line_peek(&l) != ' ') return false;
    l.at++;
    return number_read(&l, &n) && l.at == text.n && n == out->n && n > 0;
}

static struct str next_line(struct str text, size_t *at)
{
    const char *end = memchr(text.p + *at, '\n', text.n - *at);
    struct str line = str_sub(text, *at, end ? (size_t)(end - text.p) : text.n);
    *at += line.n + (end != NULL);
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    return line;
}

bool tokenizer_rwkv_fits(struct file_map m)
{
    struct buf token;
    uint32_t id;
    size_t at = 0;
    buf_init(&token, UINT16_MAX);
    const bool fits = m.n && line_read(next_line((struct str){ (const char *)m.p, m.n }, &at), &id, &token);
    buf_free(&token);
    return fits;
}

static bool filter_normal(const struct vocab *v, uint32_t id)
{
    return v->offset[id] != NO_ID && v->type[id] == TOKEN_NORMAL;
}

int greedy_setup(struct tokenizer *t, struct hearth_error *err)
{
    t->model = &model_greedy;
    const int status = vocab_index(&t->vocab, err);
    return status ? status : matcher_build(&t->pieces, &t->vocab, filter_normal, err);
}

/* Id 0 stands for the end of a text and has no line; its name is no text that makes it. */
int tokenizer_rwkv_read(struct tokenizer *t, const char *path, struct hearth_error *err)
{
    struct buf bytes;
    int status = file_map(&t->map, path, err);
    if (status) return status;
    const struct str text = { (const char *)t->map.p, t->map.n };
    buf_init(&bytes, UINT16_MAX);
    for (size_t at = 0, number = 1; at < text.n && !status; number++) {
        struct token token = { .type = TOKEN_NORMAL, .copy = true };
        const struct str line = next_line(text, &at);
        if (line.n == 0) continue;
        if (!line_read(line, &token.id, &bytes))
            status = fail(err, HEARTH_E_FORMAT, "line %zu: an id, a Python string and its length were expected", number);
        token.text = buf_str(&bytes);
        if (!status) status = vocab_add(&t->vocab, &token, err);
    }
    buf_free(&bytes);
    file_unmap(&t->map);
    if (!status && t->vocab.n == 0) status = fail(err, HEARTH_E_FORMAT, "this is no vocabulary of RWKV");
    if (!status && t->vocab.offset[0] == NO_ID)
        status = vocab_add(&t->vocab, &(struct token){ .text = STR("<|endoftext|>"), .type = TOKEN_CONTROL, .copy = true }, err);
    t->eos = 0;
    return status ? status : greedy_setup(t, err);
}
