/*
 * Loaded by LD_PRELOAD: counts the calls of the system on files below FAULTS_BELOW, makes one of them fail, and writes all of
 * them down. The file FAULTS_CONTROL is shared with whoever decides which: see control.ts for its layout.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHORT_COUNT -1
#define STOP -2
#define MOST_FILES 65536

struct control {
  int64_t is_on, is_logged, calls, fail_at, fault, hits;
  char failed[464];
};

static struct control *control;
static const char *below;
static size_t below_length;
static int log_file = -1;
static unsigned char is_ours[MOST_FILES];
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULTS_CONTROL"), *log = getenv("FAULTS_LOG");
  below = getenv("FAULTS_BELOW");
  if (path == NULL || below == NULL) return;
  below_length = strlen(below);
  int file = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  if (file < 0) return;
  void *memory = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  syscall(SYS_close, file);
  if (memory == MAP_FAILED) return;
  if (log != NULL) log_file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  control = memory;
}

static int is_below(const char *path) {
  return control != NULL && control->is_on && path != NULL && strncmp(path, below, below_length) == 0 &&
         (path[below_length] == '/' || path[below_length] == 0);
}

static int is_open_below(int file) { return control != NULL && control->is_on && file >= 0 && file < MOST_FILES && is_ours[file]; }

static const char *path_of(int file, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  path[length < 0 ? 0 : length] = 0;
  return path;
}

/* One line, and the bytes of a write behind it. */
static void note(const char *call, const char *path, const char *to, int64_t at, const void *bytes, int64_t length) {
  if (!control->is_logged || log_file < 0) return;
  char line[2 * PATH_MAX + 128];
  int size = snprintf(line, sizeof line, "%s\t%s\t%s\t%lld\t%lld\n", call, path, to, (long long)at, (long long)length);
  struct iovec parts[2] = {{line, size}, {(void *)bytes, bytes == NULL ? 0 : length}};
  if (syscall(SYS_writev, log_file, parts, 2) < 0) abort();
}

/* Counts a call. The fault that it is to have, or 0. */
static int64_t fault_of(const char *call, const char *path) {
  int64_t number = ++control->calls;
  note("count", path, call, 0, NULL, 0);
  if (number != control->fail_at) return 0;
  control->hits++;
  snprintf(control->failed, sizeof control->failed, "%s %s", call, path);
  if (control->fault == STOP) kill(getpid(), SIGSTOP);
  return control->fault;
}

#define IN_TURN(condition, call, path, otherwise, result, done)                                                        \
  if (!(condition)) return otherwise;                                                                                  \
  pthread_mutex_lock(&lock);                                                                                           \
  int64_t fault = fault_of(call, path);                                                                                \
  __typeof__(otherwise) result = (__typeof__(otherwise))-1;                                                            \
  if (fault > 0) errno = fault;                                                                                        \
  else result = otherwise;                                                                                             \
  int error = errno;                                                                                                   \
  done;                                                                                                                \
  pthread_mutex_unlock(&lock);                                                                                         \
  errno = error;                                                                                                       \
  return result

static int opened(int file, const char *path, int flags, int existed) {
  if (file >= 0 && file < MOST_FILES) is_ours[file] = 1;
  if (file >= 0) note(flags & O_DIRECTORY ? "opendir" : !existed ? "create" : flags & O_TRUNC ? "empty" : "open", path, "", 0, NULL, 0);
  return file;
}

#define OPEN(name)                                                                                                     \
  int name(const char *path, int flags, ...) {                                                                         \
    va_list rest;                                                                                                      \
    va_start(rest, flags);                                                                                             \
    mode_t mode = va_arg(rest, mode_t);                                                                                \
    va_end(rest);                                                                                                      \
    int existed = is_below(path) && access(path, F_OK) == 0;                                                           \
    IN_TURN(is_below(path), flags & O_CREAT ? "create" : "open", path, REAL(name)(path, flags, mode), file,            \
            opened(file, path, flags, existed));                                                                       \
  }
OPEN(open)
OPEN(open64)

static int64_t here(int file, int64_t at) {
  if (at >= 0) return at;
  int flags = fcntl(file, F_GETFL);
  struct stat facts;
  if ((flags & O_APPEND) && fstat(file, &facts) == 0) return facts.st_size;
  return lseek(file, 0, SEEK_CUR);
}

static ssize_t write_one(int file, const void *bytes, size_t length, int64_t at) {
  return at < 0 ? syscall(SYS_write, file, bytes, length) : syscall(SYS_pwrite64, file, bytes, length, at);
}

static ssize_t write_below(int file, const void *bytes, size_t length, int64_t at) {
  char path[PATH_MAX];
  pthread_mutex_lock(&lock);
  path_of(file, path);
  int64_t fault = fault_of("write", path), start = here(file, at);
  ssize_t written = -1;
  if (fault > 0) errno = fault;
  else written = write_one(file, bytes, fault == SHORT_COUNT && length > 1 ? length / 2 : length, at);
  int error = errno;
  if (written >= 0) note("write", path, "", start, bytes, written);
  pthread_mutex_unlock(&lock);
  errno = error;
  return written;
}

ssize_t write(int file, const void *bytes, size_t length) {
  return is_open_below(file) ? write_below(file, bytes, length, -1) : write_one(file, bytes, length, -1);
}
ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) {
  return is_open_below(file) ? write_below(file, bytes, length, at) : write_one(file, bytes, length, at);
}
ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) { return pwrite(file, bytes, length, at); }
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) {
  if (!is_open_below(file)) return REAL(pwritev)(file, parts, count, at);
  return write_below(file, parts[0].iov_base, parts[0].iov_len, at);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
  if (!is_open_below(file)) return REAL(writev)(file, parts, count);
  return write_below(file, parts[0].iov_base, parts[0].iov_len, -1);
}

static ssize_t read_below(int file, void *bytes, size_t length, int64_t at) {
  char path[PATH_MAX];
  pthread_mutex_lock(&lock);
  int64_t fault = fault_of("read", path_of(file, path));
  ssize_t got = -1;
  if (fault == SHORT_COUNT && length > 1) length = length / 2 < 7 ? length / 2 : 7;
  if (fault > 0) errno = fault;
  else got = at < 0 ? syscall(SYS_read, file, bytes, length) : syscall(SYS_pread64, file, bytes, length, at);
  int error = errno;
  note("read", path, "", 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return got;
}

ssize_t read(int file, void *bytes, size_t length) {
  return is_open_below(file) ? read_below(file, bytes, length, -1) : syscall(SYS_read, file, bytes, length);
}
ssize_t pread(int file, void *bytes, size_t length, off_t at) {
  return is_open_below(file) ? read_below(file, bytes, length, at) : syscall(SYS_pread64, file, bytes, length, at);
}
ssize_t pread64(int file, void *bytes, size_t length, off64_t at) { return pread(file, bytes, length, at); }

#define ON_FILE(name, call, more_parameters, ...)                                                                      \
  int name(int file more_parameters) {                                                                                 \
    char path[PATH_MAX] = "";                                                                                          \
    if (is_open_below(file)) path_of(file, path);                                                                      \
    IN_TURN(is_open_below(file), call, path, REAL(name)(file __VA_ARGS__), result,                                     \
            result == 0 ? note(call, path, "", LENGTH, NULL, 0) : (void)0);                                            \
  }
#define NONE
#define COMMA_LENGTH , off_t length
#define LENGTH 0
ON_FILE(fsync, "fsync", NONE)
ON_FILE(fdatasync, "fsync", NONE)
#undef LENGTH
#define LENGTH length
ON_FILE(ftruncate, "truncate", COMMA_LENGTH, , length)
ON_FILE(ftruncate64, "truncate", COMMA_LENGTH, , length)
#undef LENGTH

int close(int file) {
  if (file < 0 || file >= MOST_FILES || !is_ours[file]) return syscall(SYS_close, file);
  is_ours[file] = 0;
  char path[PATH_MAX];
  pthread_mutex_lock(&lock);
  path_of(file, path);
  int64_t fault = control->is_on ? fault_of("close", path) : 0;
  /* The system closes it, whatever it says. */
  int result = syscall(SYS_close, file), error = errno;
  if (control->is_on) note("close", path, "", 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = fault > 0 ? fault : error;
  return fault > 0 ? -1 : result;
}

#define ON_PATH(type, name, call, more_parameters, ...)                                                                \
  type name(const char *path more_parameters) {                                                                        \
    IN_TURN(is_below(path), call, path, REAL(name)(path __VA_ARGS__), result,                                          \
            result == (__typeof__(result))-1 ? (void)0 : note(call, path, "", 0, NULL, 0));                            \
  }
#define COMMA_MODE , mode_t mode
ON_PATH(int, unlink, "unlink", NONE)
ON_PATH(int, rmdir, "rmdir", NONE)
ON_PATH(int, mkdir, "mkdir", COMMA_MODE, , mode)
#define COMMA_SCAN , struct dirent ***list, int (*filter)(const struct dirent *), int (*order)(const struct dirent **, const struct dirent **)
ON_PATH(int, scandir, "readdir", COMMA_SCAN, , list, filter, order)

int rename(const char *path, const char *to) {
  IN_TURN(is_below(path) || is_below(to), "rename", path, REAL(rename)(path, to), result,
          result == 0 ? note("rename", path, to, 0, NULL, 0) : (void)0);
}
int link(const char *path, const char *to) {
  IN_TURN(is_below(to), "link", path, REAL(link)(path, to), result, result == 0 ? note("link", path, to, 0, NULL, 0) : (void)0);
}
int symlink(const char *path, const char *to) {
  IN_TURN(is_below(to), "symlink", to, REAL(symlink)(path, to), result,
          result == 0 ? note("symlink", to, path, 0, NULL, 0) : (void)0);
}

/* libuv asks for a file's facts by the number of the call. */
long syscall(long number, ...) {
  va_list rest;
  va_start(rest, number);
  long a[6];
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  static long (*real)(long, ...);
  if (real == NULL) real = REAL(syscall);
  const char *path = number == SYS_statx ? (const char *)a[1] : NULL;
  IN_TURN(number == SYS_statx && is_below(path), "stat", path, real(number, a[0], a[1], a[2], a[3], a[4], a[5]), result,
          note("stat", path, "", 0, NULL, 0));
}
