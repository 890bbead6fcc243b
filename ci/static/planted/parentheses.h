/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_STATIC_PLANTED_PARENTHESES_H
#define CI_STATIC_PLANTED_PARENTHESES_H

#define DOUBLE(n) (2 * n)

#endif
