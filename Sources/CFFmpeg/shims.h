// FFmpeg's libraries: demuxing, decoding, and pixel format conversion.
// Below the includes stands what Swift cannot import (macros) and what differs between FFmpeg 5, 6 and 7.
#ifndef WADE_CFFMPEG_H
#define WADE_CFFMPEG_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/cpu.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

static const int ffmpeg_error_again = AVERROR(EAGAIN);
static const int ffmpeg_error_no_memory = AVERROR(ENOMEM);
static const int ffmpeg_error_access = AVERROR(EACCES);
static const int ffmpeg_error_io = AVERROR(EIO);
static const int ffmpeg_error_end_of_file = AVERROR_EOF;
static const int ffmpeg_error_exit = AVERROR_EXIT;
static const int ffmpeg_error_invalid_data = AVERROR_INVALIDDATA;
static const int64_t ffmpeg_no_timestamp = AV_NOPTS_VALUE;
static const int64_t ffmpeg_time_base = AV_TIME_BASE;

// The presentation duration of a frame in its stream's time base; 0 when unknown.
static inline int64_t ffmpeg_frame_duration(const AVFrame *frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    return frame->duration;
#else
    return frame->pkt_duration;
#endif
}

// A stream's side data of one type, or NULL; size in bytes is written to `size`.
static inline const uint8_t *ffmpeg_stream_side_data(
    const AVStream *stream, enum AVPacketSideDataType type, size_t *size) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
    const AVPacketSideData *found = av_packet_side_data_get(
        stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, type);
    *size = found ? found->size : 0;
    return found ? found->data : NULL;
#else
    return av_stream_get_side_data(stream, type, size);
#endif
}

// A converter of `frame`'s pixels into `target`, set up as FFmpeg's own scale filter does it (vf_scale.c), but with the
// matrix given. NULL when swscale cannot do it. Opaque, since SwsContext is public in some versions and not in others.
static inline void *ffmpeg_converter_alloc(
    const AVFrame *frame, int matrix, enum AVPixelFormat target, int width, int height, int flags) {
    struct SwsContext *context = sws_alloc_context();
    if (!context) return NULL;
    av_opt_set_int(context, "srcw", frame->width, 0);
    av_opt_set_int(context, "srch", frame->height, 0);
    av_opt_set_int(context, "src_format", frame->format, 0);
    av_opt_set_int(context, "dstw", width, 0);
    av_opt_set_int(context, "dsth", height, 0);
    av_opt_set_int(context, "dst_format", target, 0);
    av_opt_set_int(context, "sws_flags", flags, 0);
    // 4:2:0 chroma lies half a line down, by convention (MPEG-2).
    if (frame->format == AV_PIX_FMT_YUV420P) av_opt_set_int(context, "src_v_chr_pos", 128, 0);
    if (sws_init_context(context, NULL, NULL) < 0) {
        sws_freeContext(context);
        return NULL;
    }
    int *from = NULL, *to = NULL, from_full = 0, to_full = 0, brightness = 0, contrast = 0, saturation = 0;
    if (sws_getColorspaceDetails(
            context, &from, &from_full, &to, &to_full, &brightness, &contrast, &saturation) >= 0) {
        const int *table = sws_getCoefficients(matrix);
        if (frame->color_range != AVCOL_RANGE_UNSPECIFIED)
            from_full = frame->color_range == AVCOL_RANGE_JPEG;
        sws_setColorspaceDetails(
            context, table, from_full, table, to_full, brightness, contrast, saturation);
    }
    return context;
}

static inline void ffmpeg_converter_free(void *context) {
    sws_freeContext((struct SwsContext *)context);
}

// Lets `part` show the window of `width` x `height` pixels at `left`, `top` of `frame`, whose planes it shares without holding them:
// `frame` must outlive it. Only for planar formats; the numbers must be multiples of what one chroma sample covers.
static inline void ffmpeg_window(
    const AVFrame *frame, AVFrame *part, int left, int top, int width, int height) {
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get((enum AVPixelFormat)frame->format);
    part->format = frame->format;
    part->width = width;
    part->height = height;
    part->color_range = frame->color_range;
    part->colorspace = frame->colorspace;
    for (int i = 0; i < format->nb_components; i++) {
        const AVComponentDescriptor *component = &format->comp[i];
        int is_chroma = i == 1 || i == 2;
        int column = left >> (is_chroma ? format->log2_chroma_w : 0);
        int row = top >> (is_chroma ? format->log2_chroma_h : 0);
        int plane = component->plane;
        part->linesize[plane] = frame->linesize[plane];
        part->data[plane] =
            frame->data[plane] + (ptrdiff_t)row * frame->linesize[plane] + column * component->step;
    }
}

// Converts the whole of `frame` into rows of `stride` bytes at `output`; the number of rows written.
static inline int ffmpeg_convert(void *context, const AVFrame *frame, uint8_t *output, int stride) {
    uint8_t *planes[4] = {output, NULL, NULL, NULL};
    int strides[4] = {stride, 0, 0, 0};
    return sws_scale(
        (struct SwsContext *)context, (const uint8_t *const *)frame->data, frame->linesize, 0,
        frame->height, planes, strides);
}

// Converts the whole of `frame` into `target`, which holds the converter's target format and size; the number of rows written.
static inline int ffmpeg_convert_frame(void *context, const AVFrame *frame, AVFrame *target) {
    return sws_scale(
        (struct SwsContext *)context, (const uint8_t *const *)frame->data, frame->linesize, 0,
        frame->height, target->data, target->linesize);
}

// The last warning or error that FFmpeg logged on this thread (256 bytes); decoding runs on the calling thread.
static inline char *ffmpeg_log_line(void) {
    static _Thread_local char line[256];
    return line;
}

static inline void ffmpeg_keep_line(void *object, int level, const char *format, va_list arguments) {
    (void)object;
    if (level > AV_LOG_WARNING) return;
    char line[256];
    vsnprintf(line, sizeof line, format, arguments);
    if (line[0] == 0 || line[0] == '\n') return;
    memcpy(ffmpeg_log_line(), line, sizeof line);
}

static inline void ffmpeg_log_install(void) { av_log_set_callback(ffmpeg_keep_line); }
static inline void ffmpeg_log_forget(void) { ffmpeg_log_line()[0] = 0; }

#endif
