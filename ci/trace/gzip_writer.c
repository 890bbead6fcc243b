// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/gzip_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Traces repeat themselves so much that the fastest level loses little. */
#define GZIP_MODE "wb1"

static void *compress_blocks(void *ctx)
{
    struct gzip_writer *writer = ctx;

    pthread_mutex_lock(&writer->lock);
    for (;;) {
        while (!writer->count && !writer->closing)
            pthread_cond_wait(&writer->changed, &writer->lock);
        if (!writer->count)
            break;
        unsigned head = writer->head;
        pthread_mutex_unlock(&writer->lock);
        bool done = gzwrite(writer->file, writer->block[head], (unsigned)writer->filled[head]) ==
                    (int)writer->filled[head];
        pthread_mutex_lock(&writer->lock);
        writer->failed |= !done;
        writer->head = (head + 1) % GZIP_BLOCKS;
        writer->count--;
        pthread_cond_signal(&writer->changed);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

int gzip_open(struct gzip_writer *writer, const char *path)
{
    *writer = (struct gzip_writer){.file = gzopen(path, GZIP_MODE)};
    if (!writer->file)
        return errno ? -errno : -ENOMEM;
    gzbuffer(writer->file, 1 << 18);
    for (unsigned i = 0; i < GZIP_BLOCKS; i++) {
        writer->block[i] = malloc(GZIP_BLOCK_BYTES);
        if (!writer->block[i])
            abort();
    }
    writer->at = writer->block[0];
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->changed, NULL);
    return -pthread_create(&writer->thread, NULL, compress_blocks, writer);
}

void gzip_next_block(struct gzip_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    /* The block being filled is none of those that wait, so one less than all can wait. */
    while (writer->count == GZIP_BLOCKS - 1)
        pthread_cond_wait(&writer->changed, &writer->lock);
    writer->filled[(writer->head + writer->count) % GZIP_BLOCKS] = writer->used;
    writer->count++;
    writer->at = writer->block[(writer->head + writer->count) % GZIP_BLOCKS];
    writer->used = 0;
    pthread_cond_signal(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
}

void gzip_write(struct gzip_writer *writer, const char *bytes, size_t length)
{
    memcpy(gzip_room(writer, length), bytes, length);
    gzip_wrote(writer, length);
}

int gzip_finish(struct gzip_writer *writer)
{
    if (!writer->file)
        return 0;
    gzip_next_block(writer);
    pthread_mutex_lock(&writer->lock);
    writer->closing = true;
    pthread_cond_signal(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    bool failed = gzclose(writer->file) != Z_OK || writer->failed;
    for (unsigned i = 0; i < GZIP_BLOCKS; i++)
        free(writer->block[i]);
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->lock);
    *writer = (struct gzip_writer){0};
    return failed ? -EIO : 0;
}
