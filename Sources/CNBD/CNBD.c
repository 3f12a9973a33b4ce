#include "CNBD.h"

#include <dlfcn.h>
#include <errno.h>
#include <libnbd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

const uint32_t cn_state_zero = LIBNBD_STATE_ZERO;

/* Each function that is used; libnbd 1.12 and later have them all. */
#define EACH_FUNCTION(F)                                                                           \
    F(create)                                                                                      \
    F(close)                                                                                       \
    F(get_error)                                                                                   \
    F(get_errno)                                                                                   \
    F(add_meta_context)                                                                            \
    F(set_pread_initialize)                                                                        \
    F(set_uri_allow_local_file)                                                                    \
    F(aio_connect_uri)                                                                             \
    F(aio_connect_unix)                                                                            \
    F(aio_is_connecting)                                                                           \
    F(aio_is_ready)                                                                                \
    F(aio_is_dead)                                                                                 \
    F(aio_is_closed)                                                                               \
    F(aio_disconnect)                                                                              \
    F(poll)                                                                                        \
    F(aio_get_fd)                                                                                  \
    F(aio_get_direction)                                                                           \
    F(aio_notify_read)                                                                             \
    F(aio_notify_write)                                                                            \
    F(get_size)                                                                                    \
    F(get_block_size)                                                                              \
    F(is_read_only)                                                                                \
    F(can_multi_conn)                                                                              \
    F(can_meta_context)                                                                            \
    F(aio_pread_structured)                                                                        \
    F(aio_block_status)

static struct {
#define MEMBER(name) __typeof__(&nbd_##name) name;
    EACH_FUNCTION(MEMBER)
} nbd;

struct cn_connection {
    /* Held by whoever is in here, but while the one who polls waits for the server. */
    pthread_mutex_t mutex;
    /* Told when something has come, and when nobody polls any more. */
    pthread_cond_t news;
    int is_polled;
    /* Wakes the one who polls: there is something to be sent. */
    int bell;
    /* NULL once the connection is lost, for the reason in the message. */
    struct nbd_handle *handle;
    char message[cn_message_length];
};

int cn_load(char message[cn_message_length]) {
    static int loaded;
    if (loaded) return 0;
    /* It stays loaded: gnutls does not like to be unloaded. */
    void *library = dlopen("libnbd.so.0", RTLD_NOW | RTLD_LOCAL);
    const char *missing = library ? NULL : "libnbd.so.0";
#define LOOK_UP(name)                                                                              \
    if (library && !(nbd.name = (__typeof__(nbd.name))dlsym(library, "nbd_" #name)))               \
        missing = "nbd_" #name;
    EACH_FUNCTION(LOOK_UP)
    if (missing) {
        const char *reason = dlerror();
        snprintf(message, cn_message_length, "%s", reason ? reason : missing);
        return -1;
    }
    loaded = 1;
    return 0;
}

static void tell(char message[cn_message_length], const char *text) {
    snprintf(message, cn_message_length, "%s", text ? text : "no reason is known");
}

cn_connection *cn_open(const char *uri, const char *path, int timeout,
                       char message[cn_message_length]) {
    struct nbd_handle *handle = nbd.create();
    if (!handle) {
        tell(message, nbd.get_error());
        return NULL;
    }
    int status = nbd.add_meta_context(handle, LIBNBD_CONTEXT_BASE_ALLOCATION);
    /* Bytes that do not come are found out below; zeros in their place would help nobody. */
    if (status == 0) status = nbd.set_pread_initialize(handle, false);
    /* The URI comes from the user's command line, and so do the key files that it names. */
    if (status == 0) status = nbd.set_uri_allow_local_file(handle, true);
    if (status == 0)
        status = uri ? nbd.aio_connect_uri(handle, uri) : nbd.aio_connect_unix(handle, path);
    while (status == 0 && nbd.aio_is_connecting(handle) == 1) {
        int events = nbd.poll(handle, timeout);
        if (events == 0) {
            nbd.close(handle);
            tell(message, "the server does not answer");
            return NULL;
        }
        if (events < 0 && nbd.get_errno() != EINTR) status = -1;
    }
    cn_connection *connection = NULL;
    if (status != 0)
        tell(message, nbd.get_error());
    else if (nbd.aio_is_ready(handle) != 1)
        tell(message, "the server has hung up");
    else if (!(connection = calloc(1, sizeof *connection)))
        tell(message, "out of memory");
    else if ((connection->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        tell(message, "no descriptor is left");
        free(connection);
        connection = NULL;
    }
    if (!connection) {
        nbd.close(handle);
        return NULL;
    }
    pthread_mutex_init(&connection->mutex, NULL);
    pthread_cond_init(&connection->news, NULL);
    connection->handle = handle;
    return connection;
}

int cn_get_facts(cn_connection *connection, cn_facts *facts, char message[cn_message_length]) {
    struct nbd_handle *handle = connection->handle;
    int64_t size = nbd.get_size(handle);
    int64_t minimum = nbd.get_block_size(handle, LIBNBD_SIZE_MINIMUM);
    int64_t maximum = nbd.get_block_size(handle, LIBNBD_SIZE_MAXIMUM);
    int read_only = nbd.is_read_only(handle);
    int multi_conn = nbd.can_multi_conn(handle);
    int extents = nbd.can_meta_context(handle, LIBNBD_CONTEXT_BASE_ALLOCATION);
    if (size < 0 || minimum < 0 || maximum < 0 || read_only < 0 || multi_conn < 0 || extents < 0) {
        tell(message, nbd.get_error());
        return -1;
    }
    *facts = (cn_facts){.size = (uint64_t)size,
                        .is_read_only = read_only,
                        .can_multi_conn = multi_conn,
                        .has_extents = extents,
                        .minimum_block = (uint64_t)minimum,
                        .maximum_block = (uint64_t)maximum};
    return 0;
}

/* Requests that belong together. */
struct batch {
    unsigned under_way;
    /* An errno value of one that failed. */
    int code;
};

static int on_completion(void *user, int *error) {
    struct batch *batch = user;
    batch->under_way--;
    if (*error && !batch->code) batch->code = *error;
    return 1;
}

/* One read, and what has come of it: a server may send it in pieces, in any order, and libnbd does
   not look whether they are all. */
struct request {
    struct batch *batch;
    uint64_t offset;
    uint32_t length;
    int is_used;
    unsigned piece_count;
    struct piece {
        uint32_t start, end;
    } pieces[16];
};

/* Notes that these bytes have come; 0, or -1 when they came before or are too scattered. */
static int note(struct request *request, uint32_t start, uint32_t end) {
    struct piece *pieces = request->pieces;
    unsigned count = request->piece_count, at = 0;
    if (start == end) return 0;
    while (at < count && pieces[at].end < start) at++;
    if (at < count && pieces[at].end == start) {
        if (at + 1 < count && pieces[at + 1].start < end) return -1;
        pieces[at].end = end;
    } else {
        if (at < count && pieces[at].start < end) return -1;
        if (count == sizeof request->pieces / sizeof *pieces) return -1;
        memmove(pieces + at + 1, pieces + at, (count - at) * sizeof *pieces);
        pieces[at] = (struct piece){start, end};
        request->piece_count = ++count;
    }
    if (at + 1 < count && pieces[at].end == pieces[at + 1].start) {
        pieces[at].end = pieces[at + 1].end;
        memmove(pieces + at + 1, pieces + at + 2, (count - at - 2) * sizeof *pieces);
        request->piece_count--;
    }
    return 0;
}

static int on_piece(void *user, const void *bytes, size_t count, uint64_t offset, unsigned status,
                    int *error) {
    struct request *request = user;
    (void)bytes;
    if (status != LIBNBD_READ_DATA && status != LIBNBD_READ_HOLE) return 0;
    if (offset >= request->offset && offset - request->offset <= request->length &&
        count <= request->length - (offset - request->offset)) {
        uint32_t start = (uint32_t)(offset - request->offset);
        if (note(request, start, start + (uint32_t)count) == 0) return 0;
    }
    *error = EPROTO;
    return -1;
}

static int on_read(void *user, int *error) {
    struct request *request = user;
    int is_whole = request->piece_count == 1 && request->pieces[0].start == 0 &&
                   request->pieces[0].end == request->length;
    request->is_used = 0;
    if (!*error && !is_whole) *error = EPROTO;
    return on_completion(request->batch, error);
}

/* Gives the connection up, for everybody; from then on libnbd touches no buffer any more. */
static void lose(cn_connection *connection, const char *text) {
    tell(connection->message, text);
    nbd.close(connection->handle);
    connection->handle = NULL;
}

static int is_over(cn_connection *connection) {
    return nbd.aio_is_dead(connection->handle) != 0 || nbd.aio_is_closed(connection->handle) != 0;
}

/* Waits for the server, or for the bell, and lets libnbd act on it. Others may ask for more
   meanwhile: this is why it is not nbd_poll, which keeps them out. */
static void poll_once(cn_connection *connection, int timeout) {
    unsigned direction = nbd.aio_get_direction(connection->handle);
    struct pollfd watched[2] = {{.fd = nbd.aio_get_fd(connection->handle)},
                                {.fd = connection->bell, .events = POLLIN}};
    if (direction & LIBNBD_AIO_DIRECTION_READ) watched[0].events |= POLLIN;
    if (direction & LIBNBD_AIO_DIRECTION_WRITE) watched[0].events |= POLLOUT;
    pthread_mutex_unlock(&connection->mutex);
    int events = poll(watched, 2, timeout);
    int code = errno;
    pthread_mutex_lock(&connection->mutex);
    uint64_t rings;
    if (events > 0 && watched[1].revents) (void)!read(connection->bell, &rings, sizeof rings);
    if (!connection->handle) return;
    if (events == 0) return lose(connection, "the server does not answer");
    if (events < 0) {
        if (code != EINTR) lose(connection, "poll failed");
        return;
    }
    /* It may have changed: who asked for more has sent some of it. */
    direction = nbd.aio_get_direction(connection->handle);
    int status = 0;
    if (watched[0].revents & ~POLLOUT && direction & LIBNBD_AIO_DIRECTION_READ)
        status = nbd.aio_notify_read(connection->handle);
    else if (watched[0].revents & ~POLLIN && direction & LIBNBD_AIO_DIRECTION_WRITE)
        status = nbd.aio_notify_write(connection->handle);
    if (status < 0)
        lose(connection, nbd.get_error());
    else if (is_over(connection))
        lose(connection, "the server has hung up");
}

/* Waits until something has happened, by whoever it was found out. */
static void wait_for_news(cn_connection *connection, int timeout) {
    if (connection->is_polled) {
        pthread_cond_wait(&connection->news, &connection->mutex);
        return;
    }
    connection->is_polled = 1;
    poll_once(connection, timeout);
    connection->is_polled = 0;
    pthread_cond_broadcast(&connection->news);
}

/* Has the one who polls look again what there is to be sent. */
static void ring(cn_connection *connection) {
    const uint64_t once = 1;
    if (connection->is_polled) (void)!write(connection->bell, &once, sizeof once);
}

static int verdict(const struct batch *batch, int *code) {
    *code = batch->code;
    return batch->code ? cn_refused : cn_done;
}

/* Asks for a piece; what cannot even be asked for is noted as failed, or the connection as lost. */
static void ask(cn_connection *connection, struct request *request, void *target) {
    nbd_chunk_callback each = {.callback = on_piece, .user_data = request};
    nbd_completion_callback done = {.callback = on_read, .user_data = request};
    request->batch->under_way++;
    if (nbd.aio_pread_structured(connection->handle, target, request->length, request->offset, each,
                                 done, 0) >= 0)
        return;
    int code = nbd.get_errno();
    if (is_over(connection)) return lose(connection, nbd.get_error());
    if (request->is_used) request->batch->under_way--;
    request->is_used = 0;
    request->batch->code = code ? code : EIO;
}

static int leave_lost(cn_connection *connection, char message[cn_message_length]) {
    tell(message, connection->message);
    pthread_mutex_unlock(&connection->mutex);
    return cn_lost;
}

int cn_read(cn_connection *connection, void *buffer, size_t count, uint64_t offset, size_t piece,
            int timeout, int *code, char message[cn_message_length]) {
    struct batch batch = {0};
    struct request requests[cn_depth] = {0};
    size_t asked = 0;
    pthread_mutex_lock(&connection->mutex);
    /* After a failure nothing more is asked for, but what is under way is waited for. */
    while (connection->handle && (batch.under_way > 0 || (asked < count && !batch.code))) {
        size_t before = asked;
        while (connection->handle && asked < count && batch.under_way < cn_depth && !batch.code) {
            struct request *request = requests;
            while (request->is_used) request++;
            size_t length = count - asked < piece ? count - asked : piece;
            *request = (struct request){.batch = &batch,
                                        .offset = offset + asked,
                                        .length = (uint32_t)length,
                                        .is_used = 1};
            ask(connection, request, (char *)buffer + asked);
            asked += length;
        }
        if (asked > before) ring(connection);
        if (connection->handle && batch.under_way > 0) wait_for_news(connection, timeout);
    }
    if (!connection->handle) return leave_lost(connection, message);
    pthread_mutex_unlock(&connection->mutex);
    return verdict(&batch, code);
}

/* Where the ranges of one answer go. */
struct status_answer {
    struct batch batch;
    uint64_t offset;
    cn_extent *extents;
    size_t capacity, count;
};

static int on_extents(void *user, const char *context, uint64_t offset, uint32_t *entries,
                      size_t entry_count, int *error) {
    struct status_answer *answer = user;
    (void)error;
    if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0) return 0;
    /* An answer to another question, or a second one, says nothing. */
    if (offset != answer->offset || answer->count > 0) return 0;
    for (size_t i = 0; i + 1 < entry_count && answer->count < answer->capacity; i += 2)
        answer->extents[answer->count++] = (cn_extent){entries[i], entries[i + 1]};
    return 0;
}

int cn_block_status(cn_connection *connection, uint64_t count, uint64_t offset, cn_extent *extents,
                    size_t capacity, size_t *extent_count, int timeout, int *code,
                    char message[cn_message_length]) {
    struct status_answer answer = {
        .batch = {.under_way = 1}, .offset = offset, .extents = extents, .capacity = capacity};
    nbd_extent_callback each = {.callback = on_extents, .user_data = &answer};
    nbd_completion_callback done = {.callback = on_completion, .user_data = &answer.batch};
    *extent_count = 0;
    pthread_mutex_lock(&connection->mutex);
    if (connection->handle &&
        nbd.aio_block_status(connection->handle, count, offset, each, done, 0) < 0) {
        int number = nbd.get_errno();
        if (is_over(connection)) lose(connection, nbd.get_error());
        answer.batch = (struct batch){.code = number ? number : EIO};
    }
    ring(connection);
    while (connection->handle && answer.batch.under_way > 0) wait_for_news(connection, timeout);
    if (!connection->handle) return leave_lost(connection, message);
    pthread_mutex_unlock(&connection->mutex);
    *extent_count = answer.count;
    return verdict(&answer.batch, code);
}

void cn_close(cn_connection *connection, int timeout) {
    struct nbd_handle *handle = connection->handle;
    if (handle) {
        if (timeout > 0 && nbd.aio_is_ready(handle) == 1 && nbd.aio_disconnect(handle, 0) == 0)
            while (nbd.aio_is_dead(handle) == 0 && nbd.aio_is_closed(handle) == 0)
                if (nbd.poll(handle, timeout) <= 0) break;
        nbd.close(handle);
    }
    close(connection->bell);
    pthread_cond_destroy(&connection->news);
    pthread_mutex_destroy(&connection->mutex);
    free(connection);
}
