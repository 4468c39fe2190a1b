/*
 * file.c - files of the host as file objects: ntmm_file_open, and the segment that all sections over a file share.
 *
 *     opened ---> node with a file ---> section created: a segment ---> section gone, file closed ---> no view: segment and node go
 *                                                                                              `-----> a view: the segment goes with it
 *
 * Nobody tells when the last view goes, so nodes that are left over are looked at whenever a file is opened or closed, or a section goes.
 *
 * Locks       io_file_lock for nodes; mm is called with it held, pool and the host's opening without.
 * Source      none (choice): Windows has file systems; what a FILE_OBJECT and its section pointers are, WDK reference: wdm.h, ntifs.h.
 */
#include "io/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "ex/handle.h"
#include "ke/bugcheck.h"

ke_lock_t              io_file_lock = KE_LOCK_INIT(KE_RANK_IO_FILE);
static io_file_node_t *nodes;

/* ---- nodes ---- */

static void close_opens(io_file_node_t *node)
{
    while (node->opens != NULL) {
        io_open_t *open = node->opens;
        node->opens = open->next;
        host_file_close(&open->file);
        free(open);
    }
}

/* Segments are gone with the machine, and so are file objects, which were pool. */
void io_files_reset(void)
{
    ke_lock_init(&io_file_lock, KE_RANK_IO_FILE);
    while (nodes != NULL) {
        io_file_node_t *node = nodes;
        nodes = node->next;
        close_opens(node);
        free(node);
    }
}

static void forget_segment_locked(io_file_node_t *node)
{
    node->segment = NULL;
    node->pointers.DataSectionObject = NULL;
    node->holds = node->close_later = false;
}

bool io_file_hold_locked(io_file_node_t *node)
{
    if (node->segment == NULL || mm_segment_try_reference(node->segment, node->serial))
        return node->segment != NULL;
    forget_segment_locked(node);
    return false;
}

/* Of a node that holds its segment: somebody else does, too. */
static bool is_used_locked(const io_file_node_t *node) { return node->sections != 0 || mm_segment_references(node->segment) > 1; }

/* The segment is its views' from now on, or gone. */
static void let_go_locked(io_file_node_t *node)
{
    node->holds = false;
    mm_segment_dereference(node->segment);
    if (io_file_hold_locked(node))
        mm_segment_dereference(node->segment);
}

static void settle_locked(void)
{
    for (io_file_node_t **link = &nodes, *node; (node = *link) != NULL;) {
        bool kept = (node->files != 0 && !node->close_later) || node->sections != 0;
        if (node->segment != NULL && node->holds && !kept)
            let_go_locked(node);
        else if (node->segment != NULL && !node->holds && io_file_hold_locked(node))
            mm_segment_dereference(node->segment);
        if (node->files == 0 && node->sections == 0 && node->segment == NULL) {
            *link = node->next;
            free(node);
            continue;
        }
        link = &node->next;
    }
}

io_file_node_t *io_file_node_of(PSECTION_OBJECT_POINTERS pointers)
{
    ke_lock(&io_file_lock);
    io_file_node_t *node = nodes;
    while (node != NULL && &node->pointers != pointers)
        node = node->next;
    ke_unlock(&io_file_lock);
    return node;
}

static io_file_node_t *find_node_locked(const host_file_identity_t *identity)
{
    io_file_node_t *node = nodes;
    while (node != NULL && (node->device != identity->device || node->number != identity->number))
        node = node->next;
    return node;
}

/* One more file of it. The descriptor is the node's then. */
static io_file_node_t *open_node(const host_file_identity_t *identity, io_open_t *open)
{
    io_file_node_t *fresh = calloc(1, sizeof *fresh);
    ke_lock(&io_file_lock);
    settle_locked();
    io_file_node_t *node = find_node_locked(identity);
    if (node == NULL && fresh != NULL) {
        node = fresh;
        node->device = identity->device;
        node->number = identity->number;
        node->next = nodes;
        nodes = node;
    }
    if (node != NULL) {
        node->files++;
        open->next = node->opens;
        node->opens = open;
    }
    ke_unlock(&io_file_lock);
    if (node != fresh)
        free(fresh);
    return node;
}

static void close_node(io_file_node_t *node, io_open_t *open)
{
    ke_lock(&io_file_lock);
    io_open_t **link = &node->opens;
    while (*link != open)
        link = &(*link)->next;
    *link = open->next;
    node->files--;
    settle_locked();
    ke_unlock(&io_file_lock);
    host_file_close(&open->file);
    free(open);
}

/* ---- segments ---- */

static NTSTATUS make_segment_locked(io_file_t *file, uint64_t bytes)
{
    io_file_node_t *node = file->node;
    host_file_t     twin;
    if (host_file_duplicate(&file->host->file, &twin) != 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = mm_segment_create_file(twin, bytes, file->object.WriteAccess, &node->segment);
    if (!NT_SUCCESS(status))
        host_file_close(&twin);
    if (!NT_SUCCESS(status))
        return status;
    node->holds = true;
    node->serial = mm_segment_serial(node->segment);
    node->pointers.DataSectionObject = node->segment;
    return STATUS_SUCCESS;
}

/* The segment writes through a descriptor that may. */
static NTSTATUS make_writable_locked(io_file_t *file)
{
    mm_segment_usage_t usage;
    host_file_t        twin;
    mm_segment_query(file->node->segment, &usage);
    if (usage.writable)
        return STATUS_SUCCESS;
    if (host_file_duplicate(&file->host->file, &twin) != 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    mm_segment_use_file(file->node->segment, twin, true);
    return STATUS_SUCCESS;
}

static NTSTATUS segment_locked(io_file_t *file, uint64_t bytes, bool writable)
{
    io_file_node_t *node = file->node;
    NTSTATUS        status = STATUS_SUCCESS;
    if (!node->holds && io_file_hold_locked(node))
        node->holds = true;
    if (node->segment != NULL && !mm_segment_grow(node->segment, bytes)) {
        if (is_used_locked(node))
            return STATUS_SECTION_NOT_EXTENDED;
        let_go_locked(node);
    }
    if (node->segment == NULL)
        status = make_segment_locked(file, bytes);
    return NT_SUCCESS(status) && writable ? make_writable_locked(file) : status;
}

NTSTATUS io_file_segment(io_file_t *file, uint64_t bytes, bool writable, mm_segment_t **segment)
{
    ke_lock(&io_file_lock);
    NTSTATUS status = segment_locked(file, bytes, writable);
    if (NT_SUCCESS(status)) {
        *segment = file->node->segment;
        mm_segment_reference(*segment);
    }
    ke_unlock(&io_file_lock);
    return status;
}

void io_file_section_opened(io_file_node_t *node, bool writable)
{
    ke_lock(&io_file_lock);
    node->sections++;
    node->writable_sections += writable;
    ke_unlock(&io_file_lock);
}

void io_file_section_closed(io_file_node_t *node, bool writable)
{
    ke_lock(&io_file_lock);
    node->sections--;
    node->writable_sections -= writable;
    settle_locked();
    ke_unlock(&io_file_lock);
}

bool io_file_forget(io_file_node_t *node, bool later)
{
    ke_lock(&io_file_lock);
    node->close_later = node->segment != NULL && (later || node->close_later);
    if (node->holds && (later ? node->sections == 0 : !is_used_locked(node)))
        let_go_locked(node);
    else if (io_file_hold_locked(node))
        mm_segment_dereference(node->segment);
    bool gone = node->segment == NULL;
    ke_unlock(&io_file_lock);
    return gone;
}

/* ---- file objects ---- */

void io_file_close_host(io_file_t *file) { close_node(file->node, file->host); }

/* NULL: there is no memory, and the descriptor is closed. */
static io_file_t *make_object(const char *path, bool writable, io_open_t *open, const host_file_identity_t *identity)
{
    size_t          length = strlen(path) < UINT16_MAX / sizeof(WCHAR) ? strlen(path) : UINT16_MAX / sizeof(WCHAR);
    io_file_node_t *node = open_node(identity, open);
    io_file_t      *file = node != NULL ? io_file_make(length * sizeof(WCHAR)) : NULL;
    if (file != NULL) {
        file->host = open;
        file->node = node;
        file->object.SectionObjectPointer = &node->pointers;
        file->object.WriteAccess = writable;
        for (size_t i = 0; i < length; i++)
            file->name[i] = (unsigned char)path[i];
    } else if (node != NULL) {
        close_node(node, open);
    } else {
        host_file_close(&open->file);
        free(open);
    }
    return file;
}

static int open_host(const char *path, unsigned how, io_open_t *open, host_file_identity_t *identity)
{
    int status = host_file_open_as(&open->file, path, how);
    if (status != 0)
        return status;
    status = host_file_identify(&open->file, identity);
    if (status != 0)
        host_file_close(&open->file);
    return status;
}

int io_file_open_host(const char *path, unsigned how, io_file_t **file)
{
    host_file_identity_t identity;
    io_open_t           *open = calloc(1, sizeof *open);
    int                  status = open != NULL ? open_host(path, how, open, &identity) : -ENOMEM;
    *file = NULL;
    if (status != 0) {
        free(open);
        return status;
    }
    *file = make_object(path, (how & HOST_FILE_WRITE) != 0, open, &identity);
    return *file != NULL ? 0 : -ENOMEM;
}

static int open_file(const char *path, bool writable, HANDLE *handle)
{
    io_file_t *file;
    int        status = io_file_open_host(path, writable ? HOST_FILE_WRITE : 0, &file);
    if (status == -ENOMEM)
        return ke_error(-ENOMEM, "there is no memory for a file object");
    if (status != 0)
        return ke_error(status, "the host does not open %s: %s", path, strerror(-status));
    NTSTATUS opened = ex_handle_open(file, GENERIC_READ | (writable ? GENERIC_WRITE : 0), OBJ_KERNEL_HANDLE, handle);
    (void)ex_object_dereference("ntmm_file_open", file); /* the handle keeps it */
    return NT_SUCCESS(opened) ? 0 : ke_error(-ENOMEM, "there is no memory for a handle");
}

int ntmm_file_open(const char *path, bool writable, HANDLE *handle)
{
    *handle = NULL;
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return -EINVAL;
    int status = thread->irql == PASSIVE_LEVEL
                     ? open_file(path, writable, handle)
                     : ke_error(-EINVAL, "ntmm_file_open was called at IRQL %u; at most PASSIVE_LEVEL", thread->irql);
    ke_thread_leave(thread);
    return status;
}
