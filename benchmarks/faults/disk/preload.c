/* Spoils the files below one directory, and sets the wall clock, of the process that it is loaded into.

   FAULTS_PRELOAD_BELOW names the directory, FAULTS_PRELOAD_CONTROL a file with three numbers of 64 bits: what
   happens to calls below it (0 nothing, -1 they hang, else the error they end with), to which of them (1 those
   that read, 2 those that write, 4 those that remove), and by how many seconds the wall clock is set. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { READS = 1, WRITES = 2, REMOVES = 4 };
enum { HANGS = -1 };
enum { ERROR, KINDS, CLOCK };

static volatile int64_t untouched[3];
static volatile int64_t *control = untouched;
static const char *below;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTS_PRELOAD_CONTROL");
    below = getenv("FAULTS_PRELOAD_BELOW");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *seen = mmap(NULL, sizeof untouched, PROT_READ, MAP_SHARED, file, 0);
    if (seen != MAP_FAILED)
        control = seen;
    close(file);
}

static int is_below(int folder, const char *name)
{
    char path[PATH_MAX + 1], link[64];
    size_t length = strlen(below);
    if (!name || name[0] != '/') {
        if (folder == AT_FDCWD)
            return 0;
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t size = readlink(link, path, PATH_MAX);
        if (size < 0)
            return 0;
        path[size] = 0;
        name = path;
    }
    return strncmp(name, below, length) == 0 && (name[length] == '/' || name[length] == 0);
}

/* True where the call is to fail; returns late where it is to hang. */
static int fails(int kind, int folder, const char *name)
{
    int saved = errno;
    struct timespec moment = {0, 10000000};
    if (!control[ERROR] || !(control[KINDS] & kind) || !below || !is_below(folder, name))
        return 0;
    while (control[ERROR] == HANGS)
        nanosleep(&moment, NULL);
    errno = control[ERROR] ? control[ERROR] : saved;
    return control[ERROR] != 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define SPOILT(kind, result, failure, name, takes, folder, path, gives) \
    result name takes { return fails(kind, folder, path) ? (failure) : REAL(name) gives; }

#define OPENS(name, takes, folder, gives)                       \
    int name takes                                              \
    {                                                           \
        va_list rest;                                           \
        va_start(rest, flags);                                  \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                           \
        return fails(flags & O_CREAT ? WRITES : READS, folder, path) ? -1 : REAL(name) gives; \
    }

OPENS(open, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
OPENS(open64, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
OPENS(openat, (int folder, const char *path, int flags, ...), folder, (folder, path, flags, mode))
OPENS(openat64, (int folder, const char *path, int flags, ...), folder, (folder, path, flags, mode))

SPOILT(READS, ssize_t, -1, read, (int file, void *to, size_t size), file, NULL, (file, to, size))
SPOILT(WRITES, ssize_t, -1, write, (int file, const void *from, size_t size), file, NULL, (file, from, size))
SPOILT(READS, ssize_t, -1, pread64, (int file, void *to, size_t size, off64_t at), file, NULL, (file, to, size, at))
SPOILT(WRITES, ssize_t, -1, pwrite64, (int file, const void *from, size_t size, off64_t at), file, NULL,
       (file, from, size, at))
SPOILT(WRITES, int, -1, mkdir, (const char *path, mode_t mode), AT_FDCWD, path, (path, mode))
SPOILT(WRITES, int, -1, mkdirat, (int folder, const char *path, mode_t mode), folder, path, (folder, path, mode))
SPOILT(REMOVES, int, -1, unlinkat, (int folder, const char *path, int flags), folder, path, (folder, path, flags))
SPOILT(WRITES, int, -1, renameat, (int folder, const char *path, int to, const char *name), folder, path,
       (folder, path, to, name))
SPOILT(READS, int, -1, stat64, (const char *path, struct stat64 *found), AT_FDCWD, path, (path, found))
SPOILT(READS, int, -1, stat, (const char *path, struct stat *found), AT_FDCWD, path, (path, found))
SPOILT(READS, int, -1, fstatat64, (int folder, const char *path, struct stat64 *found, int flags), folder, path,
       (folder, path, found, flags))
SPOILT(READS, int, -1, fstatat, (int folder, const char *path, struct stat *found, int flags), folder, path,
       (folder, path, found, flags))
SPOILT(READS, int, -1, fstatvfs64, (int file, struct statvfs64 *found), file, NULL, (file, found))
SPOILT(READS, int, -1, fstatvfs, (int file, struct statvfs *found), file, NULL, (file, found))
SPOILT(READS, DIR *, NULL, fdopendir, (int file), file, NULL, (file))

int clock_gettime(clockid_t clock, struct timespec *found)
{
    static __typeof__(&clock_gettime) real;
    if (!real)
        real = REAL(clock_gettime);
    int result = real(clock, found);
    if (result == 0 && clock == CLOCK_REALTIME)
        found->tv_sec += control[CLOCK];
    return result;
}

int gettimeofday(struct timeval *restrict found, void *restrict zone)
{
    int result = REAL(gettimeofday)(found, zone);
    if (result == 0)
        found->tv_sec += control[CLOCK];
    return result;
}

time_t time(time_t *found)
{
    time_t now = REAL(time)(NULL) + control[CLOCK];
    if (found)
        *found = now;
    return now;
}
