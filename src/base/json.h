/* Streaming JSON reader for model files: accepts what Python's json module writes (NaN, Infinity, integers of any length,
 * lone surrogates), bounds depth, allocates nothing. Pull interface: the caller asks for the next token. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/status.h"
#include "base/str.h"

enum json_kind {
    JSON_ERROR = -1, /* json->err has the sentence */
    JSON_END,        /* the document is over */
    JSON_OBJECT, JSON_OBJECT_END,
    JSON_ARRAY, JSON_ARRAY_END,
    JSON_KEY,    /* text = raw bytes between the quotes; value follows */
    JSON_STRING, /* text = raw bytes between the quotes */
    JSON_NUMBER, /* text = the digits; number = value as double (huge integers round); is_int, integer when it fits */
    JSON_TRUE, JSON_FALSE, JSON_NULL,
};

#define JSON_DEPTH 128

struct json {
    struct str           src;
    size_t               at;
    struct str           text;
    double               number;
    int64_t              integer;
    bool                 is_int;
    bool                 escaped; /* text holds backslashes: decode with json_text before use */
    int                  depth;
    uint8_t              state[JSON_DEPTH];
    struct hearth_error *err;
};

void           json_init(struct json *j, struct str src, struct hearth_error *err);
enum json_kind json_next(struct json *j);
/* Skips the value that begins with the token just returned (all of an object or array). Returns 0 or a negative status. */
int json_skip(struct json *j, enum json_kind kind);
/* Appends the decoded text of the KEY or STRING just returned. A lone surrogate becomes its 3-byte form (as Python's
 * surrogatepass would write it), so nothing is lost. */
void json_text(const struct json *j, struct buf *out);
/* True when the KEY or STRING just returned equals the literal (which has no escapes). */
bool json_is(const struct json *j, const char *literal);
/* The error every wrong shape ends in: names the byte offset. Returns a negative status. */
int json_fail(struct json *j, const char *what);

#endif
