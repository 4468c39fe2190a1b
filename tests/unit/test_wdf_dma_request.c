/*
 * test_wdf_dma_request.c - DMA transactions for requests: which buffer, which direction, and that the request stays while it is moved.
 */
#include "../support/wdf_device.h"

#define MOST (3 * PAGE_SIZE)
#define CONTROL(method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x900, (method), FILE_ANY_ACCESS)

static struct {
    WDFDMATRANSACTION  transaction;
    WDF_DMA_DIRECTION  direction;
    WDF_DEVICE_IO_TYPE io;
    NTSTATUS           initialized; /* what Initialize returned */
    bool               completes_early, keeps;
    WDFREQUEST         request;
    unsigned char      seen[MOST]; /* by the device */
    size_t             moved;
    unsigned           transfers;
} it;

/* ---- the driver ---- */

static BOOLEAN program(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                       PSCATTER_GATHER_LIST list)
{
    NTSTATUS status;
    (void)device, (void)context;
    it.transfers++;
    assert_ptr_equal(WdfDmaTransactionGetRequest(transaction), it.request);
    for (ULONG i = 0; i < list->NumberOfElements; i++) {
        uint64_t at = (uint64_t)list->Elements[i].Address.QuadPart;
        if (direction == WdfDmaDirectionReadFromDevice)
            assert_int_equal(ntmm_device_write(wdf_test_bus_device, at, it.seen + it.moved, list->Elements[i].Length), 0);
        else
            assert_int_equal(ntmm_device_read(wdf_test_bus_device, at, it.seen + it.moved, list->Elements[i].Length), 0);
        it.moved += list->Elements[i].Length;
    }
    if (it.completes_early)
        WdfRequestComplete(it.request, STATUS_SUCCESS);
    if (it.keeps || !WdfDmaTransactionDmaCompleted(transaction, &status))
        return TRUE;
    size_t bytes = WdfDmaTransactionGetBytesTransferred(transaction);
    assert_int_equal(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    assert_null(WdfDmaTransactionGetRequest(transaction));
    WdfRequestCompleteWithInformation(it.request, status, bytes);
    return TRUE;
}

static void move(WDFREQUEST request)
{
    it.request = request;
    it.moved = 0;
    it.transfers = 0;
    it.initialized = WdfDmaTransactionInitializeUsingRequest(it.transaction, request, program, it.direction);
    NTSTATUS status = it.initialized;
    if (NT_SUCCESS(status))
        status = WdfDmaTransactionExecute(it.transaction, NULL);
    if (!NT_SUCCESS(status))
        WdfRequestComplete(request, status);
}

static VOID on_read_or_write(WDFQUEUE queue, WDFREQUEST request, size_t length)
{
    (void)queue, (void)length;
    move(request);
}
static VOID on_control(WDFQUEUE queue, WDFREQUEST request, size_t output, size_t input, ULONG code)
{
    (void)queue, (void)output, (void)input, (void)code;
    move(request);
}

static VOID set_io_type(PWDFDEVICE_INIT init) { WdfDeviceInitSetIoType(init, it.io); }

static NTSTATUS make(WDFDEVICE device)
{
    WDF_IO_QUEUE_CONFIG    queue;
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER          enabler;
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoRead = on_read_or_write;
    queue.EvtIoWrite = on_read_or_write;
    queue.EvtIoDeviceControl = on_control;
    queue.AllowZeroLengthRequests = TRUE;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileScatterGather64, 2 * PAGE_SIZE);
    NTSTATUS status = WdfIoQueueCreate(device, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
    if (NT_SUCCESS(status))
        status = WdfDmaEnablerCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &enabler);
    return NT_SUCCESS(status) ? WdfDmaTransactionCreate(enabler, WDF_NO_OBJECT_ATTRIBUTES, &it.transaction) : status;
}

static int setup_as(void **state, WDF_DEVICE_IO_TYPE io)
{
    memset(&it, 0, sizeof it);
    it.io = io;
    wdf_device_init = set_io_type;
    wdf_device_made = make;
    return wdf_device_setup(state);
}
static int setup_direct(void **state) { return setup_as(state, WdfDeviceIoDirect); }
static int setup_buffered(void **state) { return setup_as(state, WdfDeviceIoBuffered); }

/* ---- reads and writes ---- */

static void fill(unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)(i * 7 + (i >> 8));
}

static void reads_and_writes(void **state)
{
    static unsigned char buffer[MOST];
    size_t               done;
    (void)state;
    it.direction = WdfDmaDirectionReadFromDevice;
    fill(it.seen, MOST);
    assert_int_equal(ntmm_request_read(wdf_test_object(), 0, buffer, MOST, &done), STATUS_SUCCESS);
    assert_int_equal(done, MOST);
    assert_int_equal(it.transfers, 2);
    assert_memory_equal(buffer, it.seen, MOST);
    it.direction = WdfDmaDirectionWriteToDevice;
    memset(it.seen, 0, MOST);
    assert_int_equal(ntmm_request_write(wdf_test_object(), 0, buffer, 1000, &done), STATUS_SUCCESS);
    assert_int_equal(done, 1000);
    assert_memory_equal(buffer, it.seen, 1000);
}

static void direction_suits_the_request(void **state)
{
    unsigned char buffer[10];
    size_t        done;
    (void)state;
    it.direction = WdfDmaDirectionWriteToDevice;
    assert_int_equal(ntmm_request_read(wdf_test_object(), 0, buffer, 10, &done), STATUS_INVALID_DEVICE_REQUEST);
    it.direction = (WDF_DMA_DIRECTION)5;
    assert_int_equal(ntmm_request_read(wdf_test_object(), 0, buffer, 10, &done), STATUS_INVALID_PARAMETER);
    it.direction = WdfDmaDirectionReadFromDevice;
    assert_int_equal(ntmm_request_write(wdf_test_object(), 0, buffer, 10, &done), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(ntmm_request_read(wdf_test_object(), 0, buffer, 0, &done), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(it.initialized, STATUS_INVALID_DEVICE_REQUEST);
}

/* ---- control requests ---- */

static void which_buffer_of_a_control_request(void **state)
{
    static const struct {
        ULONG             method;
        WDF_DMA_DIRECTION direction;
        NTSTATUS          expected;
        size_t            bytes; /* that are moved */
    } cases[] = {
        { METHOD_BUFFERED, WdfDmaDirectionReadFromDevice, STATUS_SUCCESS, 200 },
        { METHOD_BUFFERED, WdfDmaDirectionWriteToDevice, STATUS_SUCCESS, 100 },
        { METHOD_OUT_DIRECT, WdfDmaDirectionReadFromDevice, STATUS_SUCCESS, 200 },
        { METHOD_OUT_DIRECT, WdfDmaDirectionWriteToDevice, STATUS_INVALID_DEVICE_REQUEST, 0 },
        { METHOD_IN_DIRECT, WdfDmaDirectionWriteToDevice, STATUS_SUCCESS, 200 },
        { METHOD_IN_DIRECT, WdfDmaDirectionReadFromDevice, STATUS_INVALID_DEVICE_REQUEST, 0 },
        { METHOD_NEITHER, WdfDmaDirectionReadFromDevice, STATUS_INVALID_DEVICE_REQUEST, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char first[100], second[200];
        size_t        done;
        fill(first, sizeof first);
        fill(second, sizeof second);
        memset(it.seen, 0x5A, MOST);
        it.direction = cases[i].direction;
        assert_int_equal(
            ntmm_request_control(wdf_test_object(), CONTROL(cases[i].method), first, sizeof first, second, sizeof second, &done),
            cases[i].expected);
        assert_int_equal(done, cases[i].bytes);
        if (cases[i].bytes != 0 && it.direction == WdfDmaDirectionReadFromDevice)
            assert_memory_equal(second, it.seen, 200);
        else if (cases[i].bytes != 0)
            assert_memory_equal(it.seen, cases[i].method == METHOD_BUFFERED ? first : second, cases[i].bytes);
    }
}

/* ---- mistakes ---- */

static void request_stays_while_it_is_moved(void **state)
{
    unsigned char buffer[10];
    size_t        done;
    (void)state;
    it.direction = WdfDmaDirectionReadFromDevice;
    it.completes_early = it.keeps = true;
    assert_bugcheck(WDF_VIOLATION, WDF_VERIFIER_FATAL_ERROR, ntmm_request_read(wdf_test_object(), 0, buffer, 10, &done));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], (uintptr_t)it.request);
}

static void checks_the_request(void **state)
{
    (void)state;
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE,
                    WdfDmaTransactionInitializeUsingRequest(it.transaction, (WDFREQUEST)(void *)it.transaction, program,
                                                            WdfDmaDirectionReadFromDevice));
}

static void one_read(void *context)
{
    unsigned char buffer[600];
    size_t        done;
    (void)context;
    NTSTATUS status = ntmm_request_read(wdf_test_object(), 0, buffer, sizeof buffer, &done);
    assert_true(status == STATUS_SUCCESS || status == STATUS_INSUFFICIENT_RESOURCES);
}

static void survives_every_failure(void **state)
{
    (void)state;
    it.direction = WdfDmaDirectionReadFromDevice;
    assert_true(ntmm_for_each_failure(one_read, NULL) >= 2);
}

#define direct(test) cmocka_unit_test_setup_teardown(test, setup_direct, wdf_device_teardown)
#define buffered(test) cmocka_unit_test_setup_teardown(test, setup_buffered, wdf_device_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        direct(reads_and_writes),
        buffered(reads_and_writes),
        direct(direction_suits_the_request),
        buffered(direction_suits_the_request),
        direct(which_buffer_of_a_control_request),
        direct(request_stays_while_it_is_moved),
        direct(checks_the_request),
        direct(survives_every_failure),
        buffered(survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
