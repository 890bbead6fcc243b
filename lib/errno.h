/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_ERRNO_H
#define LIB_ERRNO_H

/* Errors are returned as negative values of these, with the meanings that POSIX gives them. */
#if __STDC_HOSTED__
#include <errno.h>
#else
#define EPERM 1       /* refused: it might do harm */
#define EIO 5         /* the device answered with an error */
#define ENXIO 6       /* no such address, or no medium in the drive */
#define EAGAIN 11     /* later it may work */
#define ENOMEM 12     /* no memory, or no bounce slots */
#define EFAULT 14     /* an address that nothing is mapped at */
#define EBUSY 16      /* in use */
#define EEXIST 17     /* already there */
#define ENODEV 19     /* no such device */
#define EINVAL 22     /* an argument out of its range */
#define ENOSPC 28     /* no room in a table */
#define EROFS 30      /* the medium is write-protected */
#define ERANGE 34     /* a number too large for its type */
#define ENOSYS 38     /* not on this machine */
#define EPROTO 71     /* the device or its bus reports a fault of its own, or what can't be */
#define ETIMEDOUT 110 /* the device did not answer in time */
#endif

#endif
