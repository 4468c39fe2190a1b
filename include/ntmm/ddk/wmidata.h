/* wmidata.h - data blocks that the MOF compiler makes of the descriptions that come with Windows; drivers of this machine bring their own. */
#include "wmistr.h"
