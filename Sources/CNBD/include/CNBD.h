/* The part of libnbd that reads disks, loaded with dlopen when the first one is opened: it brings
   gnutls and libxml2 along, which would cost every tool's start-up dearly.

   Several threads may read by one connection, whose requests are then under way together. Nothing
   writes to a caller's buffer after its call has returned. */
#ifndef VPIPE_CNBD_H
#define VPIPE_CNBD_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that a message takes at most, with its final NUL. */
enum { cn_message_length = 512 };

/* Loads the library; 0, or -1 with the dynamic linker's words in message. */
int cn_load(char message[cn_message_length]);

typedef struct cn_connection cn_connection;

/* What a server says of its export. */
typedef struct {
    uint64_t size;
    int is_read_only;
    /* Whether several connections show one and the same disk. */
    int can_multi_conn;
    /* Whether it tells of holes (base:allocation). */
    int has_extents;
    /* Limits of requests in bytes; 0 where the server names none. */
    uint64_t minimum_block, maximum_block;
} cn_facts;

/* Connects to a URI, or to the Unix socket at path when uri is NULL, and agrees on the export.
   NULL with the reason in message, also when it takes longer than so many milliseconds. */
cn_connection *cn_open(const char *uri, const char *path, int timeout,
                       char message[cn_message_length]);

/* 0, or -1 with the reason in message. */
int cn_get_facts(cn_connection *connection, cn_facts *facts, char message[cn_message_length]);

/* What a request came to. */
enum {
    cn_done = 0,
    /* The server refused it, or could not do it. */
    cn_refused = 1,
    /* There is no connection any more, or what came over it makes no sense. */
    cn_lost = 2
};

/* How many requests of one call are under way at once. */
enum { cn_depth = 16 };

/* Fills buffer from offset, in requests of at most piece bytes. With cn_refused, code is an errno value; with cn_lost, message tells the reason. The connection
   counts as lost when nothing comes for so many milliseconds. */
int cn_read(cn_connection *connection, void *buffer, size_t count, uint64_t offset, size_t piece,
            int timeout, int *code, char message[cn_message_length]);

/* A range that the server tells of: its length and the flags of base:allocation. */
typedef struct {
    uint32_t length, flags;
} cn_extent;

/* What the server says of the count bytes from offset: at most capacity ranges, in order. */
int cn_block_status(cn_connection *connection, uint64_t count, uint64_t offset, cn_extent *extents,
                    size_t capacity, size_t *extent_count, int timeout, int *code,
                    char message[cn_message_length]);

/* The flag of a range that reads as zeros. */
extern const uint32_t cn_state_zero;

/* Says goodbye where that takes no longer than so many milliseconds, and frees the connection. */
void cn_close(cn_connection *connection, int timeout);

#endif
