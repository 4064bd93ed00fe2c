/* The terminal: what the standard streams are, dim text, Ctrl-C, a progress line. */
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cpu.h"
#include "cli/cli.h"

/* ---- what is there */

static bool colour_wanted(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no && *no) && term && *term && strcmp(term, "dumb") != 0;
}

void terminal_start(struct terminal *t)
{
    /* Characters as the user's locale has them, numbers as C has them: JSON needs the point. */
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
    *t = (struct terminal){ .in = isatty(0), .out = isatty(1), .err = isatty(2) };
    t->colour_out = t->out && colour_wanted();
    t->colour_err = t->err && colour_wanted();
    t->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int terminal_columns(void)
{
    struct winsize w;
    return ioctl(2, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

void terminal_dim(bool colour, bool on, struct buf *out)
{
    if (colour) buf_puts(out, on ? "\033[2m" : "\033[22m");
}

/* ---- Ctrl-C: a signal can reach nothing but a global */

static volatile int interrupted;
static volatile sig_atomic_t interrupt_stays;

static void interrupt_note(int signal_number)
{
    if (interrupted && !interrupt_stays) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
    interrupted = 1;
}

const volatile int *interrupt_watch(bool stay)
{
    struct sigaction old;
    interrupted = 0;
    interrupt_stays = stay;
    /* Who started us may have asked for SIGINT to be ignored (nohup, a background job). */
    if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
        struct sigaction on = { .sa_handler = interrupt_note, .sa_flags = SA_RESTART };
        sigemptyset(&on.sa_mask);
        sigaction(SIGINT, &on, NULL);
    }
    return &interrupted;
}

void interrupt_unwatch(void)
{
    struct sigaction old;
    if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == interrupt_note) signal(SIGINT, SIG_DFL);
}

bool interrupt_seen(void)
{
    return interrupted != 0;
}

/* ---- progress */

#define PROGRESS_WAIT 500000000u /* ns before the first line */
#define PROGRESS_STEP 100000000u /* ns between two */
#define PROGRESS_BAR  30

void progress_start(struct progress *p, const struct terminal *t, const char *label)
{
    *p = (struct progress){ .terminal = t && t->err ? t : NULL, .label = label, .start = clock_ns() };
}

void progress_show(struct progress *p, int64_t done, int64_t total)
{
    if (!p->terminal) return;
    const uint64_t now = clock_ns();
    if (now - p->start < PROGRESS_WAIT || now - p->last < PROGRESS_STEP) return;
    p->last = now;
    p->shown = true;
    const int columns = terminal_columns();
    if (total <= 0) {
        fprintf(stderr, "\r\033[K%.*s %lld", columns / 2, p->label, (long long)done);
    } else {
        if (done > total) done = total;
        const int width = columns >= PROGRESS_BAR + 40 ? PROGRESS_BAR : 0;
        const int full = (int)((double)done / (double)total * width);
        fprintf(stderr, "\r\033[K%.*s ", columns / 2, p->label);
        for (int i = 0; i < width; i++)
            fputs(i < full ? (p->terminal->utf8 ? "━" : "=") : (p->terminal->utf8 ? "─" : "-"), stderr);
        fprintf(stderr, " %3d %%", (int)((double)done / (double)total * 100));
    }
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->shown) fputs("\r\033[K", stderr);
    p->shown = false;
}
