// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <sys/stat.h>

#include "ci/runner/run.h"
#include "ci/runner/tail.h"

#define LAST_LINES 20

static bool holds_something(const char *path)
{
    struct stat status;

    return !stat(path, &status) && status.st_size > 0;
}

static void show_tail(const char *path, struct live *live)
{
    struct words lines = {0};

    tail_lines(path, LAST_LINES, &lines);
    if (lines.count)
        live_say(live, "the last lines of %s:", path);
    for (size_t i = 0; i < lines.count; i++)
        live_say(live, "  | %s", lines.at[i]);
    words_free(&lines);
}

/* What there is to read on; a run that could not begin left nothing. */
static void show_files(const struct run_result *result, struct live *live)
{
    char *html = text("%s/report.html", result->dir);
    bool has_html = holds_something(html), has_log = holds_something(result->serial);

    if (has_html || has_log)
        live_say(live, "report: %s%s%s", has_html ? html : "", has_html && has_log ? ", " : "",
                 has_log ? result->serial : "");
    free(html);
}

void run_show_end(const struct machine *machine, const struct run_result *result, struct live *live)
{
    const struct words *problems = &result->judgement.problems;
    const unsigned *counts = result->ktap.counts;

    if (result->judgement.hang && result->dir) {
        char *log = text("%s/emulator.log", result->dir);

        show_tail(result->serial, live);
        show_tail(log, live);
        free(log);
    }
    for (size_t i = 0; i < problems->count; i++)
        live_say(live, "%s: %s", machine->name, problems->at[i]);
    if (result->result == RESULT_REFUSED)
        live_say(live, "%s", result->ktap.verdict_line);
    if (result->result != RESULT_PASS)
        live_say(live, "again: %s", result->command);
    if (result->dir)
        show_files(result, live);
    live_say(live, "%s: %s, %u passed, %u failed, %u skipped, %u errors, %.1f s", machine->name,
             result_name(result->result), counts[OUTCOME_OK], counts[OUTCOME_NOT_OK],
             counts[OUTCOME_SKIP], counts[OUTCOME_ERROR], result->seconds);
    live_end(live);
}
