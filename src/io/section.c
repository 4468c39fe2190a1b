/*
 * section.c - section objects: made, found by name, gone with their last reference.
 *
 *     ZwCreateSection   what is asked for is looked at, then a segment: a fresh one in the page file, or the one of the file (file.c)
 *     ZwOpenSection     a name, and one more handle
 *     section_deleted   the segment is given up; views may keep it
 *
 * Locks       section_lock for names and the counts of handles; pool and mm are called without it.
 * Source      WDK reference: wdm.h, ZwCreateSection, ZwOpenSection; ntifs.h, NtCreateSection, NtCreateSectionEx.
 * Fidelity    no image sections, no security. What is kept with a handle as access is not looked at: nothing is refused to kernel mode.
 */
#include "io/section.h"

#include <string.h>

#include "ex/handle.h"
#include "io/object_name.h"
#include "ke/bugcheck.h"

#define SECTION_TAG 0x74636553u /* "Sect" */
#define SEC_KNOWN \
    (SEC_BASED | SEC_NO_CHANGE | SEC_FILE | SEC_IMAGE | SEC_RESERVE | SEC_COMMIT | SEC_NOCACHE | SEC_WRITECOMBINE | SEC_LARGE_PAGES)

static ke_lock_t     section_lock = KE_LOCK_INIT(KE_RANK_IO_SECTION);
static io_section_t *named_sections;

void io_sections_boot(void)
{
    ke_lock_init(&section_lock, KE_RANK_IO_SECTION);
    named_sections = NULL;
}

/* ---- protections ---- */

bool io_protect_is_valid(ULONG protect)
{
    ULONG access = protect & 0xFFu, modifiers = protect & ~0xFFu;
    return access != 0 && (access & (access - 1)) == 0 && (modifiers & ~(ULONG)(PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE)) == 0;
}

bool io_protect_writes(ULONG protect) { return (protect & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)) != 0; }

static bool executes(ULONG protect)
{
    return (protect & (PAGE_EXECUTE | PAGE_EXECUTE_READ | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY)) != 0;
}

/* Every section may be read and copied. */
bool io_section_allows(const io_section_t *section, ULONG protect)
{
    return (!io_protect_writes(protect) || io_protect_writes(section->protect)) && (!executes(protect) || executes(section->protect));
}

/* ---- the object ---- */

static void section_opened(void *object);
static void section_closed(void *object);

static void section_deleted(void *object)
{
    io_section_t *section = object;
    if (section->segment != NULL)
        mm_segment_dereference(section->segment);
    if (section->node != NULL)
        io_file_section_closed(section->node, io_protect_writes(section->protect));
}

const ex_object_type_t io_section_type = {
    .name = "Section",
    .tag = SECTION_TAG,
    .all_access = SECTION_ALL_ACCESS,
    .generic_read = STANDARD_RIGHTS_READ | SECTION_QUERY | SECTION_MAP_READ,
    .generic_write = STANDARD_RIGHTS_WRITE | SECTION_MAP_WRITE,
    .generic_execute = STANDARD_RIGHTS_EXECUTE | SECTION_MAP_EXECUTE,
    .opened = section_opened,
    .closed = section_closed,
    .deleted = section_deleted,
};
static POBJECT_TYPE section_type_pointer = (POBJECT_TYPE)(uintptr_t)&io_section_type;
POBJECT_TYPE       *MmSectionObjectType = &section_type_pointer;

/* ---- names ---- */

static io_section_t *find_locked(PCUNICODE_STRING name)
{
    io_section_t *section = named_sections;
    while (section != NULL && !io_name_is(name, section->name, section->name_bytes))
        section = section->next;
    if (section != NULL)
        section->handles++;
    return section;
}

static io_section_t *find(PCUNICODE_STRING name)
{
    ke_lock(&section_lock);
    io_section_t *section = find_locked(name);
    ke_unlock(&section_lock);
    return section;
}

/* The name keeps the creator's reference. NULL: somebody was faster, and it is his section that is to be opened. */
static io_section_t *give_name(io_section_t *fresh, PCUNICODE_STRING name)
{
    ke_lock(&section_lock);
    io_section_t *other = find_locked(name);
    if (other == NULL) {
        fresh->handles = 1;
        fresh->next = named_sections;
        named_sections = fresh;
    }
    ke_unlock(&section_lock);
    return other;
}

/* Once the name has gone nobody counts any longer. */
static void section_opened(void *object)
{
    io_section_t *section = object;
    ke_lock(&section_lock);
    section->handles += section->handles != 0;
    ke_unlock(&section_lock);
}

/* A handle of it is closed, or could not be opened. The name goes with the last one. */
static void section_closed(void *object)
{
    io_section_t *section = object, **link = &named_sections;
    if (section->name_bytes == 0)
        return;
    ke_lock(&section_lock);
    bool last = section->handles == 1;
    section->handles -= section->handles != 0;
    if (last) {
        while (*link != section)
            link = &(*link)->next;
        *link = section->next;
    }
    ke_unlock(&section_lock);
    if (last)
        (void)ex_object_dereference("ZwClose", section);
}

/* ---- what was asked for ---- */

typedef struct request {
    ACCESS_MASK      access;
    ULONG            handle_attributes, protect, attributes;
    PCUNICODE_STRING name; /* NULL: none */
    uint64_t         bytes;
    HANDLE           file_handle;
} request_t;

static NTSTATUS read_attributes(const OBJECT_ATTRIBUTES *object, request_t *request)
{
    if (object == NULL)
        return STATUS_SUCCESS;
    if (object->Length != sizeof *object || (object->Attributes & ~OBJ_VALID_ATTRIBUTES) != 0)
        return STATUS_INVALID_PARAMETER;
    request->handle_attributes = object->Attributes;
    if (object->ObjectName == NULL || object->ObjectName->Length == 0)
        return STATUS_SUCCESS;
    request->name = object->ObjectName;
    return object->RootDirectory == NULL ? io_name_status(request->name) : STATUS_OBJECT_PATH_NOT_FOUND;
}

static bool attributes_are_valid(ULONG attributes)
{
    ULONG kind = attributes & (SEC_COMMIT | SEC_RESERVE | SEC_IMAGE);
    return (attributes & ~SEC_KNOWN) == 0 && kind != 0 && (kind & (kind - 1)) == 0;
}

static NTSTATUS read_request(POBJECT_ATTRIBUTES object, PLARGE_INTEGER size, request_t *request)
{
    if (!io_protect_is_valid(request->protect) || (request->protect & (PAGE_NOACCESS | PAGE_GUARD)) != 0)
        return STATUS_INVALID_PAGE_PROTECTION;
    if (!attributes_are_valid(request->attributes))
        return STATUS_INVALID_PARAMETER_6;
    if (size != NULL && size->QuadPart < 0)
        return STATUS_SECTION_TOO_BIG;
    request->bytes = size != NULL ? (uint64_t)size->QuadPart : 0;
    if (request->file_handle == NULL && (request->attributes & SEC_IMAGE) != 0)
        return STATUS_INVALID_FILE_FOR_SECTION;
    if (request->file_handle == NULL && request->bytes == 0)
        return STATUS_INVALID_PARAMETER_4;
    return read_attributes(object, request);
}

/* ---- over a file ---- */

/* The loader of images is not part of this machine. */
static NTSTATUS image_status(const io_file_t *file)
{
    char magic[2];
    if (host_file_read(&file->host->file, 0, magic, sizeof magic) == 0 && magic[0] == 'M' && magic[1] == 'Z')
        return STATUS_NOT_SUPPORTED;
    return STATUS_INVALID_IMAGE_NOT_MZ;
}

static NTSTATUS extend(const io_file_t *file, const request_t *request)
{
    if (!io_protect_writes(request->protect) || request->bytes > MmGetMaximumFileSectionSize())
        return STATUS_SECTION_TOO_BIG;
    return host_file_set_size(&file->host->file, request->bytes) == 0 ? STATUS_SUCCESS : STATUS_DISK_FULL;
}

static NTSTATUS make_over_file(io_file_t *file, const request_t *request, io_section_t *section)
{
    host_file_identity_t identity;
    bool                 writable = io_protect_writes(request->protect);
    if (host_file_identify(&file->host->file, &identity) != 0 || !identity.is_regular)
        return STATUS_INVALID_FILE_FOR_SECTION;
    if (host_file_is_locked(&file->host->file))
        return STATUS_FILE_LOCK_CONFLICT;
    if ((request->attributes & SEC_IMAGE) != 0)
        return image_status(file);
    if (writable && !file->object.WriteAccess)
        return STATUS_ACCESS_DENIED;
    if (identity.bytes == 0 && request->bytes == 0)
        return STATUS_MAPPED_FILE_SIZE_ZERO;
    NTSTATUS status = request->bytes > identity.bytes ? extend(file, request) : STATUS_SUCCESS;
    uint64_t file_bytes = request->bytes > identity.bytes ? request->bytes : identity.bytes;
    if (NT_SUCCESS(status) && file_bytes > MmGetMaximumFileSectionSize())
        status = STATUS_SECTION_TOO_BIG;
    if (NT_SUCCESS(status))
        status = io_file_segment(file, file_bytes, writable, &section->segment);
    if (!NT_SUCCESS(status))
        return status;
    section->node = file->node;
    section->bytes = request->bytes != 0 ? request->bytes : identity.bytes;
    io_file_section_opened(section->node, writable);
    return STATUS_SUCCESS;
}

static NTSTATUS make_over_handle(const request_t *request, io_section_t *section)
{
    void    *file = NULL;
    NTSTATUS status = ex_handle_reference(request->file_handle, 0, &io_file_type, KernelMode, &file, NULL);
    if (status == STATUS_OBJECT_TYPE_MISMATCH)
        return STATUS_INVALID_FILE_FOR_SECTION;
    if (!NT_SUCCESS(status))
        return status;
    status = ((io_file_t *)file)->node != NULL ? make_over_file(file, request, section) : STATUS_INVALID_FILE_FOR_SECTION;
    (void)ex_object_dereference("ZwCreateSection", file);
    return status;
}

static NTSTATUS make_in_page_file(const request_t *request, io_section_t *section)
{
    if (request->bytes > MmGetMaximumFileSectionSize())
        return STATUS_SECTION_TOO_BIG;
    section->bytes = ROUND_TO_PAGES(request->bytes);
    return mm_segment_create(section->bytes >> PAGE_SHIFT, (request->attributes & SEC_COMMIT) != 0, &section->segment);
}

/* ---- creating ---- */

static NTSTATUS make_section(const request_t *request, io_section_t **out)
{
    USHORT        name_bytes = request->name != NULL ? request->name->Length : 0;
    io_section_t *section = ex_object_create(&io_section_type, sizeof *section + name_bytes);
    if (section == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    section->protect = request->protect;
    section->attributes = request->attributes;
    if (name_bytes != 0)
        memcpy(section->name, request->name->Buffer, name_bytes);
    NTSTATUS status = request->file_handle != NULL ? make_over_handle(request, section) : make_in_page_file(request, section);
    if (!NT_SUCCESS(status)) {
        (void)ex_object_dereference("ZwCreateSection", section);
        return status;
    }
    section->name_bytes = name_bytes;
    *out = section;
    return STATUS_SUCCESS;
}

/* A section that has that name, with one more handle in sight: another handle of it, if that is allowed. */
static NTSTATUS open_existing(io_section_t *section, const request_t *request, HANDLE *handle)
{
    NTSTATUS status = STATUS_OBJECT_NAME_COLLISION;
    if ((request->handle_attributes & OBJ_OPENIF) != 0)
        status = ex_handle_open(section, request->access, request->handle_attributes, handle);
    if (NT_SUCCESS(status))
        return STATUS_OBJECT_NAME_EXISTS;
    section_closed(section);
    return status;
}

/* The creator's reference becomes the name's, or goes. */
static NTSTATUS open_fresh(io_section_t *section, const request_t *request, HANDLE *handle)
{
    NTSTATUS status = ex_handle_open(section, request->access, request->handle_attributes, handle);
    if (request->name == NULL)
        (void)ex_object_dereference("ZwCreateSection", section);
    else if (!NT_SUCCESS(status))
        section_closed(section);
    return status;
}

static NTSTATUS create(const request_t *request, HANDLE *handle)
{
    io_section_t *section = NULL, *other = request->name != NULL ? find(request->name) : NULL;
    if (other != NULL)
        return open_existing(other, request, handle);
    NTSTATUS status = make_section(request, &section);
    if (!NT_SUCCESS(status))
        return status;
    other = request->name != NULL ? give_name(section, request->name) : NULL;
    if (other == NULL)
        return open_fresh(section, request, handle);
    section->name_bytes = 0;
    (void)ex_object_dereference("ZwCreateSection", section);
    return open_existing(other, request, handle);
}

static NTSTATUS create_section(const char *routine, PHANDLE handle, POBJECT_ATTRIBUTES object, PLARGE_INTEGER size, request_t *request)
{
    *handle = NULL;
    ke_thread_t *self = ke_thread_enter(routine);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = read_request(object, size, request);
    if (NT_SUCCESS(status))
        status = create(request, handle);
    ke_thread_leave(self);
    return status;
}

NTSTATUS ZwCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, PLARGE_INTEGER MaximumSize,
                         ULONG SectionPageProtection, ULONG AllocationAttributes, HANDLE FileHandle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    request_t request = { .access = DesiredAccess, .protect = SectionPageProtection, .attributes = AllocationAttributes };
    request.file_handle = FileHandle;
    return create_section(__func__, SectionHandle, ObjectAttributes, MaximumSize, &request);
}

NTSTATUS NtCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, PLARGE_INTEGER MaximumSize,
                         ULONG SectionPageProtection, ULONG AllocationAttributes, HANDLE FileHandle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    request_t request = { .access = DesiredAccess, .protect = SectionPageProtection, .attributes = AllocationAttributes };
    request.file_handle = FileHandle;
    return create_section(__func__, SectionHandle, ObjectAttributes, MaximumSize, &request);
}

/* ---- extended parameters ---- */

static NTSTATUS read_parameters(const MEM_EXTENDED_PARAMETER *parameters, ULONG count)
{
    uint32_t seen = 0;
    if (count != 0 && parameters == NULL)
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < count; i++) {
        uint64_t type = parameters[i].Type;
        if (type == MemExtendedParameterInvalidType || type >= MemExtendedParameterMax || (seen >> type & 1) != 0)
            return STATUS_INVALID_PARAMETER;
        if (type != MemExtendedParameterNumaNode)
            return STATUS_NOT_SUPPORTED;
        if (parameters[i].ULong >= ke_node_count)
            return STATUS_INVALID_PARAMETER;
        seen |= 1u << type;
    }
    return STATUS_SUCCESS;
}

NTSTATUS NtCreateSectionEx(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                           PLARGE_INTEGER MaximumSize, ULONG SectionPageProtection, ULONG AllocationAttributes, HANDLE FileHandle,
                           PMEM_EXTENDED_PARAMETER ExtendedParameters, ULONG ExtendedParameterCount)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    NTSTATUS  status = read_parameters(ExtendedParameters, ExtendedParameterCount);
    request_t request = { .access = DesiredAccess, .protect = SectionPageProtection, .attributes = AllocationAttributes };
    request.file_handle = FileHandle;
    *SectionHandle = NULL;
    return NT_SUCCESS(status) ? create_section(__func__, SectionHandle, ObjectAttributes, MaximumSize, &request) : status;
}

/* ---- opening ---- */

static NTSTATUS open_section(POBJECT_ATTRIBUTES object, request_t *request, HANDLE *handle)
{
    NTSTATUS status = object != NULL ? read_attributes(object, request) : STATUS_INVALID_PARAMETER;
    if (!NT_SUCCESS(status))
        return status;
    if (request->name == NULL)
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    io_section_t *section = find(request->name);
    if (section == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    status = ex_handle_open(section, request->access, request->handle_attributes, handle);
    if (!NT_SUCCESS(status))
        section_closed(section);
    return status;
}

NTSTATUS ZwOpenSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    request_t request = { .access = DesiredAccess };
    *SectionHandle = NULL;
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = open_section(ObjectAttributes, &request, SectionHandle);
    ke_thread_leave(self);
    return status;
}
