#include <ntddk.h>
#include <wdf.h>

#define IOCTL_ECHO_LAST CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS) /* what was written last */
#define ECHO_MOST 256                                                                          /* bytes of one write */
