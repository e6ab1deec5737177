/* Stands before libc's own calls, and writes every change below the directory POWERCUT_DIR into the file
 * POWERCUT_LOG, which `record.py` reads. The log is shared memory: what is in it outlives SIGKILL.
 *
 * One lock is held around a call and its record, so that the records are in the order of the effects. A
 * sync has two, when it begins and when it returned, and runs without the lock. A call that changes files
 * and is not kept account of is a record too, which no reader takes.
 *
 * With POWERCUT_TOTAL the file system says that it has so many octets: stores are small on small disks. With
 * POWERCUT_GROWS it has no fallocate. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { CREATE = 1, OPEN, MKDIR, UNLINK, RENAME, WRITE, SIZE, PUNCH, ALLOCATE, SYNC_BEGUN, SYNCED, UNKNOWN };

/* `size` octets of data follow, up to a multiple of eight; `began` is in ns of CLOCK_MONOTONIC. */
struct record {
    uint32_t kind, size;
    uint64_t began, inode, at, length;
    int64_t result;
};

#define CAPACITY (1ul << 32)
#define FDS 65536
#define NO_RESULT INT64_MIN
#define REAL(name) ((__typeof__(&name))real(#name))
#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *log_octets, root[PATH_MAX];
static uint64_t inodes[FDS], log_end = 8; /* 0 is a descriptor of something else */

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static struct record *record(enum kind kind, uint64_t inode, uint64_t at, uint64_t length, size_t size) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (log_end + sizeof(struct record) + size + 8 > CAPACITY) abort();
    struct record *made = (struct record *)(log_octets + log_end);
    *made = (struct record){kind, size, now.tv_sec * 1000000000ull + now.tv_nsec, inode, at, length, NO_RESULT};
    return made;
}

/* Readers find it from here on, whatever becomes of the process. */
static void publish(struct record *made) {
    log_end += sizeof *made + (made->size + 7ul) / 8 * 8;
    __atomic_store_n((uint64_t *)log_octets, log_end, __ATOMIC_RELEASE);
}

static struct record *named(enum kind kind, uint64_t inode, uint64_t at, const char *path) {
    struct record *made = record(kind, inode, at, 0, strlen(path));
    memcpy(made + 1, path, made->size);
    publish(made);
    return made;
}

static int64_t done(struct record *made, int64_t result) {
    int kept = errno;
    if (made) made->result = result;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}

__attribute__((constructor)) static void begin(void) {
    const char *directory = getenv("POWERCUT_DIR"), *file = getenv("POWERCUT_LOG");
    if (!directory || !file || !realpath(directory, root)) abort();
    int log = REAL(open)(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (log < 0 || REAL(ftruncate)(log, CAPACITY)) abort();
    log_octets = mmap(NULL, CAPACITY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, log, 0);
    if (log_octets == MAP_FAILED) abort();
    REAL(close)(log);
    *(uint64_t *)log_octets = log_end;
}

/* The path below the root ("" is the root itself), or NULL where it is not; `kept` takes it. */
static const char *below(int at, const char *path, char kept[PATH_MAX]) {
    char whole[PATH_MAX], above[PATH_MAX];
    if (path[0] == '/') snprintf(whole, sizeof whole, "%s", path);
    else if (at == AT_FDCWD) snprintf(whole, sizeof whole, "./%s", path);
    else snprintf(whole, sizeof whole, "/proc/self/fd/%d/%s", at, path);
    size_t length = strlen(root);
    char *name = strrchr(whole, '/');
    if (realpath(whole, kept) == NULL) {
        if (errno != ENOENT) return NULL;
        *name++ = 0;
        if (!realpath(whole[0] ? whole : "/", above)) return NULL;
        if (snprintf(kept, PATH_MAX, "%s/%s", above, name) >= PATH_MAX) return NULL;
    }
    if (strncmp(kept, root, length) || (kept[length] && kept[length] != '/')) return NULL;
    return kept[length] ? kept + length + 1 : kept + length;
}

static uint64_t inode_of(int fd) {
    return fd >= 0 && fd < FDS ? inodes[fd] : 0;
}

static int remember(int fd, uint64_t inode) {
    if (fd >= FDS) abort();
    if (fd >= 0) inodes[fd] = inode;
    return fd;
}

static int opened(int at, const char *path, int flags, mode_t mode) {
    char kept[PATH_MAX];
    struct stat before, after;
    int keep = errno;
    pthread_mutex_lock(&lock);
    const char *found = below(at, path, kept);
    errno = keep;
    if (!found) {
        int fd = remember(REAL(openat)(at, path, flags, mode), 0);
        return done(NULL, fd);
    }
    int is_new = fstatat(at, path, &before, 0) != 0;
    if ((flags & __O_TMPFILE) == __O_TMPFILE) named(UNKNOWN, 0, 0, "open of a file without a name");
    struct record *made = named(is_new ? CREATE : OPEN, is_new ? 0 : before.st_ino, flags & O_TRUNC, found);
    int fd = REAL(openat)(at, path, flags, mode);
    if (fd >= 0 && fstat(fd, &after)) abort();
    if (fd >= 0) made->inode = after.st_ino;
    return done(made, remember(fd, made->inode));
}

#define MODE(flags) ({ mode_t m = 0; if ((flags & O_CREAT) || (flags & __O_TMPFILE) == __O_TMPFILE) { \
    va_list more; va_start(more, flags); m = va_arg(more, mode_t); va_end(more); } m; })
EXPORT int open(const char *path, int flags, ...) { return opened(AT_FDCWD, path, flags, MODE(flags)); }
EXPORT int open64(const char *path, int flags, ...) { return opened(AT_FDCWD, path, flags, MODE(flags)); }
EXPORT int openat(int at, const char *path, int flags, ...) { return opened(at, path, flags, MODE(flags)); }
EXPORT int openat64(int at, const char *path, int flags, ...) { return opened(at, path, flags, MODE(flags)); }

EXPORT int close(int fd) {
    pthread_mutex_lock(&lock);
    remember(fd, 0);
    return done(NULL, REAL(close)(fd));
}

static int same(int made, int fd) { return remember(made, inode_of(fd)); }

EXPORT int dup(int fd) { pthread_mutex_lock(&lock); return done(NULL, same(REAL(dup)(fd), fd)); }
EXPORT int dup2(int fd, int to) { pthread_mutex_lock(&lock); return done(NULL, same(REAL(dup2)(fd, to), fd)); }
EXPORT int dup3(int fd, int to, int flags) {
    pthread_mutex_lock(&lock);
    return done(NULL, same(REAL(dup3)(fd, to, flags), fd));
}

static int control(int fd, int what, void *how) {
    int copies = what == F_DUPFD || what == F_DUPFD_CLOEXEC;
    if (!copies) return REAL(fcntl)(fd, what, how); /* some of these wait */
    pthread_mutex_lock(&lock);
    return done(NULL, same(REAL(fcntl)(fd, what, how), fd));
}

#define HOW ({ va_list more; va_start(more, what); void *h = va_arg(more, void *); va_end(more); h; })
EXPORT int fcntl(int fd, int what, ...) { return control(fd, what, HOW); }
EXPORT int fcntl64(int fd, int what, ...) { return control(fd, what, HOW); }

/* At `at`, or where the descriptor stands (-1). */
static ssize_t written(int fd, const struct iovec *parts, int count, off_t at) {
    if (!inode_of(fd)) return at < 0 ? REAL(writev)(fd, parts, count) : REAL(pwritev)(fd, parts, count, at);
    pthread_mutex_lock(&lock);
    struct stat now;
    int appends = REAL(fcntl)(fd, F_GETFL) & O_APPEND;
    off_t place = at < 0 ? lseek(fd, 0, SEEK_CUR) : at;
    if (appends && fstat(fd, &now) == 0) place = now.st_size;
    size_t length = 0;
    for (int i = 0; i < count; i++) length += parts[i].iov_len;
    struct record *made = record(WRITE, inodes[fd], place, length, length);
    char *octets = (char *)(made + 1);
    for (int i = 0; i < count; octets += parts[i++].iov_len) memcpy(octets, parts[i].iov_base, parts[i].iov_len);
    publish(made);
    return done(made, at < 0 ? REAL(writev)(fd, parts, count) : REAL(pwritev)(fd, parts, count, at));
}

#define ONE(data, size) (&(struct iovec){(void *)(data), (size)}), 1
EXPORT ssize_t write(int fd, const void *data, size_t size) {
    return inode_of(fd) ? written(fd, ONE(data, size), -1) : REAL(write)(fd, data, size);
}
EXPORT ssize_t pwrite(int fd, const void *d, size_t size, off_t at) { return written(fd, ONE(d, size), at); }
EXPORT ssize_t pwrite64(int fd, const void *d, size_t size, off64_t at) { return written(fd, ONE(d, size), at); }
EXPORT ssize_t writev(int fd, const struct iovec *parts, int n) { return written(fd, parts, n, -1); }
EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at) { return written(fd, parts, n, at); }
EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t at) { return written(fd, parts, n, at); }
/* Flags, such as RWF_DSYNC, are refused, as on systems that do not know them. */
EXPORT ssize_t pwritev2(int fd, const struct iovec *parts, int n, off_t at, int flags) {
    return flags ? (errno = EOPNOTSUPP, -1) : written(fd, parts, n, at);
}
EXPORT ssize_t pwritev64v2(int fd, const struct iovec *parts, int n, off64_t at, int flags) {
    return flags ? (errno = EOPNOTSUPP, -1) : written(fd, parts, n, at);
}

EXPORT int ftruncate(int fd, off_t length) {
    pthread_mutex_lock(&lock);
    struct record *made = inode_of(fd) ? record(SIZE, inodes[fd], 0, length, 0) : NULL;
    if (made) publish(made);
    return done(made, REAL(ftruncate)(fd, length));
}
EXPORT int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

EXPORT int fallocate(int fd, int mode, off_t at, off_t length) {
    if (getenv("POWERCUT_GROWS")) return errno = EOPNOTSUPP, -1;
    pthread_mutex_lock(&lock);
    enum kind kind = mode == 0 ? ALLOCATE
        : mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) ? PUNCH : UNKNOWN;
    struct record *made = inode_of(fd) ? record(kind, inodes[fd], at, length, 0) : NULL;
    if (made) publish(made);
    return done(made, REAL(fallocate)(fd, mode, at, length));
}
EXPORT int fallocate64(int fd, int mode, off64_t at, off64_t length) { return fallocate(fd, mode, at, length); }

/* What was written before it began is on disk once it returned: `at` of the end is where the beginning stands. */
static int synced(int fd, int (*sync)(int)) {
    if (!inode_of(fd)) return sync(fd);
    pthread_mutex_lock(&lock);
    uint64_t inode = inodes[fd];
    struct record *made = record(SYNC_BEGUN, inode, 0, 0, 0);
    uint64_t place = (char *)made - log_octets;
    publish(made);
    done(made, 0);
    int result = sync(fd), keep = errno;
    pthread_mutex_lock(&lock);
    made = record(SYNCED, inode, place, 0, 0);
    publish(made);
    errno = keep;
    return done(made, result);
}
EXPORT int fsync(int fd) { return synced(fd, REAL(fsync)); }
EXPORT int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

/* A change of the name `path`, whose record is made before the call. */
static struct record *changed(enum kind kind, int at, const char *path) {
    char kept[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *found = below(at, path, kept);
    return found ? named(kind, 0, 0, found) : NULL;
}

EXPORT int unlinkat(int at, const char *path, int flags) {
    struct record *made = changed(UNLINK, at, path);
    return done(made, REAL(unlinkat)(at, path, flags));
}
EXPORT int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
EXPORT int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
EXPORT int remove(const char *path) {
    int result = unlink(path);
    return result && errno == EISDIR ? rmdir(path) : result;
}

static int made_directory(int at, const char *path, mode_t mode) {
    struct stat now;
    struct record *made = changed(MKDIR, at, path);
    int result = REAL(mkdirat)(at, path, mode);
    if (made && result == 0 && fstatat(at, path, &now, 0) == 0) made->inode = now.st_ino;
    return done(made, result);
}
EXPORT int mkdir(const char *path, mode_t mode) { return made_directory(AT_FDCWD, path, mode); }
EXPORT int mkdirat(int at, const char *path, mode_t mode) { return made_directory(at, path, mode); }

/* Both names, a zero octet between them. */
static int renamed(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    char a[PATH_MAX], b[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *old = below(from_at, from, a), *new = below(to_at, to, b);
    struct record *made = NULL;
    if (old && new && !flags) {
        made = record(RENAME, 0, 0, 0, strlen(old) + 1 + strlen(new));
        sprintf((char *)(made + 1), "%s%c%s", old, 0, new);
        publish(made);
    } else if (old || new) {
        made = named(UNKNOWN, 0, 0, "rename out of the directory, or with flags");
    }
    return done(made, REAL(renameat2)(from_at, from, to_at, to, flags));
}
EXPORT int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
EXPORT int renameat(int a, const char *from, int b, const char *to) { return renamed(a, from, b, to, 0); }
EXPORT int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    return renamed(a, from, b, to, flags);
}

/* Nothing makes these calls so far; where something does, the account above has to be taught them. */
static void unknown(const char *what) {
    pthread_mutex_lock(&lock);
    done(named(UNKNOWN, 0, 0, what), 0);
}
EXPORT int linkat(int a, const char *from, int b, const char *to, int flags) {
    unknown("linkat");
    return REAL(linkat)(a, from, b, to, flags);
}
EXPORT int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
EXPORT int truncate(const char *path, off_t length) { unknown("truncate"); return REAL(truncate)(path, length); }
EXPORT int truncate64(const char *path, off64_t length) { return truncate(path, length); }
EXPORT int posix_fallocate(int fd, off_t at, off_t length) {
    unknown("posix_fallocate");
    return REAL(posix_fallocate)(fd, at, length);
}
EXPORT int syncfs(int fd) { unknown("syncfs"); return REAL(syncfs)(fd); }
EXPORT ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags) {
    if (inode_of(out)) unknown("copy_file_range");
    return REAL(copy_file_range)(in, from, out, to, length, flags);
}
EXPORT void *mmap(void *where, size_t length, int protection, int flags, int fd, off_t at) {
    if (inode_of(fd) && (flags & MAP_SHARED) && (protection & PROT_WRITE)) unknown("mmap");
    return (void *)syscall(SYS_mmap, where, length, protection, flags, fd, at); /* dlsym may need memory */
}
EXPORT void *mmap64(void *where, size_t length, int protection, int flags, int fd, off64_t at) {
    return mmap(where, length, protection, flags, fd, at);
}

static int told(int result, struct statvfs *into) {
    const char *total = getenv("POWERCUT_TOTAL");
    if (result == 0 && total) into->f_blocks = strtoull(total, NULL, 10) / into->f_frsize;
    return result;
}
EXPORT int fstatvfs(int fd, struct statvfs *into) { return told(REAL(fstatvfs)(fd, into), into); }
EXPORT int fstatvfs64(int fd, struct statvfs64 *into) {
    return told(REAL(fstatvfs64)(fd, into), (struct statvfs *)into);
}
