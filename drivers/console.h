/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_CONSOLE_H
#define DRIVERS_CONSOLE_H

/*
 * Where the payload's lines go: serial ports, the emulators' debug port 0xE9, the screen. The same
 * text goes to all consoles that are open, but records for programs are kept off the screen.
 *
 * Each kind of console is a file of its own that puts one struct console_driver into the linker
 * table `console`, and keeps the state of what it has open. Consoles are opened before paging is
 * on, by code that must run on any 386 (it is what tells the user of such a machine that it is
 * refused), and go on working after the payload has moved to its virtual place. So a driver's state
 * is plain data, without pointers into the payload; the one address that changes, that of a
 * screen's memory, is renewed by console_enter_paging().
 *
 * No console can hang the payload: each wait is bounded, and a serial port that stops taking bytes
 * is given up. The console never writes lines of its own, since a report counts its lines: whoever
 * writes the report asks console_take_notice() for such news and reports it in its own way.
 */

#include "lib/types.h"

/* What the firmware or the boot loader says about the screen. */
struct screen_info {
    enum screen_kind {
        SCREEN_NONE,
        SCREEN_TEXT, /* VGA text: cells of a character and an attribute byte */
        SCREEN_RGB,  /* linear framebuffer, direct colour */
    } kind;
    phys_addr_t base;
    uint32_t pitch_bytes;   /* from a line of pixels (text: of cells) to the next */
    uint32_t width, height; /* in pixels (text: in cells) */
    uint8_t bits_per_pixel; /* SCREEN_RGB: 15, 16, 24 or 32 */
    uint8_t red_shift, red_bits;
    uint8_t green_shift, green_bits;
    uint8_t blue_shift, blue_bits;
};

/*
 * Opens one console.
 *   spec, len: the value of one `console=` option, not terminated:
 *       ttyS0[,BAUD] ... ttyS3[,BAUD]   the four PC serial ports (0x3f8, 0x2f8, 0x3e8, 0x2e8)
 *       0xPORT[,BAUD]                   a 16550 at any I/O port
 *       screen                          the screen that `screen` describes
 *       e9                              the debug port of QEMU and Bochs
 *     BAUD is 115200 if left out. To open what is open already only sets its speed anew.
 *   screen: NULL or .kind SCREEN_NONE if there is none.
 * Returns 0; -EINVAL: not one of these forms, or a speed that the port can't have exactly;
 * -ENODEV: there is no such device; -ENOSPC: too many serial ports.
 * Context: flat phase, or paged phase before console_enter_paging().
 */
int console_add(const char *spec, size_t len, const struct screen_info *screen);

/* Opens ttyS0 at 115200 baud, the screen and port 0xE9, those of them that exist. */
void console_default(const struct screen_info *screen);

/* Who reads a line. */
enum console_readers {
    CONSOLE_ALL,
    CONSOLE_PROGRAMS, /* of thousands of these on a screen nobody would see the others */
};

/*
 * Writes text to every open console, or to every one that is no screen. Lines end in '\n'; a serial
 * port gets CR LF. A screen shows printable ASCII and '?' for the rest. Context: any, both phases,
 * also from a fault in a console's own code (a screen is then left out after a few such levels).
 */
void console_write(const char *text, size_t len, enum console_readers readers);

/*
 * Waits until serial ports have sent their last bit, bounded: before the machine is switched off or
 * reset, or the last characters are lost.
 */
void console_drain(void);

/*
 * To be called once ioremap() works and before the flat mapping is given up: finds screen memory at
 * its virtual place. A screen above 4 GiB appears only now, with all that was written so far. A
 * screen that can't be mapped is given up, which is a notice.
 */
void console_enter_paging(void);

/*
 * News about the consoles themselves, e.g. "console: the serial port at 0x3f8 takes no more bytes
 * and is given up". Each is given once; call until false.
 *   buf, size: gets the text, terminated, without line end
 * Returns false if there is no news.
 */
bool console_take_notice(char *buf, size_t size);

/*
 * For console drivers: one kind of console, a TABLE_ENTRY(console, struct console_driver).
 *   open:         as console_add(), but -EINVAL also means: not my kind of spec
 *   write:        to all that this driver has open
 *   enter_paging: NULL if there is nothing to map
 *   drain:        NULL if nothing is queued
 *   notice:       as console_take_notice(); NULL if there is never any
 *   is_screen:    people read it; write touches mapped memory, and so may end in the fault handler,
 *                 which prints
 */
struct console_driver {
    int (*open)(const char *spec, size_t len, const struct screen_info *screen);
    void (*write)(const char *text, size_t len);
    void (*enter_paging)(void);
    void (*drain)(void);
    bool (*notice)(char *buf, size_t size);
    bool is_screen;
};

#endif
