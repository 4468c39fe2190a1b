/* kernelspecs.h - source annotations: all of them are in sal.h. */
#include "sal.h"
