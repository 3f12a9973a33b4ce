#define _GNU_SOURCE
#include "CArchive.h"

#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <expat.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

/* Every function that is used, by the type that its header gives it. */
#define ARCHIVE_FUNCTIONS(F) \
  F(archive_read_new) F(archive_read_support_format_tar) F(archive_read_support_format_zip_streamable) \
  F(archive_read_support_format_raw) F(archive_read_support_filter_gzip) \
  F(archive_read_support_filter_bzip2) F(archive_read_support_filter_xz) \
  F(archive_read_support_filter_zstd) F(archive_read_support_filter_lz4) F(archive_read_open2) \
  F(archive_read_next_header) F(archive_read_data) F(archive_error_string) F(archive_errno) F(archive_filter_bytes) \
  F(archive_filter_count) F(archive_format_name) F(archive_read_free) F(archive_entry_pathname) \
  F(archive_entry_pathname_utf8) F(archive_entry_filetype) F(archive_entry_hardlink) \
  F(archive_entry_hardlink_utf8) F(archive_entry_sparse_count) F(archive_entry_size) \
  F(archive_entry_size_is_set) F(archive_entry_is_encrypted) F(archive_write_new) \
  F(archive_write_set_format_pax) F(archive_write_set_format_option) F(archive_write_add_filter_none) F(archive_write_set_bytes_per_block) \
  F(archive_write_set_bytes_in_last_block) F(archive_write_open_fd) F(archive_write_header) \
  F(archive_write_data) F(archive_write_finish_entry) F(archive_write_close) F(archive_write_free) \
  F(archive_entry_new) F(archive_entry_free) F(archive_entry_copy_pathname) F(archive_entry_copy_symlink) \
  F(archive_entry_copy_hardlink) F(archive_entry_set_mode) F(archive_entry_set_size) \
  F(archive_entry_set_uid) F(archive_entry_set_gid) F(archive_entry_set_mtime) F(archive_entry_set_atime) \
  F(archive_entry_set_rdevmajor) F(archive_entry_set_rdevminor) F(archive_entry_xattr_add_entry) \
  F(archive_entry_sparse_add_entry) F(archive_entry_acl_add_entry)
#define EXPAT_FUNCTIONS(F) \
  F(XML_ParserCreateNS) F(XML_SetUserData) F(XML_SetElementHandler) F(XML_SetStartDoctypeDeclHandler) \
  F(XML_Parse) F(XML_StopParser) F(XML_GetErrorCode) F(XML_ErrorString) F(XML_GetCurrentByteIndex) \
  F(XML_ParserFree)

#define DECLARE(name) static __typeof__(&name) p_##name;
ARCHIVE_FUNCTIONS(DECLARE)
EXPAT_FUNCTIONS(DECLARE)

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static int archive_is_there, expat_is_there;
static char load_error[256];

const char *ca_load_error(void) { return load_error; }

static void *open_library(const char *name) {
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) snprintf(load_error, sizeof load_error, "%s", dlerror());
  return library;
}

static int find(void *library, const char *name, void **place) {
  *place = dlsym(library, name);
  if (*place) return 1;
  snprintf(load_error, sizeof load_error, "%s", dlerror());
  return 0;
}

#define FIND(name) && find(library, #name, (void **)&p_##name)

int ca_load(void) {
  pthread_mutex_lock(&loading);
  if (!archive_is_there) {
    void *library = open_library("libarchive.so.13");
    archive_is_there = library ARCHIVE_FUNCTIONS(FIND);
  }
  pthread_mutex_unlock(&loading);
  return archive_is_there ? 0 : -1;
}

int cx_load(void) {
  pthread_mutex_lock(&loading);
  if (!expat_is_there) {
    void *library = open_library("libexpat.so.1");
    expat_is_there = library EXPAT_FUNCTIONS(FIND);
  }
  pthread_mutex_unlock(&loading);
  return expat_is_there ? 0 : -1;
}

void *ca_new(int kinds) {
  struct archive *archive = p_archive_read_new();
  if (!archive) return NULL;
  /* A filter that is a program of its own would give a warning, and is not wanted. */
  int status = p_archive_read_support_filter_gzip(archive);
  if (!status) status = p_archive_read_support_filter_bzip2(archive);
  if (!status) status = p_archive_read_support_filter_xz(archive);
  if (!status) status = p_archive_read_support_filter_zstd(archive);
  if (!status) status = p_archive_read_support_filter_lz4(archive);
  if (!status && kinds & CA_TAR) status = p_archive_read_support_format_tar(archive);
  if (!status && kinds & CA_ZIP) status = p_archive_read_support_format_zip_streamable(archive);
  if (!status && kinds & CA_RAW) status = p_archive_read_support_format_raw(archive);
  if (status) {
    p_archive_read_free(archive);
    return NULL;
  }
  return archive;
}

int ca_open(void *archive, void *context, ssize_t (*read)(void *, void *, const void **),
            int64_t (*skip)(void *, void *, int64_t)) {
  return p_archive_read_open2(archive, context, NULL, (archive_read_callback *)(void *)read,
                              (archive_skip_callback *)(void *)skip, NULL);
}

int ca_next(void *archive, void **entry) {
  return p_archive_read_next_header(archive, (struct archive_entry **)entry);
}

ssize_t ca_read(void *archive, void *bytes, size_t count) {
  return p_archive_read_data(archive, bytes, count);
}

const char *ca_error(void *archive) { return p_archive_error_string(archive); }
int ca_error_number(void *archive) { return p_archive_errno(archive); }
int64_t ca_taken(void *archive) { return p_archive_filter_bytes(archive, -1); }
int64_t ca_position(void *archive) { return p_archive_filter_bytes(archive, 0); }
int ca_filters(void *archive) { return p_archive_filter_count(archive) - 1; }
const char *ca_format(void *archive) { return p_archive_format_name(archive); }
void ca_free(void *archive) { p_archive_read_free(archive); }

const char *ca_name(void *entry) {
  const char *name = p_archive_entry_pathname(entry);
  return name ? name : p_archive_entry_pathname_utf8(entry);
}

int ca_is_plain(void *entry) {
  return S_ISREG(p_archive_entry_filetype(entry)) && !p_archive_entry_hardlink(entry) &&
         !p_archive_entry_hardlink_utf8(entry) && p_archive_entry_sparse_count(entry) == 0 &&
         p_archive_entry_is_encrypted(entry) != 1;
}

int ca_is_folder(void *entry) { return S_ISDIR(p_archive_entry_filetype(entry)); }

int64_t ca_size(void *entry) {
  return p_archive_entry_size_is_set(entry) ? p_archive_entry_size(entry) : -1;
}

void *ca_begin_tar(int fd) {
  /* Names are bytes, which libarchive takes for text of this thread's locale. */
  locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  if (utf8) uselocale(utf8);
  struct archive *archive = p_archive_write_new();
  if (!archive) return NULL;
  int status = p_archive_write_set_format_pax(archive);
  /* Else each attribute is there twice, the second time in a form of libarchive's own. */
  if (!status) p_archive_write_set_format_option(archive, "pax", "xattrheader", "SCHILY");
  if (status || p_archive_write_add_filter_none(archive) ||
      p_archive_write_set_bytes_per_block(archive, 20480 * 13) ||
      p_archive_write_set_bytes_in_last_block(archive, 10240) || p_archive_write_open_fd(archive, fd)) {
    p_archive_write_free(archive);
    return NULL;
  }
  return archive;
}

void *ca_new_entry(const char *name, uint32_t mode, int64_t size) {
  struct archive_entry *entry = p_archive_entry_new();
  if (!entry) return NULL;
  p_archive_entry_copy_pathname(entry, name);
  p_archive_entry_set_mode(entry, mode);
  p_archive_entry_set_size(entry, size);
  return entry;
}

void ca_free_entry(void *entry) { p_archive_entry_free(entry); }
void ca_set_symlink(void *entry, const char *target) { p_archive_entry_copy_symlink(entry, target); }
void ca_set_hardlink(void *entry, const char *target) { p_archive_entry_copy_hardlink(entry, target); }
void ca_set_modified(void *entry, int64_t seconds, uint32_t nanoseconds) {
  p_archive_entry_set_mtime(entry, seconds, nanoseconds);
}
void ca_set_accessed(void *entry, int64_t seconds, uint32_t nanoseconds) {
  p_archive_entry_set_atime(entry, seconds, nanoseconds);
}
void ca_set_owner(void *entry, uint32_t user, uint32_t group) {
  p_archive_entry_set_uid(entry, user);
  p_archive_entry_set_gid(entry, group);
}
void ca_set_device(void *entry, uint32_t major, uint32_t minor) {
  p_archive_entry_set_rdevmajor(entry, major);
  p_archive_entry_set_rdevminor(entry, minor);
}
void ca_add_attribute(void *entry, const char *name, const void *value, size_t count) {
  p_archive_entry_xattr_add_entry(entry, name, value, count);
}
/* The tags of posix_acl_xattr.h. */
int ca_add_access(void *entry, int is_default, unsigned tag, unsigned rights, unsigned id) {
  int tags[][2] = {{1, ARCHIVE_ENTRY_ACL_USER_OBJ}, {2, ARCHIVE_ENTRY_ACL_USER}, {4, ARCHIVE_ENTRY_ACL_GROUP_OBJ},
                   {8, ARCHIVE_ENTRY_ACL_GROUP}, {16, ARCHIVE_ENTRY_ACL_MASK}, {32, ARCHIVE_ENTRY_ACL_OTHER}};
  int type = is_default ? ARCHIVE_ENTRY_ACL_TYPE_DEFAULT : ARCHIVE_ENTRY_ACL_TYPE_ACCESS;
  for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
    if (tags[i][0] == (int)tag)
      return p_archive_entry_acl_add_entry(entry, type, rights & 7, tags[i][1], (int)id, NULL) == ARCHIVE_OK ? 0 : -1;
  return -1;
}
void ca_add_data_range(void *entry, int64_t offset, int64_t count) {
  p_archive_entry_sparse_add_entry(entry, offset, count);
}

/* A warning is about a name that is no UTF-8, which is written as it is. */
static int ca_result(int status) { return status == ARCHIVE_OK || status == ARCHIVE_WARN ? 0 : -1; }

int ca_write_header(void *archive, void *entry) { return ca_result(p_archive_write_header(archive, entry)); }
ssize_t ca_write(void *archive, const void *bytes, size_t count) {
  return p_archive_write_data(archive, bytes, count);
}
int ca_finish_entry(void *archive) { return ca_result(p_archive_write_finish_entry(archive)); }
int ca_end_tar(void *archive) { return ca_result(p_archive_write_close(archive)); }

/* What the handlers need. */
struct reading {
  XML_Parser parser;
  void *context;
  int (*start)(void *, const char *, const char **);
  int (*end)(void *, const char *);
  int result;
};

static void stop(struct reading *reading, int result) {
  if (reading->result) return;
  reading->result = result;
  p_XML_StopParser(reading->parser, XML_FALSE);
}

static void on_start(void *data, const XML_Char *name, const XML_Char **attributes) {
  struct reading *reading = data;
  if (!reading->result && reading->start(reading->context, name, attributes)) stop(reading, CX_STOPPED);
}

static void on_end(void *data, const XML_Char *name) {
  struct reading *reading = data;
  if (!reading->result && reading->end(reading->context, name)) stop(reading, CX_STOPPED);
}

/* With no declarations there are no entities, inner or outer ones. */
static void on_doctype(void *data, const XML_Char *name, const XML_Char *system, const XML_Char *public_id,
                       int has_subset) {
  (void)name, (void)system, (void)public_id, (void)has_subset;
  stop(data, CX_DOCTYPE);
}

int cx_parse(const char *bytes, int count, void *context,
             int (*start)(void *, const char *, const char **), int (*end)(void *, const char *),
             uint64_t *place, const char **error) {
  struct reading reading = {p_XML_ParserCreateNS(NULL, CX_SEPARATOR), context, start, end, CX_OK};
  *place = 0;
  *error = "out of memory";
  if (!reading.parser) return CX_MALFORMED;
  p_XML_SetUserData(reading.parser, &reading);
  p_XML_SetElementHandler(reading.parser, on_start, on_end);
  p_XML_SetStartDoctypeDeclHandler(reading.parser, on_doctype);
  if (p_XML_Parse(reading.parser, bytes, count, 1) != XML_STATUS_OK && !reading.result)
    reading.result = CX_MALFORMED;
  long index = p_XML_GetCurrentByteIndex(reading.parser);
  *place = index < 0 ? 0 : (uint64_t)index;
  *error = p_XML_ErrorString(p_XML_GetErrorCode(reading.parser));
  p_XML_ParserFree(reading.parser);
  return reading.result;
}
