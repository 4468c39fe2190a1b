/* devioctl.h - CTL_CODE and kinds of devices: what a header that a driver shares with its programs includes. They are in wdm.h. */
#include "wdm.h"
