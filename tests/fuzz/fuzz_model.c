/* A whole model from a GGUF: opened, given a session, asked for tokens. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const int32_t ids[] = { 3, 1, 4, 1, 5 };
    struct hearth_error err = { 0 };
    hearth_model *m = NULL;
    hearth_session *s = NULL;
    hearth_request r = { .size = sizeof r, .ids = ids, .n_ids = sizeof ids / sizeof *ids, .max_tokens = 3 };
    const hearth_model_options model = { .size = sizeof model, .threads = 1 };
    const hearth_session_options session = { .size = sizeof session, .context = 8, .chunk = 4 };
    int status = hearth_model_open(&m, fuzz_file("model.gguf", p, n), &model, &err);
    if (!status) status = hearth_session_new(&s, m, &session, &err);
    if (!status) status = hearth_generate(s, &r, 1, NULL, NULL, NULL, &err);
    if (status) fuzz_check_refusal(status, &err);
    else hearth_free(r.generated);
    hearth_session_free(s);
    hearth_model_close(m);
    fuzz_files_drop();
    return 0;
}
