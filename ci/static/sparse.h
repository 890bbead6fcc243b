/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read by sparse before each source of the payload: what gcc's own headers expect of the compiler,
 * with the answers of a 32-bit PC where the width of a pointer (see ci/sparse.mk) changes them.
 */
#ifndef CI_STATIC_SPARSE_H
#define CI_STATIC_SPARSE_H

#define __i386__ 1
#define __STDC_HOSTED__ 0
#undef __UINT64_TYPE__
#define __UINT64_TYPE__ unsigned long long
#define __UINT32_C(n) n##U
#define __UINT64_C(n) n##ULL
#define __float128 long double

#endif
