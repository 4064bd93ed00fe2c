/* Errors: every fallible function returns a negative enum hearth_status and leaves one sentence where the cause is known. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "hearth.h"

/* Writes the sentence into err (which may be NULL) and returns status, so that callers can `return fail(err, ...)`.
 * A sentence says what, where and what to do; it ends without a full stop or newline. Strings from a file are printed
 * with STR_ARG, never as a format. */
int fail(struct hearth_error *err, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "where: " before the sentence already in err; returns err's status. */
int fail_in(struct hearth_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The usual answer to a failed allocation of `bytes` bytes for `what`. */
int fail_memory(struct hearth_error *err, uint64_t bytes, const char *what);

#endif
