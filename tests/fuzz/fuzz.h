/* What every fuzz target begins with: files that lie in memory, and what must hold whatever the bytes. A target defines
 * LLVMFuzzerTestOneInput; it is linked with libFuzzer (make fuzz) or with fuzz_replay.c (make test). */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "formats/container.h"
#include "text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Below this folder lie only the files given with fuzz_file. Each mapping of one is a heap block of exactly its size, so that
 * AddressSanitizer sees a byte read too far. Other paths lead to the real file system. */
#define FUZZ_FOLDER "/fuzz"

const char *fuzz_file(const char *name, const uint8_t *p, size_t n); /* its path; p must live until fuzz_files_drop */
void        fuzz_files_drop(void);

/* Two files from one input: what lies before the first byte 0xff, which no text holds, and what lies behind it. */
struct fuzz_pair {
    const uint8_t *first, *second;
    size_t         n_first, n_second;
};
struct fuzz_pair fuzz_split(const uint8_t *p, size_t n);

/* Ends the process with a report. */
void fuzz_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A refusal must be of a kind that a file can cause, with a sentence. */
void fuzz_check_refusal(int status, const struct hearth_error *err);
/* Reads every key and every byte of every tensor. */
void fuzz_walk(const struct container *c);
/* Encodes text, and decodes the ids at once and as a stream. exact: what comes back must be the text. */
void fuzz_text(const struct tokenizer *t, struct str text, bool special, bool exact);
/* Opens path as a tokenizer and has it encode and decode texts that need every step. */
void fuzz_tokenizer(const char *path);
/* Opens path as a model, gives it a session and asks for tokens. */
void fuzz_model(const char *path);

#endif
