// FFmpeg's libraries: demuxing, decoding, and pixel format conversion.
#ifndef WADE_CFFMPEG_H
#define WADE_CFFMPEG_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>

#endif
