/*
 * kload: reads kdb+ files with stdio, by the description of the formats alone. Whatever is not as
 * it must be fails the load: a missing file behind a link, a count that does not fit the size, an
 * index outside the domain, a partition without rows that its neighbours count.
 */
#include "crash/kload.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAGE = 4096, NAMES_MAX = 4096 };

static char why[600];

const char *kload_why(void) { return why; }

static int bad(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int bad(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return -1;
}

typedef struct {
    unsigned char *data;
    uint64_t size;
} Bytes;

typedef struct {
    char **name;
    uint64_t count;
} Names;

typedef struct {
    void (*row)(void *arg, const KloadRow *r);
    void *arg;
    Bytes sym;
    Names domain; /* into sym */
    int64_t partitions;
} Load;

static void names_free(Names *n)
{
    for (uint64_t i = 0; i < n->count; i++)
        free(n->name[i]);
    free(n->name);
    *n = (Names){0};
}

static char *join(const char *a, const char *b)
{
    char *out = NULL;
    return asprintf(&out, "%s/%s", a, b) < 0 ? NULL : out;
}

static int slurp(const char *folder, const char *name, Bytes *b)
{
    char *path = join(folder, name);
    FILE *f = path ? fopen(path, "rb") : NULL;
    struct stat st;
    int result = 0;
    *b = (Bytes){0};
    if (!f || fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        result = bad("%s/%s: %s", folder, name, strerror(errno));
    } else {
        b->size = (uint64_t)st.st_size;
        b->data = calloc(1, b->size + 1);
        if (fread(b->data, 1, b->size, f) != b->size) result = bad("%s: cannot be read", path);
    }
    if (f) fclose(f);
    free(path);
    return result;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What `\l` looks at in a folder: names that do not begin with a dot. */
static int list(const char *folder, Names *n)
{
    DIR *d = opendir(folder);
    *n = (Names){.name = calloc(NAMES_MAX, sizeof(char *))};
    if (!d) return bad("%s: %s", folder, strerror(errno));
    for (struct dirent *e; (e = readdir(d)) != NULL && n->count < NAMES_MAX;)
        if (e->d_name[0] != '.') n->name[n->count++] = strdup(e->d_name);
    closedir(d);
    qsort(n->name, n->count, sizeof *n->name, by_text);
    return 0;
}

static uint64_t word(const Bytes *b, uint64_t at)
{
    uint64_t v;
    memcpy(&v, b->data + at, sizeof v);
    return v;
}

/* A symbol vector: `counted` says that its count must be true; a domain's may be behind. */
static int symbols(const char *folder, const char *name, int counted, Bytes *b, Names *out)
{
    if (slurp(folder, name, b) != 0) return -1;
    *out = (Names){0};
    if (b->size < 8 || memcmp(b->data, "\xff\x01\x0b", 3) != 0)
        return bad("%s/%s is no symbol vector", folder, name);
    if (b->size > 8 && b->data[b->size - 1] != 0)
        return bad("%s/%s: the last name has no end", folder, name);
    out->name = calloc(b->size, sizeof(char *));
    for (uint64_t at = 8; at < b->size; at += strlen((char *)b->data + at) + 1)
        out->name[out->count++] = (char *)b->data + at;
    uint32_t count;
    memcpy(&count, b->data + 4, 4);
    if (counted && count != out->count)
        return bad("%s/%s says %u names, has %llu", folder, name, count,
                   (unsigned long long)out->count);
    return 0;
}

/* A plain vector of 8-byte elements. */
static int vector(const char *folder, const char *name, int type, Bytes *b, uint64_t *count)
{
    if (slurp(folder, name, b) != 0) return -1;
    if (b->size < 16 || b->data[0] != 0xfe || b->data[1] != 0x20 || b->data[2] != type)
        return bad("%s/%s is no vector of type %d", folder, name, type);
    *count = word(b, 8);
    if (b->size != 16 + 8 * *count)
        return bad("%s/%s: %llu bytes for %llu elements", folder, name, (unsigned long long)b->size,
                   (unsigned long long)*count);
    return 0;
}

/* The page that enumerations and lists of the newer form begin with. */
static int paged(const char *folder, const char *name, int type, Bytes *b)
{
    if (slurp(folder, name, b) != 0) return -1;
    if (b->size < PAGE || b->data[0] != 0xfd || b->data[1] != 0x20 || b->data[4082] != type)
        return bad("%s/%s has no header of type %d", folder, name, type);
    return 0;
}

static int note_at(const Bytes *parent, const Bytes *heap, uint64_t row, KloadRow *r)
{
    uint64_t at = PAGE + (word(parent, PAGE + 8 * row) & 0xffffffffffffffull);
    if (at + 2 > heap->size) return bad("note: a reference beyond the heap");
    const unsigned char *p = heap->data + at;
    uint64_t head = 2;
    if (p[0] == 127 + 10) {
        r->note_size = p[1];
    } else if (p[0] == 251 && p[2] == 10 && at + 16 <= heap->size) {
        r->note_size = word(heap, at + 8);
        head = 16;
    } else {
        return bad("note: no text at %llu", (unsigned long long)at);
    }
    r->note = (const char *)p + head;
    return at + head + r->note_size <= heap->size ? 0 : bad("note: a text beyond the heap");
}

static int rows(Load *l, const char *folder)
{
    Bytes b[6] = {{0}};
    uint64_t n = 0, prices = 0, sizes = 0;
    int result = vector(folder, "time", 12, &b[0], &n);
    if (result == 0) result = vector(folder, "price", 9, &b[1], &prices);
    if (result == 0) result = vector(folder, "size", 7, &b[2], &sizes);
    if (result == 0) result = paged(folder, "sym", 20, &b[3]);
    if (result == 0) result = paged(folder, "note", 77, &b[4]);
    if (result == 0) result = paged(folder, "note#", 4, &b[5]);
    if (result == 0 && (prices != n || sizes != n || word(&b[3], 4088) != n ||
                        b[3].size < PAGE + 8 * n || b[4].size != PAGE + 8 * n))
        result = bad("%s: columns of different lengths", folder);
    for (uint64_t i = 0; result == 0 && i < n; i++) {
        KloadRow r = {.number = (int64_t)word(&b[2], 16 + 8 * i),
                      .time = (int64_t)word(&b[0], 16 + 8 * i)};
        memcpy(&r.price, b[1].data + 16 + 8 * i, 8);
        uint64_t index = word(&b[3], PAGE + 8 * i);
        r.sym = index == 1ull << 63 ? "" : index < l->domain.count ? l->domain.name[index] : NULL;
        if (!r.sym)
            result = bad("%s/sym: row %llu lies outside the domain", folder, (unsigned long long)i);
        if (result == 0) result = note_at(&b[4], &b[5], i, &r);
        if (result == 0) l->row(l->arg, &r);
    }
    for (int i = 0; i < 6; i++)
        free(b[i].data);
    return result;
}

/* A splayed table: every column that `.d` names must be there, of the same length as a column of
 * 8-byte elements can tell. */
static int table(Load *l, const char *part, const char *name)
{
    Bytes d = {0};
    Names columns = {0};
    char *folder = join(part, name);
    int result = symbols(folder, ".d", 1, &d, &columns);
    if (result == 0 && columns.count == 0) result = bad("%s has no columns", folder);
    for (uint64_t i = 0; result == 0 && i < columns.count; i++) {
        Bytes b;
        result = slurp(folder, columns.name[i], &b);
        if (result == 0 && b.size < 16) result = bad("%s/%s is cut", folder, columns.name[i]);
        free(b.data);
    }
    if (result == 0 && strcmp(name, "trade") == 0) result = rows(l, folder);
    free(columns.name);
    free(d.data);
    free(folder);
    return result;
}

static int partition(Load *l, const char *folder, const char *name)
{
    Names tables = {0};
    char *part = join(folder, name);
    int result = list(part, &tables);
    if (result == 0 && tables.count == 0) result = bad("%s holds no table", part);
    for (uint64_t i = 0; result == 0 && i < tables.count; i++)
        result = table(l, part, tables.name[i]);
    l->partitions++;
    names_free(&tables);
    free(part);
    return result;
}

static int partitions(Load *l, const char *folder)
{
    Names n = {0};
    int result = list(folder, &n);
    if (result == 0 && n.count == 0) result = bad("%s: an empty segment", folder);
    for (uint64_t i = 0; result == 0 && i < n.count; i++)
        result = partition(l, folder, n.name[i]);
    names_free(&n);
    return result;
}

static int segments(Load *l, const char *folder)
{
    Bytes b = {0};
    int result = slurp(folder, "par.txt", &b);
    char *save = NULL;
    for (char *line = result == 0 ? strtok_r((char *)b.data, "\n", &save) : NULL;
         line && result == 0; line = strtok_r(NULL, "\n", &save)) {
        char *path = line[0] == '/' ? strdup(line) : join(folder, line);
        result = partitions(l, path);
        free(path);
    }
    if (result == 0 && l->partitions == 0) result = bad("%s/par.txt names nothing", folder);
    free(b.data);
    return result;
}

int64_t kload(const char *path, void (*row)(void *arg, const KloadRow *r), void *arg)
{
    char folder[PATH_MAX];
    Load l = {.row = row, .arg = arg};
    Names n = {0};
    int par = 0;
    if (realpath(path, folder) == NULL) return bad("%s: %s", path, strerror(errno));
    int result = list(folder, &n);
    if (result == 0) result = symbols(folder, "sym", 0, &l.sym, &l.domain);
    for (uint64_t i = 0; i < n.count; i++)
        par = par || strcmp(n.name[i], "par.txt") == 0;
    for (uint64_t i = 0; result == 0 && i < n.count; i++) {
        const char *name = n.name[i];
        if (strcmp(name, "par.txt") == 0 || strcmp(name, "sym") == 0) continue;
        if (name[0] < '0' || name[0] > '9')
            result = bad("%s/%s: what is that?", folder, name);
        else if (par)
            result = bad("%s/%s beside par.txt", folder, name);
        else
            result = partition(&l, folder, name);
    }
    if (result == 0 && par) result = segments(&l, folder);
    names_free(&n);
    free(l.domain.name);
    free(l.sym.data);
    return result == 0 ? l.partitions : -1;
}
