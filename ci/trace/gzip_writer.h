/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_GZIP_WRITER_H
#define CI_TRACE_GZIP_WRITER_H

/*
 * Text into a .gz file, compressed by a thread of its own, so that who writes waits only when the
 * other is several blocks behind.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

#define GZIP_BLOCKS 4
#define GZIP_BLOCK_BYTES (1u << 20)

struct gzip_writer {
    gzFile file;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *block[GZIP_BLOCKS];
    size_t filled[GZIP_BLOCKS];
    unsigned head, count; /* blocks that wait to be compressed */
    bool closing, failed;
    char *at; /* where to write next, in the block that is being filled */
    size_t used;
};

/* Returns 0 or a negative errno. */
int gzip_open(struct gzip_writer *writer, const char *path);

void gzip_next_block(struct gzip_writer *writer);

/* Room for `length` bytes at writer->at, which is to be moved on by gzip_wrote(). */
static inline char *gzip_room(struct gzip_writer *writer, size_t length)
{
    if (writer->used + length > GZIP_BLOCK_BYTES)
        gzip_next_block(writer);
    return writer->at;
}

static inline void gzip_wrote(struct gzip_writer *writer, size_t length)
{
    writer->at += length;
    writer->used += length;
}

/* Writes `length` bytes, at most GZIP_BLOCK_BYTES. */
void gzip_write(struct gzip_writer *writer, const char *bytes, size_t length);

/* Returns 0, or -EIO when something could not be written. */
int gzip_finish(struct gzip_writer *writer);

#endif
