/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_IRQ_NOTES_H
#define PAYLOAD_IRQ_NOTES_H

/*
 * Writes a line into the report for each interrupt line that became stuck since the last call
 * (drivers/irq.h). indent: see report_note(). Context: thread.
 */
void irq_tell_stuck(unsigned indent);

#endif
