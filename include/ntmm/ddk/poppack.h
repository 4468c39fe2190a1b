/* poppack.h - the end of what a pshpack header began. */
#pragma pack(pop)
