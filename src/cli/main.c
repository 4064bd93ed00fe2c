/* The command line program: finds the sub-command, reads its options, runs it, turns its status into an exit code. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "cli/cli.h"

#define COMMAND(name, run, summary, words, min_words, max_words, options, about) \
    { name, run, summary, words, min_words, max_words, options, about },
static const struct command commands[] = {
#include "cli/commands.def"
};
#undef COMMAND
static const size_t n_commands = sizeof commands / sizeof *commands;

static const struct {
    int status, code;
} exit_codes[] = {
    { HEARTH_OK, 0 },
    { HEARTH_E_ARG, EXIT_ARGUMENT },
    { HEARTH_E_MEMORY, EXIT_MEMORY },
    { HEARTH_E_IO, EXIT_IN_OUT },
    { HEARTH_E_NOT_FOUND, EXIT_NO_INPUT },
    { HEARTH_E_FORMAT, EXIT_DATA },
    { HEARTH_E_UNSUPPORTED, EXIT_UNAVAILABLE },
    { HEARTH_E_CONTEXT, EXIT_DATA },
    { HEARTH_E_CANCELLED, EXIT_INTERRUPTED },
    { HEARTH_E_INTERNAL, EXIT_BUG },
};

/* Commands return a status or, above zero, the exit code itself. */
static int exit_code_of(int status)
{
    if (status > 0) return status;
    for (size_t i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++)
        if (exit_codes[i].status == status) return exit_codes[i].code;
    return EXIT_BUG;
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < n_commands; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int command_unknown(const char *name, struct hearth_error *err)
{
    struct nearest near;
    nearest_start(&near, str_from(name));
    for (size_t i = 0; i < n_commands; i++) nearest_offer(&near, commands[i].name);
    if (near.name) return fail(err, HEARTH_E_ARG, "there is no command '%s'; did you mean '%s'?", name, near.name);
    return fail(err, HEARTH_E_ARG, "there is no command '%s'; 'hearth --help' lists what there is", name);
}

/* ---- hearth --help, --version, --complete */

static void overview(struct buf *out)
{
    buf_puts(out, "hearth runs open AI models on this computer, from the files as downloaded.\n\n"
                  "usage: hearth COMMAND [options] MODEL ...\n\n");
    for (size_t i = 0; i < n_commands; i++) buf_printf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    buf_puts(out, "\nMODEL is a file or a folder. Try\n\n"
                  "  hearth run models/tale                      tell a story\n"
                  "  hearth run models/tale \"A fox and a hen\"    tell one that begins like this\n"
                  "  hearth inspect models/tale                  see what is in the files\n"
                  "  hearth run --help                           learn what run can do\n\n"
                  "'hearth COMMAND --help' explains each command, 'hearth --version' names the version,\n"
                  "'man hearth' tells the rest.\n");
}

static void version(struct buf *out)
{
    buf_printf(out, "hearth %s\n", hearth_version());
}

static void complete(struct buf *out)
{
    for (size_t i = 0; i < n_commands; i++) buf_printf(out, "%s\n", commands[i].name);
}

static const struct {
    const char *name;
    void      (*print)(struct buf *out);
} informants[] = {
    { "--help", overview },
    { "-h", overview },
    { "help", overview },
    { "--version", version },
    { "-V", version },
    { "--complete", complete },
};

/* `hearth help run`, `hearth --complete run`: what one command's table has to say. */
static int tell_command(const char *how, const char *name, struct buf *out, struct hearth_error *err)
{
    const struct command *c = command_find(name);
    if (!c) return command_unknown(name, err);
    struct options o;
    int status = options_make(&o, c, err);
    if (!status) {
        if (strcmp(how, "--complete") == 0) options_complete(&o, out);
        else options_help(&o, out);
    }
    options_free(&o);
    return status;
}

/* True when argv asks about hearth itself; *status is how telling went. */
static bool tell(int argc, char **argv, const struct terminal *t, int *status, struct hearth_error *err)
{
    for (size_t i = 0; i < sizeof informants / sizeof *informants; i++) {
        if (strcmp(argv[1], informants[i].name) != 0) continue;
        struct buf out;
        buf_init(&out, 1 << 20);
        *status = 0;
        if (argc > 2 && informants[i].print != version) *status = tell_command(argv[1], argv[2], &out, err);
        else informants[i].print(&out);
        if (!*status) *status = output_buf(t, &out, err);
        buf_free(&out);
        return true;
    }
    return false;
}

/* ---- one command */

static int command_run(const struct command *c, int argc, char **argv, const struct terminal *t, struct hearth_error *err)
{
    struct options o;
    struct settings s = { .terminal = *t };
    int status = options_make(&o, c, err);
    if (!status) status = settings_read(&s, &o, argc, argv, err);
    if (!status && s.help) {
        struct buf out;
        buf_init(&out, 1 << 20);
        options_help(&o, &out);
        status = output_buf(t, &out, err);
        buf_free(&out);
    } else if (!status) {
        status = c->run(&s, err);
    }
    settings_free(&s);
    options_free(&o);
    return status;
}

/* A stream that was closed must not become the first file that is opened. The stand-in for standard output cannot be written
 * to, so that the loss is noticed. */
static void streams_fill(void)
{
    static const int flags[3] = { O_RDONLY, O_RDONLY, O_WRONLY };
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", flags[fd]) < 0) return;
}

int main(int argc, char **argv)
{
    struct hearth_error err = { 0 };
    struct terminal t;
    int status;
    streams_fill();
    terminal_start(&t);
    const struct command *c = argc > 1 ? command_find(argv[1]) : NULL;
    if (argc < 2) status = fail(&err, HEARTH_E_ARG, "a command is missing; 'hearth --help' lists what there is");
    else if (c) status = command_run(c, argc - 2, argv + 2, &t, &err);
    else if (!tell(argc, argv, &t, &status, &err)) status = command_unknown(argv[1], &err);

    /* A full disk shows when the last text is written; the first failure is the one that is told. */
    struct hearth_error end = { 0 };
    const int end_status = output_end(&end);
    if (end_status && status >= 0) {
        status = end_status;
        err = end;
    }
    if (status && err.text[0]) fprintf(stderr, "hearth: %s\n", err.text);
    return exit_code_of(status);
}
