/*
 * page_gate.c - the gate: which of the two ways this host has, and the way by mprotect, which every host has.
 * Each change of protection in the middle of a mapping splits it, and the host allows a process only so many. So the gate knows the protection
 * of every page, counts the mappings that it makes, and refuses an opening that would exceed its limit. A refused caller closes pages: where
 * all are closed there is one mapping. Closing is never refused: it may split one mapping at each end, for which the limit leaves room.
 *
 *     access      - - - R R W - - W W        the host's mappings: ---, RR, W, --, WW
 *     begins      ^     ^   ^ ^   ^          counted where a page differs from the one before it
 */
#include "host/page_gate.h"
#include "host/protection_key.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

/* Valgrind's own loads on a program's behalf do not reach userfaultfd's SIGBUS as the program's would. */
static bool is_emulated(void)
{
#ifdef RUNNING_ON_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

/* ---- by mprotect ---- */

static size_t page_of(size_t bytes) { return bytes / host_page_size(); }

static size_t begins(const host_gate_t *gate, size_t page)
{
    return page < page_of(gate->bytes) && (page == 0 || gate->access[page] != gate->access[page - 1]);
}

static size_t count_begins(const host_gate_t *gate, size_t first, size_t end)
{
    size_t count = 0;
    for (size_t page = first; page <= end; page++)
        count += begins(gate, page);
    return count;
}

/* Whether a write is wanted is said by RW; a page that is writable already stays so. */
static bool is_open_already(const host_gate_t *gate, size_t first, size_t end, unsigned access)
{
    for (size_t page = first; page < end; page++)
        if ((gate->access[page] & access) != access)
            return false;
    return true;
}

/* Inside the range no mapping begins afterwards; one does at each end, if what lies there differs. */
static size_t begins_after(const host_gate_t *gate, size_t first, size_t end, unsigned access)
{
    return (size_t)(first == 0 || gate->access[first - 1] != access) + (size_t)(end < page_of(gate->bytes) && gate->access[end] != access);
}

static int set_access(host_gate_t *gate, size_t at, size_t bytes, unsigned access)
{
    size_t first = page_of(at), end = page_of(at + bytes);
    size_t now = gate->mappings - count_begins(gate, first, end) + begins_after(gate, first, end, access);
    if (access != HOST_NONE && now > gate->mapping_limit && now > gate->mappings)
        return -ENFILE;
    int status = host_protect(gate->base + at, bytes, access);
    if (status != 0)
        return status == -ENOMEM ? -ENFILE : status;
    memset(&gate->access[first], (int)access, end - first);
    gate->mappings = now;
    gate->most = now > gate->most ? now : gate->most;
    return 0;
}

static int protect_open(host_gate_t *gate, size_t at, size_t bytes, bool writable)
{
    unsigned access = HOST_READ | (writable ? HOST_WRITE : 0u);
    if (is_open_already(gate, page_of(at), page_of(at + bytes), access))
        return 1;
    return set_access(gate, at, bytes, access);
}

/* ---- for both ---- */

int host_gate_create(host_gate_t *gate, const host_object_t *object, uint64_t offset, void *base, void *alias, size_t bytes,
                     enum host_gate_kind kind, size_t mapping_limit)
{
    *gate = (host_gate_t){ .base = base, .alias = alias, .bytes = bytes, .fd = -1, .mapping_limit = mapping_limit };
    gate->object.fd = object->fd;
    gate->offset = offset;
    int status = host_map_object(alias, object, offset, bytes, HOST_READ | HOST_WRITE);
    if (status == 0 && kind != HOST_GATE_PROTECT && !is_emulated()) {
        status = host_map_object(base, object, offset, bytes, HOST_READ | HOST_WRITE);
        gate->kind = HOST_GATE_USERFAULT;
        if (status == 0 && host_userfault_start(gate) == 0)
            return 0;
    }
    gate->kind = HOST_GATE_BEST;
    if (status != 0 || kind == HOST_GATE_USERFAULT)
        return status != 0 ? status : -ENOTSUP;
    status = host_map_object(base, object, offset, bytes, HOST_NONE);
    gate->access = status == 0 ? host_tables(page_of(bytes)) : NULL;
    if (status == 0 && gate->access == NULL)
        status = -ENOMEM;
    gate->mappings = 1;
    if (status == 0)
        gate->kind = HOST_GATE_PROTECT;
    return status;
}

int host_gate_create_over(host_gate_t *gate, const host_gate_t *like, void *base, size_t bytes, size_t mapping_limit)
{
    *gate = (host_gate_t){ .kind = like->kind, .base = base, .bytes = bytes, .fd = like->fd, .borrowed = true, .covered = like->covered };
    gate->object.fd = -1;
    gate->mapping_limit = mapping_limit;
    gate->mappings = 1;
    gate->access = like->kind == HOST_GATE_PROTECT ? host_tables(page_of(bytes)) : NULL;
    if (like->kind != HOST_GATE_PROTECT || gate->access != NULL)
        return 0;
    *gate = (host_gate_t){ .fd = -1 };
    return -ENOMEM;
}

/* What was open there is open no longer. */
static void forget_access(host_gate_t *gate, size_t at, size_t bytes)
{
    size_t first = page_of(at), end = page_of(at + bytes);
    if (gate->access == NULL)
        return;
    gate->mappings = gate->mappings - count_begins(gate, first, end) + begins_after(gate, first, end, HOST_NONE);
    memset(&gate->access[first], HOST_NONE, end - first);
}

int host_gate_map(host_gate_t *gate, size_t at, const host_object_t *object, uint64_t offset, size_t bytes)
{
    unsigned access = gate->kind == HOST_GATE_USERFAULT ? HOST_READ | HOST_WRITE : HOST_NONE;
    int      status = host_map_object(gate->base + at, object, offset, bytes, HOST_NONE);
    if (status == 0)
        forget_access(gate, at, bytes);
    if (status == 0 && gate->kind == HOST_GATE_USERFAULT)
        status = host_userfault_watch(gate, at, bytes);
    if (status == 0 && gate->covered)
        status = host_key_cover(gate->base + at, bytes, access, true);
    else if (status == 0 && access != HOST_NONE)
        status = host_protect(gate->base + at, bytes, access); /* nobody saw it open */
    return status;
}

int host_gate_unmap(host_gate_t *gate, size_t at, size_t bytes)
{
    int status = host_unmap(gate->base + at, bytes);
    if (status == 0)
        forget_access(gate, at, bytes);
    return status;
}

/* ---- under the protection key ---- */

/* Pages of one access at a time: the call that sets the key sets the protection, too. */
int host_gate_cover_page(const host_gate_t *gate, size_t at, size_t bytes, bool covered)
{
    int status = 0;
    if (gate->access == NULL)
        return host_key_cover(gate->base + at, bytes, HOST_READ | HOST_WRITE, covered);
    for (size_t first = page_of(at), end = page_of(at + bytes), next; first < end && status == 0; first = next) {
        for (next = first + 1; next < end && begins(gate, next) == 0;)
            next++;
        status = host_key_cover(gate->base + first * host_page_size(), (next - first) * host_page_size(), gate->access[first], covered);
    }
    return status;
}

int host_gate_cover(host_gate_t *gate, bool covered)
{
    bool all = gate->kind != HOST_GATE_BEST && !gate->borrowed && gate->covered != covered;
    gate->covered = covered;
    return all ? host_gate_cover_page(gate, 0, gate->bytes, covered) : 0;
}

void host_gate_destroy(host_gate_t *gate)
{
    if (gate->kind == HOST_GATE_USERFAULT && !gate->borrowed)
        host_userfault_stop(gate);
    if (gate->access != NULL)
        host_release(gate->access, page_of(gate->bytes));
    *gate = (host_gate_t){ .fd = -1 };
}

int host_gate_open(host_gate_t *gate, size_t at, size_t bytes, bool writable)
{
    return gate->kind == HOST_GATE_USERFAULT ? host_userfault_open(gate, at, bytes, writable) : protect_open(gate, at, bytes, writable);
}

int host_gate_open_zero(host_gate_t *gate, size_t at, size_t bytes)
{
    if (gate->kind == HOST_GATE_USERFAULT)
        return host_userfault_open_zero(gate, at, bytes);
    int status = protect_open(gate, at, bytes, true);
    if (status == 0 && bytes > host_page_size())
        host_expect_writes(gate->base + at, bytes);
    return status;
}

int host_gate_open_copy(host_gate_t *gate, size_t at, size_t bytes, const void *from, bool writable)
{
    if (gate->kind == HOST_GATE_USERFAULT)
        return host_userfault_open_copy(gate, at, bytes, from, writable);
    int status = host_file_write(&gate->object, gate->offset + at, from, bytes); /* cheaper than a fault at the alias for each page */
    return status == 0 ? protect_open(gate, at, bytes, writable) : status;
}

int host_gate_allow_writes(host_gate_t *gate, size_t at, size_t bytes)
{
    return gate->kind == HOST_GATE_USERFAULT ? host_userfault_allow_writes(gate, at, bytes) : protect_open(gate, at, bytes, true);
}

void host_gate_close(host_gate_t *gate, size_t at, size_t bytes)
{
    int status;
    if (gate->kind == HOST_GATE_USERFAULT)
        status = madvise(gate->base + at, bytes, MADV_DONTNEED) == 0 ? 0 : -errno; /* of a shared mapping: the bytes stay */
    else if (count_begins(gate, page_of(at), page_of(at + bytes)) == 0 && gate->access[page_of(at)] == HOST_NONE)
        return;
    else
        status = set_access(gate, at, bytes, HOST_NONE);
    NTMM_INVARIANT(status == 0, "a page can always be closed");
}
