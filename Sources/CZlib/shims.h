// zlib: deflate for PNG files.
#ifndef WADE_CZLIB_H
#define WADE_CZLIB_H

#include <zlib.h>

#endif
