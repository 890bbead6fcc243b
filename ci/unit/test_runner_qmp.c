// SPDX-License-Identifier: BSD-2-Clause
/* QEMU's side of the conversation is played over a pair of sockets. */
#include "ci/unit/unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "ci/runner/qmp.h"

static int qemu; /* its end */

static struct qmp connected(void)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    qemu = ends[1];
    return (struct qmp){.socket = ends[0]};
}

static void qemu_says(const char *line)
{
    assert_int_equal(write(qemu, line, strlen(line)), strlen(line));
}

static void assert_told(const char *wanted)
{
    char told[256] = "";

    assert_int_equal(read(qemu, told, strlen(wanted)), strlen(wanted));
    assert_string_equal(told, wanted);
}

static void returned_text(void **state)
{
    static const char *const lines[][2] = {
        {"{\"return\": \"a\\r\\n\\tb \\\"c\\\" \\\\d\"}", "a\r\n\tb \"c\" \\d"},
        {"{\"return\": \"\"}", ""},
        {"{\"return\": \"cut of\\", "cut of\\"},
        {"{\"return\": {}}", NULL},
        {"{\"event\": \"STOP\"}", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        char *text = qmp_returned_text(lines[i][0]);

        if (lines[i][1])
            assert_string_equal(text, lines[i][1]);
        else
            assert_null(text);
        free(text);
    }
}

static void a_stop(void **state)
{
    struct qmp qmp = connected();

    qmp_poll(&qmp);
    assert_false(qmp.ready);
    qemu_says("{\"QMP\": {\"version\": {}}}\r\n{\"return\"");
    qmp_poll(&qmp);
    assert_true(qmp.ready);
    assert_told("{\"execute\": \"qmp_capabilities\"}\n");
    qemu_says(": {}}\r\n{\"event\": \"GUEST_PANICKED\", \"data\": {\"action\": \"pause\"}}\r\n");
    qmp_poll(&qmp);
    assert_false(qmp.stopped);
    qemu_says("{\"timestamp\": {}, \"event\": \"STOP\"}\r\n");
    qmp_poll(&qmp);
    assert_true(qmp.stopped);
    qmp_continue(&qmp);
    assert_false(qmp.stopped);
    assert_told("{\"execute\": \"cont\"}\n");
    qmp_close(&qmp);
    close(qemu);
}

/* The answer to cont, and events, may come first; nothing of them is taken for the text. */
static void an_answer_among_others(void **state)
{
    struct qmp qmp = connected();

    qemu_says("{\"return\": {}}\r\n{\"event\": \"RESUME\"}\r\n{\"event\": \"STOP\"}\r\n"
              "{\"return\": \"line 1\\r\\nline 2\\r\\n\"}\r\n");
    char *answer = qmp_ask(&qmp, "info tlb");
    assert_string_equal(answer, "line 1\r\nline 2\r\n");
    assert_true(qmp.stopped);
    assert_told("{\"execute\": \"human-monitor-command\", "
                "\"arguments\": {\"command-line\": \"info tlb\"}}\n");
    free(answer);
    qemu_says("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n");
    assert_null(qmp_ask(&qmp, "info"));
    close(qemu);
    assert_null(qmp_ask(&qmp, "info tlb")); /* QEMU is gone: no hang, no signal */
    qmp_close(&qmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returned_text),
        cmocka_unit_test(a_stop),
        cmocka_unit_test(an_answer_among_others),
    };

    return cmocka_run_group_tests_name("runner_qmp", tests, NULL, NULL);
}
