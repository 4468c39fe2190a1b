/*
 * pool_secure.c - blocks of secure pool: memory that its own driver cannot change by writing to it.
 * Every block has pages of its own (mm/secure_pages.c). What is known of it is kept apart from them, as Windows keeps it in another world: in a
 * table, by the system PTE of its first page; bytes and tag are in the owner entry, as for any pool.
 *
 *     ExAllocatePool3 --> filled once from Buffer --> read-only --+-- ExSecurePoolUpdate  (MODIFIABLE)
 *                                                                 +-- ExFreePool2         (FREEABLE; any other stays until shutdown)
 *
 * Locks       ex_secure_lock: the table, and what is written to a block while somebody else may free it. The driver's own buffer is read outside
 *             of it, a piece at a time.
 * Elsewhere   handles: pool_secure_handle.c.
 * Source      WDK reference: ExAllocatePool3, ExFreePool2, ExSecurePoolUpdate, ExSecurePoolValidate; Microsoft Security Blog,
 *             "Introducing Kernel Data Protection".
 * Fidelity    statuses and sub-codes are a choice, marked at the declarations (ex_pool_extended.h). The cookie may be any number.
 */
#include "ex/pool_secure.h"

#include "ex/pool_big.h"
#include "ex/pool_magazine.h"
#include "ex/pool_secure_handle.h"
#include "ex/pool_tag.h"

#define PIECE 512u /* bytes of the driver's buffer that are read before they are written */
#define KNOWN_FLAGS ((ULONG)(SECURE_POOL_FLAGS_FREEABLE | SECURE_POOL_FLAGS_MODIFIABLE))

typedef struct secure_block { /* of the page where it begins; under ex_secure_lock */
    uint64_t handle, cookie;
    uint32_t flags; /* SECURE_POOL_FLAGS_* */
} secure_block_t;

static secure_block_t *blocks; /* [block_count], index: page of the system PTE region; made with the first pool */
static size_t          block_count;

static size_t blocks_bytes(void)
{
    size_t bytes = block_count * sizeof *blocks, unit = host_page_size();
    return (bytes + unit - 1) / unit * unit;
}

bool ex_secure_blocks_ready_locked(void)
{
    if (blocks == NULL) {
        block_count = mm_system_pte_region.bytes >> PAGE_SHIFT;
        blocks = block_count != 0 ? host_tables(blocks_bytes()) : NULL;
    }
    return blocks != NULL;
}

void ex_secure_boot(void)
{
    if (blocks != NULL)
        host_release(blocks, blocks_bytes());
    blocks = NULL;
    ex_secure_handles_boot();
}

static void bad_pool(ex_stop_t *stop, const char *why, const void *address)
{
    ex_stop_set(stop, why, BAD_POOL_CALLER, 0x99, (ULONG_PTR)address, 0, 0);
}

static secure_block_t *block_at(const void *address) { return &blocks[((uintptr_t)address - mm_system_pte_region.base) >> PAGE_SHIFT]; }

/* The owner entry of a block that begins there; NULL when none does. */
static mm_owner_t *owner_locked(const void *address)
{
    mm_owner_t *owner = mm_in(&mm_system_pte_region, (uintptr_t)address) && BYTE_OFFSET(address) == 0 ? mm_owner_of(address) : NULL;
    return owner != NULL && owner->use == MM_USE_POOL_RUN && (owner->flags & MM_OWNER_SECURE) != 0 ? owner : NULL;
}

static bool matches_locked(const void *address, HANDLE handle, ULONG tag, ULONG_PTR cookie)
{
    const mm_owner_t *owner = ex_secure_pool_locked(handle) != NULL ? owner_locked(address) : NULL;
    return owner != NULL && owner->tag == tag && block_at(address)->handle == (uintptr_t)handle && block_at(address)->cookie == cookie;
}

bool ex_secure_params_are_valid(const POOL_EXTENDED_PARAMS_SECURE_POOL *secure)
{
    return (secure->SecurePoolFlags & ~KNOWN_FLAGS) == 0 && ex_secure_is_pool(secure->SecurePoolHandle);
}

/* False: the pool was destroyed meanwhile. */
static bool register_block(void *address, const ex_request_t *request)
{
    const POOL_EXTENDED_PARAMS_SECURE_POOL *secure = request->secure;
    bool                                    freeable = (secure->SecurePoolFlags & SECURE_POOL_FLAGS_FREEABLE) != 0;
    uint8_t                                 flags = MM_OWNER_SECURE | (freeable ? 0 : MM_OWNER_PERMANENT);
    ke_lock(&ex_secure_lock);
    ex_secure_pool_t *pool = ex_secure_pool_locked(secure->SecurePoolHandle);
    if (pool != NULL) {
        pool->blocks += freeable;
        *block_at(address) = (secure_block_t){ (uintptr_t)secure->SecurePoolHandle, secure->Cookie, secure->SecurePoolFlags };
        ex_big_own(mm_owner_of(address), request->bytes, request->tag, MM_NONPAGED_NX, flags);
    }
    ke_unlock(&ex_secure_lock);
    return pool != NULL;
}

static void *take_pages(const ex_request_t *request, size_t page_count)
{
    void *address = request->on_node ? mm_secure_alloc(request->node, page_count) : NULL;
    if (address == NULL && (!request->on_node || request->other_nodes_too))
        address = mm_secure_alloc(MM_ANY_NODE, page_count);
    return address;
}

void *ex_secure_allocate(ke_thread_t *thread, const ex_request_t *request, NTSTATUS *status, ex_stop_t *stop)
{
    size_t page_count = BYTES_TO_PAGES(request->bytes);
    void  *address = take_pages(request, page_count);
    if (address == NULL && ex_magazines_on) {
        ex_magazines_empty(ex_thread_of(thread), stop);
        address = stop->code == 0 ? take_pages(request, page_count) : NULL;
    }
    if (address == NULL)
        return NULL;
    if (request->secure->Buffer != NULL)
        mm_secure_write(address, request->secure->Buffer, request->bytes);
    if (!register_block(address, request)) {
        mm_secure_free(address, page_count);
        *status = STATUS_INVALID_PARAMETER;
        return NULL;
    }
    ex_tag_count_alloc(ex_thread_of(thread), request->tag, MM_NONPAGED_NX, page_count << PAGE_SHIFT, request->bytes);
    return address;
}

/* ---- freeing ---- */

static const POOL_EXTENDED_PARAMS_SECURE_POOL *params_of(PCPOOL_EXTENDED_PARAMETER parameters, ULONG count)
{
    if (count != 1 || parameters == NULL || parameters->Type != PoolExtendedParameterSecurePool || parameters->Reserved != 0)
        return NULL;
    const POOL_EXTENDED_PARAMS_SECURE_POOL *secure = parameters->SecurePoolParams;
    return secure != NULL && secure->Buffer == NULL && secure->SecurePoolFlags == 0 ? secure : NULL;
}

/* The block leaves both tables. False with *stop set: it may not. */
static bool unregister_locked(const void *address, ULONG tag, const POOL_EXTENDED_PARAMS_SECURE_POOL *secure, ex_stop_t *stop)
{
    mm_owner_t *owner = owner_locked(address);
    if (owner == NULL)
        bad_pool(stop, "No block of secure pool begins at this address.", address);
    else if (owner->tag != tag)
        ex_stop_set(stop, "The block of secure pool was freed with another tag than it was allocated with.", BAD_POOL_CALLER, 0x0A,
                    (ULONG_PTR)address, owner->tag, tag);
    else if (!matches_locked(address, secure->SecurePoolHandle, tag, secure->Cookie))
        bad_pool(stop, "The block of secure pool was freed with another handle or cookie than it was allocated with.", address);
    else if ((block_at(address)->flags & SECURE_POOL_FLAGS_FREEABLE) == 0)
        bad_pool(stop, "A block of secure pool was freed that was allocated without SECURE_POOL_FLAGS_FREEABLE.", address);
    else {
        ex_secure_pool_locked(secure->SecurePoolHandle)->blocks--;
        *block_at(address) = (secure_block_t){ 0 };
        owner->use = MM_USE_POOL_CACHED; /* nobody finds it any longer */
        return true;
    }
    return false;
}

static void free_checked(ke_thread_t *thread, void *address, ULONG tag, const POOL_EXTENDED_PARAMS_SECURE_POOL *secure, ex_stop_t *stop)
{
    ke_lock(&ex_secure_lock);
    bool   may = unregister_locked(address, tag, secure, stop);
    size_t bytes = may ? mm_owner_of(address)->bytes : 0;
    ke_unlock(&ex_secure_lock);
    if (!may)
        return;
    ex_tag_count_free(ex_thread_of(thread), tag, MM_NONPAGED_NX, ROUND_TO_PAGES(bytes), bytes);
    mm_secure_free(address, BYTES_TO_PAGES(bytes));
}

void ex_secure_free(const char *routine, PVOID address, ULONG tag, PCPOOL_EXTENDED_PARAMETER parameters, ULONG count)
{
    const POOL_EXTENDED_PARAMS_SECURE_POOL *secure = params_of(parameters, count);
    ex_stop_t                               stop = { 0 };
    ke_thread_t                            *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return;
    if (thread->irql > DISPATCH_LEVEL)
        ex_stop_set(&stop, "Secure pool was freed at too high an IRQL.", BAD_POOL_CALLER, 9, thread->irql, NonPagedPoolNx,
                    (ULONG_PTR)address);
    else if (secure == NULL)
        bad_pool(&stop, "The extended parameters of the free are not those that secure pool needs.", address);
    else
        free_checked(thread, address, tag, secure, &stop);
    ke_thread_leave(thread);
    ex_stop_if_set(routine, &stop);
}

void ex_secure_stop_free(const void *address, ex_stop_t *stop)
{
    bad_pool(stop, "Secure pool is freed by ExFreePool2 alone, with the handle and the cookie of its allocation.", address);
}

/* ---- looking and changing ---- */

static NTSTATUS check_update_locked(HANDLE handle, ULONG tag, const void *address, ULONG_PTR cookie, SIZE_T offset, SIZE_T bytes)
{
    if (ex_secure_pool_locked(handle) == NULL)
        return STATUS_INVALID_HANDLE;
    if (!matches_locked(address, handle, tag, cookie))
        return STATUS_INVALID_PARAMETER;
    uint64_t has = owner_locked(address)->bytes;
    if (offset > has || bytes > has - offset)
        return STATUS_INVALID_PARAMETER;
    return (block_at(address)->flags & SECURE_POOL_FLAGS_MODIFIABLE) != 0 ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

typedef struct secure_change {
    HANDLE      handle;
    char       *address;
    const char *from;
    ULONG_PTR   cookie;
    ULONG       tag;
} secure_change_t;

/* The driver's bytes are read before the lock is taken: they may not be there. Another thread may free the block between two pieces. */
static NTSTATUS change_piece(const secure_change_t *change, SIZE_T offset, SIZE_T at, SIZE_T bytes)
{
    char piece[PIECE];
    memcpy(piece, change->from + at, bytes);
    ke_lock(&ex_secure_lock);
    NTSTATUS status = check_update_locked(change->handle, change->tag, change->address, change->cookie, offset + at, bytes);
    if (NT_SUCCESS(status))
        mm_secure_write(change->address + offset + at, piece, bytes);
    ke_unlock(&ex_secure_lock);
    return status;
}

static NTSTATUS change_all(const secure_change_t *change, SIZE_T offset, SIZE_T bytes)
{
    ke_lock(&ex_secure_lock);
    NTSTATUS status = check_update_locked(change->handle, change->tag, change->address, change->cookie, offset, bytes);
    ke_unlock(&ex_secure_lock);
    if (NT_SUCCESS(status) && bytes != 0 && change->from == NULL)
        status = STATUS_INVALID_PARAMETER;
    for (SIZE_T at = 0, now; NT_SUCCESS(status) && at < bytes; at += now) {
        now = bytes - at < PIECE ? bytes - at : PIECE;
        status = change_piece(change, offset, at, now);
    }
    return status;
}

NTSTATUS ExSecurePoolUpdate(HANDLE SecurePoolHandle, ULONG Tag, PVOID Allocation, ULONG_PTR Cookie, SIZE_T Offset, SIZE_T Size,
                            PVOID Buffer)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    const secure_change_t change = { SecurePoolHandle, Allocation, Buffer, Cookie, Tag };
    ke_thread_t          *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = change_all(&change, Offset, Size);
    ke_thread_leave(thread);
    return status;
}

LOGICAL ExSecurePoolValidate(HANDLE SecurePoolHandle, ULONG Tag, PVOID Allocation, ULONG_PTR Cookie)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return FALSE;
    ke_lock(&ex_secure_lock);
    LOGICAL matches = matches_locked(Allocation, SecurePoolHandle, Tag, Cookie);
    ke_unlock(&ex_secure_lock);
    return matches;
}
