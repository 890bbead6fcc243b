/* SPDX-License-Identifier: BSD-2-Clause */
/* Where and when it was built: no two builds are the same. */
const char *build_stamp(void);

const char *build_stamp(void)
{
    return __DATE__ " " __TIME__;
}
