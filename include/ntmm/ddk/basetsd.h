/* basetsd.h - integer types by width: they are in ntdef.h. */
#include "ntdef.h"
