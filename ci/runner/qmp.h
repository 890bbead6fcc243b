/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_QMP_H
#define CI_RUNNER_QMP_H

/* As much of QEMU's machine protocol as asking a stopped machine takes (QEMU, docs/interop/qmp). */

#include <stdbool.h>
#include <stddef.h>

struct qmp {
    int socket; /* -1: not connected */
    bool ready; /* commands are taken */
    bool stopped;
    char *input;
    size_t length, room;
};

/*
 * Tries to connect to the socket at `path`, where QEMU waits for it before it starts the machine.
 * Returns 0; -EAGAIN: QEMU is not there yet; another negative errno.
 */
int qmp_connect(struct qmp *qmp, const char *path);

/* Takes what has come, without waiting: a STOP event sets `stopped`. */
void qmp_poll(struct qmp *qmp);

/*
 * Gives a command of the human monitor and waits for its answer. Returns the text, for free(), or
 * NULL when there is none.
 */
char *qmp_ask(struct qmp *qmp, const char *command);

/* Lets the machine go on. */
void qmp_continue(struct qmp *qmp);

void qmp_close(struct qmp *qmp);

/* The string that stands behind `"return": ` in a line of QMP, for free(); NULL: it has none. */
char *qmp_returned_text(const char *line);

#endif
