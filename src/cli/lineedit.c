/* A line of text from a person at a terminal: libedit's editing, and a history that outlives the program in
 * $XDG_STATE_HOME/hearth/history (else ~/.local/state/hearth/history), one line each. */
#include <errno.h>
#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/cli.h"

#define HISTORY_LINES 1000
#define HISTORY_BYTES ((size_t)4 << 20) /* of the file; a longer one is left alone */

struct lineedit {
    EditLine  *edit;
    History   *history;
    struct buf path; /* of the history file; empty: nowhere to keep one */
    struct buf line;
    bool       interrupted;
};

/* ---- history file */

/* Sets e->path and makes the folders above it. Without a home there is no history, which is no error. */
static void history_find(struct lineedit *e)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && state[0] == '/') buf_puts(&e->path, state);
    else if (home && home[0] == '/') buf_printf(&e->path, "%s/.local/state", home);
    else return;
    buf_puts(&e->path, "/hearth/history");
    if (e->path.failed) return;
    for (char *slash = strchr(e->path.p + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        const bool there = mkdir(e->path.p, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!there) {
            buf_clear(&e->path);
            return;
        }
    }
}

/* False when there is a file that is no history of ours: too long, a folder, unreadable. */
static bool history_read(const struct lineedit *e, struct buf *out)
{
    buf_init(out, HISTORY_BYTES);
    if (file_kind(e->path.p) == FILE_NONE) return true;
    return file_kind(e->path.p) == FILE_REGULAR && input_all(e->path.p, out, NULL) == 0;
}

static void history_load(struct lineedit *e)
{
    struct buf text;
    HistEvent event;
    if (e->path.n == 0) return;
    const bool ours = history_read(e, &text);
    for (char *line = text.p, *end; ours && line && (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        if (*line) history(e->history, &event, H_ENTER, line);
    }
    buf_free(&text);
}

/* Puts the line at the end of the file as it is now, which another hearth may have added to, and keeps the newest lines. */
static void history_save(const struct lineedit *e, struct str line)
{
    struct buf text;
    struct file_write *w;
    const bool ours = history_read(e, &text);
    buf_put(&text, line.p, line.n);
    buf_char(&text, '\n');
    size_t from = text.n, lines = 0;
    while (from > 0 && (text.p[from - 1] != '\n' || lines++ < HISTORY_LINES)) from--;
    if (ours && !text.failed && file_write_open(&w, e->path.p, NULL) == 0) {
        if (file_write_put(w, text.p + from, text.n - from, NULL) == 0) file_write_commit(w, NULL);
        else file_write_cancel(w);
    }
    buf_free(&text);
}

/* A line that begins with a space stays unwritten, as in shells. */
static void history_add(struct lineedit *e, struct str line)
{
    HistEvent event;
    if (line.n == 0) return;
    history(e->history, &event, H_ENTER, line.p);
    if (line.p[0] != ' ' && e->path.n) history_save(e, line);
}

/* ---- editing */

static char *prompt_text(EditLine *edit)
{
    (void)edit;
    static char text[] = "> ";
    return text;
}

/* Ctrl-C while a line is edited. */
static unsigned char key_interrupt(EditLine *edit, int key)
{
    (void)key;
    struct lineedit *e;
    el_get(edit, EL_CLIENTDATA, &e);
    e->interrupted = true;
    return CC_EOF;
}

/* Ctrl-Z: libedit leaves signals to the terminal, where they are off while a line is edited. */
static unsigned char key_suspend(EditLine *edit, int key)
{
    (void)key;
    el_set(edit, EL_PREP_TERM, 0);
    kill(0, SIGTSTP);
    el_set(edit, EL_PREP_TERM, 1);
    return CC_REDISPLAY;
}

int lineedit_new(struct lineedit **out, struct hearth_error *err)
{
    struct lineedit *e = *out = mem_array(1, sizeof *e);
    HistEvent event;
    if (!e) return fail_memory(err, sizeof *e, "line editing");
    buf_init(&e->path, 4096);
    buf_init(&e->line, INPUT_PROMPT_MAX);
    e->edit = el_init("hearth", stdin, stdout, stderr);
    e->history = history_init();
    if (!e->edit || !e->history) {
        fail(err, HEARTH_E_INTERNAL, "cannot edit lines on this terminal: %s", strerror(errno));
        lineedit_free(e);
        *out = NULL;
        return EXIT_SYSTEM;
    }
    el_set(e->edit, EL_CLIENTDATA, e);
    el_set(e->edit, EL_PROMPT, prompt_text);
    el_set(e->edit, EL_EDITOR, "emacs");
    el_set(e->edit, EL_SIGNAL, 1);
    el_set(e->edit, EL_HIST, history, e->history);
    el_set(e->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    /* While a line is edited Ctrl-C is a key, not a signal. */
    el_set(e->edit, EL_SETTY, "-d", "-isig", NULL);
    el_set(e->edit, EL_ADDFN, "hearth-interrupt", "leave the line", key_interrupt);
    el_set(e->edit, EL_BIND, "^C", "hearth-interrupt", NULL);
    el_set(e->edit, EL_ADDFN, "hearth-suspend", "back to the shell", key_suspend);
    el_set(e->edit, EL_BIND, "^Z", "hearth-suspend", NULL);
    history(e->history, &event, H_SETSIZE, HISTORY_LINES);
    history(e->history, &event, H_SETUNIQUE, 1);
    history_find(e);
    history_load(e);
    return 0;
}

enum line_kind lineedit_read(struct lineedit *e, struct str *line)
{
    int n = 0;
    e->interrupted = false;
    el_set(e->edit, EL_PREP_TERM, 1); /* before the prompt is seen: Ctrl-C is a key from then on */
    const char *text = el_gets(e->edit, &n);
    if (e->interrupted) return LINE_INTERRUPT;
    if (!text || n <= 0) return LINE_OVER;
    buf_clear(&e->line);
    buf_puts(&e->line, text);
    while (e->line.n && (e->line.p[e->line.n - 1] == '\n' || e->line.p[e->line.n - 1] == '\r')) e->line.p[--e->line.n] = 0;
    *line = buf_str(&e->line);
    history_add(e, *line);
    return LINE_TEXT;
}

void lineedit_free(struct lineedit *e)
{
    if (!e) return;
    if (e->history) history_end(e->history);
    if (e->edit) el_end(e->edit);
    buf_free(&e->path);
    buf_free(&e->line);
    mem_free(e);
}
