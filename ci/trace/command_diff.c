// SPDX-License-Identifier: BSD-2-Clause
/* `make trace-diff`. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "ci/runner/judge.h"
#include "ci/runner/words.h"
#include "ci/trace/commands.h"
#include "ci/trace/diff.h"
#include "ci/trace/settings.h"

#define DEFAULT_WINDOW 20000
#define DEFAULT_SHOWN 5
#define WINDOW_MAX 1000000

static const char *const names[] = {
    [DIFF_CODE] = "code", [DIFF_LINEAR] = "linear", [DIFF_PHYSICAL] = "physical"};

/* A folder stands for the text in it. For free(). */
static char *text_path(const char *path)
{
    struct stat status;

    if (!stat(path, &status) && S_ISDIR(status.st_mode))
        return text("%s/trace.txt.gz", path);
    return text_copy(path);
}

static bool set_compare(struct diff_options *options, const char *value)
{
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(value, names[i])) {
            options->by = (enum diff_by)i;
            return true;
        }
    }
    return false;
}

static bool set_count(unsigned *field, const char *value)
{
    uint64_t count;

    if (!count_parse(value, &count) || count > WINDOW_MAX)
        return false;
    *field = (unsigned)count;
    return true;
}

/* Returns the word that it could not take, or NULL. */
static const char *read_args(char **args, struct diff_options *options, const char **a,
                             const char **b)
{
    for (; *args; args++) {
        const char *value = strchr(*args, '=');
        bool good = value != NULL;

        value += good;
        if (good && !strncasecmp(*args, "A=", 2))
            *a = value;
        else if (good && !strncasecmp(*args, "B=", 2))
            *b = value;
        else if (good && !strncasecmp(*args, "COMPARE=", 8))
            good = set_compare(options, value);
        else if (good && !strncasecmp(*args, "WINDOW=", 7))
            good = set_count(&options->window, value);
        else if (good && !strncasecmp(*args, "TOP=", 4))
            good = set_count(&options->shown, value);
        else
            good = false;
        if (!good)
            return *args;
    }
    return NULL;
}

int command_diff(const struct trace_place *place, char **args)
{
    struct diff_options options = {
        .by = DIFF_CODE, .window = DEFAULT_WINDOW, .shown = DEFAULT_SHOWN};
    struct diff_result result;
    const char *a = NULL, *b = NULL, *bad = read_args(args, &options, &a, &b);
    char *message = NULL;

    (void)place;
    if (bad || !a || !b) {
        fprintf(stderr,
                "%s: A=TRACE B=TRACE [COMPARE=code|linear|physical] [WINDOW=LINES] "
                "[TOP=PLACES]\n",
                bad ? bad : "two traces are needed");
        return RESULT_CANT;
    }
    char *path_a = text_path(a), *path_b = text_path(b);
    int error = diff_traces(stdout, path_a, path_b, &options, &result, &message);
    if (error)
        fprintf(stderr, "%s\n", message);
    free(message);
    free(path_a);
    free(path_b);
    return error ? RESULT_CANT : result.regions ? RESULT_FAIL : RESULT_PASS;
}
