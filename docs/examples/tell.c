/* Goes on with a text: tell MODEL TEXT. Built against an installed hearth:
 *     cc tell.c $(pkg-config --cflags --libs hearth) -o tell */
#include <hearth.h>
#include <stdio.h>
#include <string.h>

/* Called with each piece of text as it comes; returning non-zero would stop. */
static int show(void *user, const hearth_event *event)
{
    (void)user;
    fwrite(event->text, 1, event->n_text, stdout);
    return fflush(stdout);
}

static int go_on(hearth_model *model, const char *text, hearth_error *err)
{
    const hearth_tokenizer *tokenizer;
    hearth_session *session = NULL;
    hearth_sampling *sampling = NULL;
    hearth_request request = { .size = sizeof request, .max_tokens = 100, .seed = 7 };
    int32_t *ids = NULL;

    int status = hearth_model_tokenizer(model, &tokenizer, err);
    if (!status) status = hearth_encode(tokenizer, text, strlen(text), 1, &ids, &request.n_ids, err);
    if (!status) status = hearth_session_new(&session, model, NULL, err);
    if (!status) status = hearth_sampling_new(&sampling, err);
    if (!status) status = hearth_sampling_set(sampling, "temperature", 0.8, err);
    if (!status) status = hearth_sampling_set(sampling, "top_p", 0.95, err);
    request.ids = ids;
    request.sampling = sampling;
    if (!status) status = hearth_generate(session, &request, 1, show, NULL, NULL, err);
    putchar('\n');

    hearth_free(request.generated);
    hearth_free(ids);
    hearth_sampling_free(sampling);
    hearth_session_free(session);
    return status;
}

int main(int argc, char **argv)
{
    hearth_model *model = NULL;
    hearth_error err;
    if (argc != 3) {
        fprintf(stderr, "usage: tell MODEL TEXT\n");
        return 2;
    }
    int status = hearth_model_open(&model, argv[1], NULL, &err);
    if (!status) status = go_on(model, argv[2], &err);
    if (status) fprintf(stderr, "%s\n", err.text);
    hearth_model_close(model);
    return status ? 1 : 0;
}
