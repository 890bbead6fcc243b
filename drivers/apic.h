/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_APIC_H
#define DRIVERS_APIC_H

/*
 * Making the machine look as if it had no APICs. UEFI firmware may have run its own timer from the
 * local APIC or, through an I/O APIC, from the HPET, and may leave them so: their interrupts would
 * come at vectors of the firmware's choice, and those of the 8259A would come nowhere. Here every
 * other source is masked, and the local APIC set to pass the 8259A's interrupts through, which
 * Intel calls virtual wire mode (MultiProcessor Specification 1.4, 3.6.2.2).
 */

#include "lib/types.h"

/*
 * Vector of the local APIC's spurious interrupts: that of 8259A line 15, whose handler recognises
 * an interrupt without a request. The low four bits must be ones on a P6 (SDM vol. 3A, 10.9).
 */
#define APIC_SPURIOUS_VECTOR 0x2fu

/*
 * Sets virtual wire mode on this processor, masks all I/O APIC inputs and takes the HPET off the
 * timer lines. Does what the machine has. Context: paged phase, interrupts off, after acpi_init().
 */
void apic_set_virtual_wire(void);

#endif
