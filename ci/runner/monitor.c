// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/monitor.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "ci/runner/qmp.h"

#define SOCKET "monitor"
#define ARROW " => "
#define LINE_BYTES 512

struct monitor {
    struct qmp qmp;
    char *socket, *pattern, *commands;
    regex_t regex;
    bool due, done;
    char *refused; /* what QEMU said against a command */
    char line[LINE_BYTES];
    size_t line_length;
};

bool monitor_takes(const char *value)
{
    const char *arrow = strstr(value, ARROW);
    char *pattern = arrow ? strndup(value, (size_t)(arrow - value)) : NULL;
    regex_t regex;

    if (!pattern)
        return false;
    bool good = !regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
    if (good)
        regfree(&regex);
    free(pattern);
    return good && arrow[strlen(ARROW)];
}

void monitor_arguments(const struct machine *machine, const struct run_files *files,
                       struct words *argv)
{
    if (!machine->monitor)
        return;
    words_add(argv, "-qmp");
    words_add(argv, "unix:%s/" SOCKET ",server=on,wait=on", files->dir);
}

struct monitor *monitor_open(const struct machine *machine, const struct run_files *files)
{
    if (!machine->monitor)
        return NULL;
    struct monitor *monitor = calloc(1, sizeof(*monitor));
    const char *arrow = strstr(machine->monitor, ARROW);

    if (!monitor)
        abort();
    monitor->pattern = strndup(machine->monitor, (size_t)(arrow - machine->monitor));
    monitor->commands = text_copy(arrow + strlen(ARROW));
    monitor->socket = text("%s/" SOCKET, files->dir);
    monitor->qmp.socket = -1;
    if (!monitor->pattern || regcomp(&monitor->regex, monitor->pattern, REG_EXTENDED | REG_NOSUB))
        abort();
    return monitor;
}

void monitor_feed(struct monitor *monitor, const char *bytes, size_t length)
{
    if (!monitor)
        return;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            monitor->line[monitor->line_length] = '\0';
            monitor->line_length = 0;
            if (!regexec(&monitor->regex, monitor->line, 0, NULL, 0))
                monitor->due = true;
        } else if (bytes[i] != '\r' && monitor->line_length + 1 < sizeof(monitor->line)) {
            monitor->line[monitor->line_length++] = bytes[i];
        }
    }
}

/* A command inside a string of JSON; for free(). */
static char *in_json(const char *command)
{
    char *result = malloc(2 * strlen(command) + 1), *out = result;

    if (!result)
        abort();
    for (; *command; command++) {
        if (*command == '"' || *command == '\\')
            *out++ = '\\';
        *out++ = *command;
    }
    *out = '\0';
    return result;
}

static void give(struct monitor *monitor)
{
    char *copy = text_copy(monitor->commands), *rest = copy, *command;

    while ((command = strsep(&rest, ";"))) {
        char *escaped = in_json(command + strspn(command, " "));
        char *answer = qmp_ask(&monitor->qmp, escaped);

        if (!answer && !monitor->refused)
            monitor->refused = text_copy(command);
        free(answer);
        free(escaped);
    }
    free(copy);
}

void monitor_tick(struct monitor *monitor)
{
    if (!monitor || monitor->done)
        return;
    if (monitor->qmp.socket < 0 && qmp_connect(&monitor->qmp, monitor->socket))
        return;
    qmp_poll(&monitor->qmp);
    if (!monitor->due || !monitor->qmp.ready)
        return;
    give(monitor);
    monitor->done = true;
}

void monitor_close(struct monitor *monitor, struct words *problems)
{
    if (!monitor)
        return;
    if (!monitor->due)
        words_add(problems, "monitor: no line matched %s", monitor->pattern);
    else if (!monitor->done)
        words_add(problems, "monitor: QEMU was not reached at %s", monitor->socket);
    else if (monitor->refused)
        words_add(problems, "monitor: no answer to %s", monitor->refused);
    qmp_close(&monitor->qmp);
    regfree(&monitor->regex);
    free(monitor->refused);
    free(monitor->socket);
    free(monitor->pattern);
    free(monitor->commands);
    free(monitor);
}
