// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/live.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ci/runner/process.h"

#define TERMINAL_INTERVAL_S 0.1
#define PLAIN_INTERVAL_S 2.0
#define ERASE_LINE "\r\033[K"

void live_start(struct live *live, FILE *out)
{
    *live = (struct live){.out = out, .terminal = isatty(fileno(out)), .started = process_clock()};
}

static void erase(struct live *live)
{
    if (live->status_now)
        fputs(ERASE_LINE, live->out);
    live->status_now = false;
}

void live_say(struct live *live, const char *fmt, ...)
{
    va_list args;

    erase(live);
    va_start(args, fmt);
    vfprintf(live->out, fmt, args);
    va_end(args);
    fputc('\n', live->out);
    fflush(live->out);
}

void live_end(struct live *live)
{
    erase(live);
    fflush(live->out);
}

/* How far the open suite is, in percent: its own progress lines if it prints them, else by cases.
 */
static unsigned suite_percent(const struct ktap *ktap, const struct ktap_suite *suite)
{
    if (ktap->progress_suite && suite->name && !strcmp(ktap->progress_suite, suite->name))
        return (unsigned)(100 * ktap->progress_done / ktap->progress_total);
    if (suite->planned > 0)
        return (unsigned)(100 * suite->nr_cases / (unsigned long)suite->planned);
    return 0;
}

static void status_text(const struct ktap *ktap, char *status, size_t room)
{
    const struct ktap_suite *suite = ktap_open_suite(ktap);
    size_t done = ktap->nr_suites - (suite ? 1 : 0);

    if (!ktap->started)
        snprintf(status, room, "booting");
    else if (!suite || !suite->name)
        snprintf(status, room, "%zu of %ld suites", done, ktap->planned < 0 ? 0 : ktap->planned);
    else
        snprintf(status, room, "%s %u%% (suite %zu of %ld, %zu cases)", suite->name,
                 suite_percent(ktap, suite), done + 1, ktap->planned < 0 ? 0 : ktap->planned,
                 suite->nr_cases);
}

void live_tick(struct live *live, const struct ktap *ktap)
{
    char status[sizeof(live->last)];
    double now = process_clock();

    if (now - live->newest < (live->terminal ? TERMINAL_INTERVAL_S : PLAIN_INTERVAL_S))
        return;
    status_text(ktap, status, sizeof(status));
    if (!live->terminal && !strcmp(status, live->last))
        return;
    memcpy(live->last, status, sizeof(live->last));
    live->newest = now;
    if (live->terminal) {
        fprintf(live->out, ERASE_LINE "%6.1f s  %s", now - live->started, status);
        live->status_now = true;
    } else {
        fprintf(live->out, "%6.1f s  %s\n", now - live->started, status);
    }
    fflush(live->out);
}

static void show_case(struct live *live, const struct ktap_event *event)
{
    const struct ktap_case *result = event->result;
    const char *suite = event->suite->name ? event->suite->name : "?";

    if (result->outcome != OUTCOME_NOT_OK && result->outcome != OUTCOME_ERROR)
        return;
    if (result->messages)
        live_say(live, "%.*s", (int)strlen(result->messages) - 1, result->messages);
    live_say(live, "%s %s.%s%s%s", result->outcome == OUTCOME_ERROR ? "error" : "not ok", suite,
             result->name, result->reason ? " # " : "", result->reason ? result->reason : "");
}

static void show_suite(struct live *live, const struct ktap_suite *suite)
{
    bool bad = suite->outcome == OUTCOME_NOT_OK || suite->outcome == OUTCOME_ERROR;

    if (bad && suite->orphans)
        live_say(live, "%.*s", (int)strlen(suite->orphans) - 1, suite->orphans);
    live_say(live, "%6.1f s  %s: %s, %zu cases in %.1f s", process_clock() - live->started,
             suite->name, bad ? "NOT OK" : outcome_name(suite->outcome), suite->nr_cases,
             suite->ended - suite->started);
}

void live_listen(void *ctx, const struct ktap_event *event)
{
    struct live *live = ctx;

    switch (event->kind) {
    case KTAP_HEADER:
        live_say(live, "%6.1f s  %s", process_clock() - live->started, event->text);
        break;
    case KTAP_NOTE:
        if (strstr(event->text, "warning"))
            live_say(live, "%s", event->text);
        break;
    case KTAP_CASE:
        show_case(live, event);
        break;
    case KTAP_SUITE_END:
        show_suite(live, event->suite);
        break;
    default:
        break;
    }
}
