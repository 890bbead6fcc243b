// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/qmp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ci/runner/words.h"

#define ANSWER_MS 20000 /* a host that is busy takes its time */

int qmp_connect(struct qmp *qmp, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    *qmp = (struct qmp){.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (qmp->socket < 0)
        return -errno;
    if (connect(qmp->socket, (struct sockaddr *)&address, sizeof(address))) {
        int error = errno;

        close(qmp->socket);
        qmp->socket = -1;
        return error == ENOENT || error == ECONNREFUSED ? -EAGAIN : -error;
    }
    return 0;
}

static void say(struct qmp *qmp, const char *line)
{
    size_t length = strlen(line);

    while (length) {
        ssize_t sent = send(qmp->socket, line, length, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        line += sent;
        length -= (size_t)sent;
    }
}

/* Reads what is there, after at most `wait_ms`. Returns false when nothing came. */
static bool read_more(struct qmp *qmp, int wait_ms)
{
    struct pollfd wait = {.fd = qmp->socket, .events = POLLIN};

    if (qmp->socket < 0 || poll(&wait, 1, wait_ms) <= 0)
        return false;
    if (qmp->room - qmp->length < 4096) {
        qmp->room = qmp->room ? 2 * qmp->room : 16384;
        qmp->input = realloc(qmp->input, qmp->room);
        if (!qmp->input)
            abort();
    }
    ssize_t got = read(qmp->socket, qmp->input + qmp->length, qmp->room - qmp->length - 1);
    if (got <= 0)
        return false;
    qmp->length += (size_t)got;
    return true;
}

/* The next whole line, for free(), or NULL. */
static char *take_line(struct qmp *qmp)
{
    char *end = qmp->length ? memchr(qmp->input, '\n', qmp->length) : NULL;

    if (!end)
        return NULL;
    size_t taken = (size_t)(end - qmp->input) + 1;
    char *line = strndup(qmp->input, taken - 1);
    qmp->length -= taken;
    memmove(qmp->input, qmp->input + taken, qmp->length);
    return line;
}

/* What is no answer. Returns false if it is one. */
static bool take_event(struct qmp *qmp, const char *line)
{
    if (strstr(line, "\"QMP\":")) {
        say(qmp, "{\"execute\": \"qmp_capabilities\"}\n");
        qmp->ready = true;
        return true;
    }
    if (!strstr(line, "\"event\":"))
        return false;
    if (strstr(line, "\"event\": \"STOP\""))
        qmp->stopped = true;
    return true;
}

void qmp_poll(struct qmp *qmp)
{
    char *line;

    while (read_more(qmp, 0))
        ; /* until there is no more */
    while ((line = take_line(qmp))) {
        take_event(qmp, line);
        free(line);
    }
}

char *qmp_returned_text(const char *line)
{
    static const char start[] = "\"return\": \"";
    static const char escapes[] = "nrt", meant[] = "\n\r\t";
    const char *from = strstr(line, start);

    if (!from)
        return NULL;
    from += strlen(start);
    char *out = strdup(from), *to = out;
    if (!out)
        abort();
    while (*from && *from != '"') {
        if (*from == '\\' && from[1]) {
            const char *known = strchr(escapes, *++from);

            *to++ = (char)(known ? meant[known - escapes] : *from);
            from++;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return out;
}

char *qmp_ask(struct qmp *qmp, const char *command)
{
    char *request = text("{\"execute\": \"human-monitor-command\", "
                         "\"arguments\": {\"command-line\": \"%s\"}}\n",
                         command);
    char *answer = NULL, *line;
    bool answered = false;

    say(qmp, request);
    free(request);
    do {
        while (!answered && (line = take_line(qmp))) {
            /* The answer to qmp_capabilities and to cont is an object, not a string. */
            if (!take_event(qmp, line)) {
                answer = qmp_returned_text(line);
                answered = answer || strstr(line, "\"error\":");
            }
            free(line);
        }
    } while (!answered && read_more(qmp, ANSWER_MS));
    return answer;
}

void qmp_continue(struct qmp *qmp)
{
    qmp->stopped = false;
    say(qmp, "{\"execute\": \"cont\"}\n");
}

void qmp_close(struct qmp *qmp)
{
    if (qmp->socket >= 0)
        close(qmp->socket);
    free(qmp->input);
    *qmp = (struct qmp){.socket = -1};
}
