/*
 * A disk to test with: a library for LD_PRELOAD that changes what SQLite's files meet, by variables of the environment.
 *
 * DISK_SYNC_MILLISECONDS  fsync and fdatasync take so much longer
 * DISK_FAULT              the path of a file; while it is there, what it says fails: "sync" (EIO, for a log) or "write" (ENOSPC)
 * DISK_SYNCED             a folder that gets a copy of each file as it was when it was last synchronised: what is left
 *                         after a loss of power at the worst moment
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, CHUNK = 65536 };

/* Of two copies of one file the later one must be the later content. */
static pthread_mutex_t one_sync = PTHREAD_MUTEX_INITIALIZER;

static int name_of(int fd, char *name) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, name, PATH_SIZE - 1);
  if (length < 0) return 0;
  name[length] = 0;
  return strstr(name, ".sqlite") != NULL;
}

static int ends_with(const char *name, const char *end) {
  size_t length = strlen(name), tail = strlen(end);
  return length >= tail && strcmp(name + length - tail, end) == 0;
}

static int is_failing(const char *what) {
  const char *path = getenv("DISK_FAULT");
  if (path == NULL) return 0;
  int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char found[16] = "";
  syscall(SYS_read, fd, found, sizeof found - 1);
  syscall(SYS_close, fd);
  return strncmp(found, what, strlen(what)) == 0;
}

/* Through a descriptor of its own for -wal files only: closing one of the database would end its locks. */
static void copy(int from, const char *to) {
  static char octets[CHUNK];
  int fd = syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ssize_t length;
  for (off_t at = 0; (length = pread(from, octets, CHUNK, at)) > 0; at += length) syscall(SYS_pwrite64, fd, octets, length, at);
  syscall(SYS_close, fd);
}

static int synchronise(int fd, long call) {
  char name[PATH_SIZE];
  int is_of_sqlite = name_of(fd, name);
  if (is_of_sqlite && ends_with(name, "-wal") && is_failing("sync")) {
    errno = EIO;
    return -1;
  }
  const char *milliseconds = getenv("DISK_SYNC_MILLISECONDS");
  if (milliseconds != NULL) {
    long wait = atol(milliseconds);
    nanosleep(&(struct timespec){wait / 1000, wait % 1000 * 1000000L}, NULL);
  }
  const char *folder = getenv("DISK_SYNCED");
  if (folder == NULL || !is_of_sqlite) return syscall(call, fd);
  char copied[PATH_SIZE], kept[PATH_SIZE];
  snprintf(kept, sizeof kept, "%.2000s/%.1000s", folder, basename(name));
  snprintf(copied, sizeof copied, "%.3500s.new", kept);
  pthread_mutex_lock(&one_sync);
  copy(fd, copied);
  int result = syscall(call, fd);
  if (result == 0) rename(copied, kept);
  pthread_mutex_unlock(&one_sync);
  return result;
}

int fsync(int fd) { return synchronise(fd, SYS_fsync); }
int fdatasync(int fd) { return synchronise(fd, SYS_fdatasync); }

static int is_full(int fd) {
  char name[PATH_SIZE];
  if (!is_failing("write") || !name_of(fd, name)) return 0;
  errno = ENOSPC;
  return 1;
}

ssize_t write(int fd, const void *octets, size_t length) {
  return is_full(fd) ? -1 : syscall(SYS_write, fd, octets, length);
}
ssize_t pwrite(int fd, const void *octets, size_t length, off_t at) {
  return is_full(fd) ? -1 : syscall(SYS_pwrite64, fd, octets, length, at);
}
ssize_t pwrite64(int fd, const void *octets, size_t length, off_t at) {
  return is_full(fd) ? -1 : syscall(SYS_pwrite64, fd, octets, length, at);
}
