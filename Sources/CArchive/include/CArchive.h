/* libarchive and libexpat, loaded when they are first needed: libarchive brings a dozen libraries
   along, which would cost every start of a tool 1.5 ms. Only declarations and thin wrappers. */
#ifndef VPIPE_CARCHIVE_H
#define VPIPE_CARCHIVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Loads libarchive; 0, or -1 with the reason in ca_load_error. */
int ca_load(void);
/* Loads libexpat; 0, or -1 with the reason in ca_load_error. */
int cx_load(void);
/* Why the last load failed. */
const char *ca_load_error(void);

/* What ca_next and ca_read return besides counts. */
enum { CA_OK = 0, CA_END = 1, CA_WARNING = -20 };

/* What an archive may be. */
enum { CA_TAR = 1, CA_ZIP = 2, CA_RAW = 4 };

/* An archive being read; NULL without memory. */
void *ca_new(int kinds);
/* Begins; read gives a buffer and its length, 0 at the end, -1 for trouble; skip passes over at most
   so many bytes and says how many. */
int ca_open(void *archive, void *context,
            ssize_t (*read)(void *archive, void *context, const void **buffer),
            int64_t (*skip)(void *archive, void *context, int64_t count));
/* Goes to the next member: CA_OK, CA_WARNING, CA_END, or another number for trouble. */
int ca_next(void *archive, void **entry);
/* Reads of the member: a count, 0 at its end, or a negative number for trouble. */
ssize_t ca_read(void *archive, void *bytes, size_t count);
const char *ca_error(void *archive);
/* errno of what failed, or a number of libarchive's own. */
int ca_error_number(void *archive);
/* Bytes of the archive, decompressed, that were consumed. */
int64_t ca_position(void *archive);
/* Bytes of the input that were made use of. */
int64_t ca_taken(void *archive);
/* How many compressions are around it. */
int ca_filters(void *archive);
/* The format's name, in a zip with the member's compression. */
const char *ca_format(void *archive);
void ca_free(void *archive);

/* The member's name, NULL where it has none that can be told. */
const char *ca_name(void *entry);
/* Whether it is a plain file: no link, no device, no folder, no map of holes. */
int ca_is_plain(void *entry);
int ca_is_folder(void *entry);
/* Its size in bytes, -1 where that is not told in front. */
int64_t ca_size(void *entry);

/* A tar in pax format that is written to fd; NULL without memory. Never freed: the process ends, and
   an archive that was not ended must not be by accident. */
void *ca_begin_tar(int fd);
/* A member: name, mode with its kind, size in bytes; NULL without memory. */
void *ca_new_entry(const char *name, uint32_t mode, int64_t size);
void ca_free_entry(void *entry);
void ca_set_symlink(void *entry, const char *target);
void ca_set_hardlink(void *entry, const char *target);
void ca_set_modified(void *entry, int64_t seconds, uint32_t nanoseconds);
void ca_set_accessed(void *entry, int64_t seconds, uint32_t nanoseconds);
void ca_set_owner(void *entry, uint32_t user, uint32_t group);
void ca_set_device(void *entry, uint32_t major, uint32_t minor);
void ca_add_attribute(void *entry, const char *name, const void *value, size_t count);
/* A line of its access control list, numbered as Linux does; 0, or -1 when it is none. */
int ca_add_access(void *entry, int is_default, unsigned tag, unsigned rights, unsigned id);
/* A range that is no hole, in ascending order; with none of them, all is data. */
void ca_add_data_range(void *entry, int64_t offset, int64_t count);
/* Writes a member's header, then its bytes (those of holes, too, which are not written), and its
   end; 0 or a count, negative for trouble. */
int ca_write_header(void *archive, void *entry);
ssize_t ca_write(void *archive, const void *bytes, size_t count);
int ca_finish_entry(void *archive);
/* Writes the archive's end. */
int ca_end_tar(void *archive);

/* Parses a whole document. start and end get names as they are written; attributes are pairs, a NULL
   behind them; a result other than 0 stops the parser. A DOCTYPE stops it with CX_DOCTYPE. */
enum { CX_OK = 0, CX_MALFORMED = 1, CX_STOPPED = 2, CX_DOCTYPE = 3 };
/* What parts a namespace from a local name. */
#define CX_SEPARATOR 10

int cx_parse(const char *bytes, int count, void *context,
             int (*start)(void *context, const char *name, const char **attributes),
             int (*end)(void *context, const char *name), uint64_t *place, const char **error);

#endif
