/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_REPORT_STYLE_H
#define CI_RUNNER_REPORT_STYLE_H

/*
 * How report.html looks: the one style sheet, for light, dark, paper and narrow screens.
 *
 * Classes of colour: o0..o10 are the orders of blocks, from warm (pieces) to cold (large blocks);
 * u0..u11 owners of memory.
 */

#define STYLE_OWNERS 12

extern const char report_style[];

#endif
