/*
 * header: encode and decode the headers of column files.
 *
 *   plain vector            page (64-bit enumeration, anymap, heap)   32-bit enumeration
 *   0   fe 20               0     fd 20, zeros to 16                   0     fe
 *   2   type                16    domain name, zeros to 4080           1     domain name, zeros to
 * A 3   attribute           4080  fd, tag (0; 1 for an anymap)         A     0 0, type slot 0 4   0
 * 0 0 0             4082  type (20, 77, 4; 2)                  A+3   attribute 8   count, i64 4083
 * attribute, 0 0 0 0                   A+4   0 0 0 0 16  elements            4088  count, i64 A+8
 * count, i64 4096  elements                             A+16  indices, i32
 *
 * A is 8 for names of up to 6 bytes. Longer names have no proven layout: the file is taken when
 * exactly one A of the two candidates makes count and size agree, else refused. A page of type 2 is
 * that of guids with an attribute; its index has no known form and is not looked at.
 *
 * Invariants after header_decode: data_at + rows * width <= size, without overflow; with attribute
 * 0 or 1 it is equal to size.
 */
#include "column/header.h"

#include "q/type.h"

#define PAGE_NAME_AT  16
#define PAGE_INNER_AT 4080

/* The file ends where its elements end. */
static Err rows_by_size(u64 size, const char *path, Header *h)
{
    u64 bytes = size - h->data_at;
    if (bytes % h->width != 0) {
        return fail(E_CORRUPT, "%s: %llu bytes of elements are no multiple of the width %u", path,
                    (unsigned long long)bytes, h->width);
    }
    h->rows = bytes / h->width;
    return E_OK;
}

/* With an index behind the elements only the count tells where they end. */
static Err rows_by_count(u64 size, const char *path, i64 count, Header *h)
{
    if (count < 0 || (u64)count > (size - h->data_at) / h->width) {
        return fail(E_CORRUPT, "%s: the header counts %lld elements, the file has room for %llu",
                    path, (long long)count, (unsigned long long)((size - h->data_at) / h->width));
    }
    h->rows = (u64)count;
    return E_OK;
}

static Err find_rows(u64 size, const char *path, i64 count, Header *h)
{
    if (h->attr > ATTR_GROUPED) return fail(E_CORRUPT, "%s: attribute %u is none", path, h->attr);
    if (h->attr <= ATTR_SORTED) return rows_by_size(size, path, h);
    return rows_by_count(size, path, count, h);
}

static Err decode_plain(const u8 *data, u64 size, const char *path, Header *h)
{
    if (size < HEADER_PLAIN_SIZE)
        return fail(E_CORRUPT, "%s: shorter than a vector's header", path);
    h->form = HEADER_PLAIN;
    h->type = data[2];
    if (h->type == QT_NESTED + QT_ENUM)
        return fail(E_UNSUPPORTED, "%s: lists of enumerations in the form before kdb+ 3.6", path);
    if (h->type > QT_NESTED && type_is_fixed(h->type - QT_NESTED)) {
        h->form = HEADER_OLD;
    } else if (!type_is_fixed(h->type)) {
        return fail(E_CORRUPT, "%s: no vector has type %d", path, h->type);
    }
    h->width = type_disk_width(h->type);
    h->attr = data[3];
    h->data_at = HEADER_PLAIN_SIZE;
    return find_rows(size, path, load_i64(data + 8), h);
}

static Err take_domain(const u8 *name, u64 room, const char *path, Header *h)
{
    u64 length = strnlen((const char *)name, room);
    if (length == room) return fail(E_CORRUPT, "%s: the domain's name does not end", path);
    if (length == 0) return fail(E_CORRUPT, "%s: an enumeration without a domain's name", path);
    if (length >= sizeof h->domain) {
        return fail(E_UNSUPPORTED, "%s: a domain's name of %llu bytes; at most %zu are read", path,
                    (unsigned long long)length, sizeof h->domain - 1);
    }
    memcpy(h->domain, name, length + 1);
    return E_OK;
}

static Err decode_page(const u8 *data, u64 size, const char *path, Header *h)
{
    if (size < HEADER_PAGE_SIZE) return fail(E_CORRUPT, "%s: shorter than its header page", path);
    const u8 *inner = data + PAGE_INNER_AT;
    if (inner[0] != 0xfd)
        return fail(E_CORRUPT, "%s: the inner header does not begin with fd", path);
    h->width = 8;
    h->attr = inner[3];
    h->data_at = HEADER_PAGE_SIZE;
    if (inner[1] == 0 && inner[2] == QT_ENUM) {
        h->form = HEADER_ENUM64;
        h->type = QT_ENUM;
        Err err = take_domain(data + PAGE_NAME_AT, PAGE_INNER_AT - PAGE_NAME_AT, path, h);
        if (err != E_OK) return err;
        return find_rows(size, path, load_i64(inner + 8), h);
    }
    if (inner[1] == 1 && inner[2] == QT_NESTED) {
        h->form = HEADER_ANYMAP;
        h->type = QT_NESTED;
        if (h->attr != 0)
            return fail(E_CORRUPT, "%s: a list column with attribute %u", path, h->attr);
        return rows_by_size(size, path, h);
    }
    if (inner[1] == 0 && inner[2] == QT_GUID) {
        h->form = HEADER_PLAIN;
        h->type = QT_GUID;
        h->width = type_disk_width(QT_GUID);
        return find_rows(size, path, load_i64(inner + 8), h);
    }
    return fail(E_UNSUPPORTED, "%s: a page of kind %u and type %u is no column that we read", path,
                inner[1], inner[2]);
}

static Err decode_enum32(const u8 *data, u64 size, const char *path, Header *h)
{
    if (size < 24) return fail(E_CORRUPT, "%s: shorter than an enumeration's header", path);
    Err err = take_domain(data + 1, MIN(size - 1, HEADER_NAME_MAX + 1ull), path, h);
    if (err != E_OK) return err;
    h->form = HEADER_ENUM32;
    h->type = QT_ENUM;
    h->width = 4;
    u64 area = round_up(strlen(h->domain) + 2, 8);
    if (area == 8) {
        h->attr = data[11];
        h->data_at = 24;
        return find_rows(size, path, load_i64(data + 16), h);
    }
    /* a long name: which of two layouts makes the count true? */
    u32 fits = 0;
    for (u64 at = area; at <= area + 8 && at + 16 <= size; at += 8) {
        u64 room = (size - at - 16) / 4;
        if (data[at + 3] > ATTR_SORTED || (size - at - 16) % 4 != 0) continue;
        if (load_u64(data + at + 8) != room) continue;
        h->attr = data[at + 3];
        h->data_at = at + 16;
        h->rows = room;
        fits++;
    }
    if (fits == 1) return E_OK;
    return fail(E_UNSUPPORTED,
                "%s: a 32-bit enumeration over a domain with a name longer than 6 bytes", path);
}

Err header_decode(const u8 *data, u64 size, const char *path, Header *h)
{
    static const u8 empty[8] = {0xff, 0x01};
    *h = (Header){0};
    if (size < 8)
        return fail(E_CORRUPT, "%s: %llu bytes are no column", path, (unsigned long long)size);
    if (data[0] == 0xff && data[1] == ' ')
        return fail(E_UNSUPPORTED, "%s: a file in the form of kdb+ 2", path);
    if (data[0] == 0xfe && data[1] == ' ') return decode_plain(data, size, path, h);
    if (data[0] == 0xfe) return decode_enum32(data, size, path, h);
    if (data[0] == 0xfd && data[1] == ' ') return decode_page(data, size, path, h);
    if (data[0] == 0xff && data[1] == 0x01) {
        if (size != 8 || memcmp(data, empty, 8) != 0) {
            return fail(E_UNSUPPORTED,
                        "%s: a serialised object of type %d where a column is expected", path,
                        (i8)data[2]);
        }
        h->form = HEADER_EMPTY;
        h->type = QT_LIST;
        h->data_at = 8;
        return E_OK;
    }
    return fail(E_CORRUPT, "%s: no kdb+ column begins with %02x %02x", path, data[0], data[1]);
}

Err header_check_heap(const u8 *data, u64 size, const char *path)
{
    static const u8 inner[4] = {0xfd, 0x00, 0x04, 0x00};
    if (size < HEADER_PAGE_SIZE) return fail(E_CORRUPT, "%s: shorter than its header page", path);
    if (data[0] != 0xfd || data[1] != ' ' ||
        memcmp(data + PAGE_INNER_AT, inner, sizeof inner) != 0) {
        return fail(E_CORRUPT, "%s: not the heap of a list column", path);
    }
    return E_OK;
}

void header_enum32(u8 out[HEADER_ENUM_SIZE], const char *domain, int attr, u64 count)
{
    ASSERT(strlen(domain) <= HEADER_SHORT_NAME);
    memset(out, 0, HEADER_ENUM_SIZE);
    out[0] = 0xfe;
    memcpy(out + 1, domain, strlen(domain));
    out[11] = (u8)attr;
    store_u64(out + 16, count);
}

void header_plain(u8 out[HEADER_PLAIN_SIZE], int type, int attr, u64 count)
{
    memset(out, 0, HEADER_PLAIN_SIZE);
    out[0] = 0xfe;
    out[1] = ' ';
    out[2] = (u8)type;
    out[3] = (u8)attr;
    store_u64(out + 8, count);
}

void header_page(u8 out[HEADER_PAGE_SIZE], const char *domain, u8 tag, int type, int attr,
                 u64 count)
{
    ASSERT(strlen(domain) < PAGE_INNER_AT - PAGE_NAME_AT);
    memset(out, 0, HEADER_PAGE_SIZE);
    out[0] = 0xfd;
    out[1] = ' ';
    memcpy(out + PAGE_NAME_AT, domain, strlen(domain));
    u8 *inner = out + PAGE_INNER_AT;
    inner[0] = 0xfd;
    inner[1] = tag;
    inner[2] = (u8)type;
    inner[3] = (u8)attr;
    store_u64(inner + 8, count);
}
