/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/irq_notes.h"
#include "drivers/irq.h"
#include "lib/format.h"
#include "lib/string.h"
#include "payload/report.h"

#define NAMES_MAX 40

void irq_tell_stuck(unsigned indent)
{
    struct irq_stuck stuck;

    while (irq_take_stuck(&stuck)) {
        char names[NAMES_MAX] = "nobody";

        for (unsigned i = 0, at = 0; i < IRQ_SUSPECTS && stuck.suspects[i]; i++) {
            format(names + at, sizeof(names) - at, i ? ", %s" : "%s", stuck.suspects[i]);
            at = strlen(names);
        }
        report_note(indent,
                    "irq: line %u masked, nobody withdrew its request; %u interrupts, for %s",
                    stuck.line, stuck.count, names);
    }
}
