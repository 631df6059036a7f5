// Every function of FFmpeg that the program calls, as a definition that passes the call on to the library.
// The compiler checks each definition against FFmpeg's header; a function that is missing here is missing at link time.
#include "ffmpeg_on_demand.h"

#include <dlfcn.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/cpu.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#if LIBAVFORMAT_VERSION_MAJOR >= 61
typedef const uint8_t written_bytes;
#else
typedef uint8_t written_bytes;
#endif

// clang-format off
#define FUNCTIONS(F) \
    F(avutil, int, av_dict_set, (AVDictionary **a, const char *b, const char *c, int d), (a, b, c, d)) \
    F(avutil, void, av_dict_free, (AVDictionary **a), (a)) \
    F(avutil, AVFrame *, av_frame_alloc, (void), ()) \
    F(avutil, void, av_frame_free, (AVFrame **a), (a)) \
    F(avutil, void, av_frame_unref, (AVFrame *a), (a)) \
    F(avutil, AVFrameSideData *, av_frame_get_side_data, (const AVFrame *a, enum AVFrameSideDataType b), (a, b)) \
    F(avutil, void *, av_malloc, (size_t a), (a)) \
    F(avutil, void, av_max_alloc, (size_t a), (a)) \
    F(avutil, void, av_freep, (void *a), (a)) \
    F(avutil, int, av_strerror, (int a, char *b, size_t c), (a, b, c)) \
    F(avutil, void, av_log_set_callback, (void (*a)(void *, int, const char *, va_list)), (a)) \
    F(avutil, int, av_opt_set_int, (void *a, const char *b, int64_t c, int d), (a, b, c, d)) \
    F(avutil, const AVPixFmtDescriptor *, av_pix_fmt_desc_get, (enum AVPixelFormat a), (a)) \
    F(avutil, int, av_get_padded_bits_per_pixel, (const AVPixFmtDescriptor *a), (a)) \
    F(avutil, const char *, av_get_pix_fmt_name, (enum AVPixelFormat a), (a)) \
    F(avutil, const char *, av_color_transfer_name, (enum AVColorTransferCharacteristic a), (a)) \
    F(avcodec, AVPacket *, av_packet_alloc, (void), ()) \
    F(avcodec, void, av_packet_free, (AVPacket **a), (a)) \
    F(avcodec, void, av_packet_unref, (AVPacket *a), (a)) \
    F(avcodec, void, av_packet_move_ref, (AVPacket *a, AVPacket *b), (a, b)) \
    F(avcodec, uint8_t *, av_packet_get_side_data, (const AVPacket *a, enum AVPacketSideDataType b, size_t *c), (a, b, c)) \
    F(avcodec, const AVCodec *, avcodec_find_decoder, (enum AVCodecID a), (a)) \
    F(avcodec, const char *, avcodec_get_name, (enum AVCodecID a), (a)) \
    F(avcodec, AVCodecContext *, avcodec_alloc_context3, (const AVCodec *a), (a)) \
    F(avcodec, void, avcodec_free_context, (AVCodecContext **a), (a)) \
    F(avcodec, int, avcodec_parameters_to_context, (AVCodecContext *a, const AVCodecParameters *b), (a, b)) \
    F(avcodec, int, avcodec_open2, (AVCodecContext *a, const AVCodec *b, AVDictionary **c), (a, b, c)) \
    F(avcodec, int, avcodec_send_packet, (AVCodecContext *a, const AVPacket *b), (a, b)) \
    F(avcodec, int, avcodec_receive_frame, (AVCodecContext *a, AVFrame *b), (a, b)) \
    F(avcodec, void, avcodec_flush_buffers, (AVCodecContext *a), (a)) \
    F(avformat, AVFormatContext *, avformat_alloc_context, (void), ()) \
    F(avformat, int, avformat_open_input, (AVFormatContext **a, const char *b, const AVInputFormat *c, AVDictionary **d), (a, b, c, d)) \
    F(avformat, int, avformat_find_stream_info, (AVFormatContext *a, AVDictionary **b), (a, b)) \
    F(avformat, void, avformat_close_input, (AVFormatContext **a), (a)) \
    F(avformat, const AVIndexEntry *, avformat_index_get_entry_from_timestamp, (AVStream *a, int64_t b, int c), (a, b, c)) \
    F(avformat, int, av_probe_input_buffer2, (AVIOContext *a, const AVInputFormat **b, const char *c, void *d, unsigned e, unsigned f), (a, b, c, d, e, f)) \
    F(avformat, int, av_find_best_stream, (AVFormatContext *a, enum AVMediaType b, int c, int d, const AVCodec **e, int f), (a, b, c, d, e, f)) \
    F(avformat, int, av_read_frame, (AVFormatContext *a, AVPacket *b), (a, b)) \
    F(avformat, int, av_seek_frame, (AVFormatContext *a, int b, int64_t c, int d), (a, b, c, d)) \
    F(avformat, AVRational, av_guess_frame_rate, (AVFormatContext *a, AVStream *b, AVFrame *c), (a, b, c)) \
    F(avutil, int, av_frame_get_buffer, (AVFrame *a, int b), (a, b)) \
    F(avutil, int, av_frame_make_writable, (AVFrame *a), (a)) \
    F(avutil, int, av_get_cpu_flags, (void), ()) \
    F(avutil, int, av_opt_set, (void *a, const char *b, const char *c, int d), (a, b, c, d)) \
    F(avcodec, void, av_packet_rescale_ts, (AVPacket *a, AVRational b, AVRational c), (a, b, c)) \
    F(avcodec, const AVCodec *, avcodec_find_encoder, (enum AVCodecID a), (a)) \
    F(avcodec, const AVCodec *, avcodec_find_encoder_by_name, (const char *a), (a)) \
    F(avcodec, int, avcodec_parameters_from_context, (AVCodecParameters *a, const AVCodecContext *b), (a, b)) \
    F(avcodec, int, avcodec_send_frame, (AVCodecContext *a, const AVFrame *b), (a, b)) \
    F(avcodec, int, avcodec_receive_packet, (AVCodecContext *a, AVPacket *b), (a, b)) \
    F(avformat, int, avformat_alloc_output_context2, (AVFormatContext **a, const AVOutputFormat *b, const char *c, const char *d), (a, b, c, d)) \
    F(avformat, void, avformat_free_context, (AVFormatContext *a), (a)) \
    F(avformat, AVStream *, avformat_new_stream, (AVFormatContext *a, const AVCodec *b), (a, b)) \
    F(avformat, int, avformat_write_header, (AVFormatContext *a, AVDictionary **b), (a, b)) \
    F(avformat, int, av_interleaved_write_frame, (AVFormatContext *a, AVPacket *b), (a, b)) \
    F(avformat, int, av_write_trailer, (AVFormatContext *a), (a)) \
    F(avformat, int, avio_open, (AVIOContext **a, const char *b, int c), (a, b, c)) \
    F(avformat, int, avio_closep, (AVIOContext **a), (a)) \
    F(avformat, AVIOContext *, avio_alloc_context, (unsigned char *a, int b, int c, void *d, \
        int (*e)(void *, uint8_t *, int), int (*f)(void *, written_bytes *, int), int64_t (*g)(void *, int64_t, int)), (a, b, c, d, e, f, g)) \
    F(avformat, void, avio_context_free, (AVIOContext **a), (a)) \
    F(swscale, struct SwsContext *, sws_alloc_context, (void), ()) \
    F(swscale, int, sws_init_context, (struct SwsContext *a, SwsFilter *b, SwsFilter *c), (a, b, c)) \
    F(swscale, void, sws_freeContext, (struct SwsContext *a), (a)) \
    F(swscale, int, sws_getColorspaceDetails, (struct SwsContext *a, int **b, int *c, int **d, int *e, int *f, int *g, int *h), (a, b, c, d, e, f, g, h)) \
    F(swscale, int, sws_setColorspaceDetails, (struct SwsContext *a, const int b[4], int c, const int d[4], int e, int f, int g, int h), (a, b, c, d, e, f, g, h)) \
    F(swscale, const int *, sws_getCoefficients, (int a), (a)) \
    F(swscale, int, sws_scale, (struct SwsContext *a, const uint8_t *const b[], const int c[], int d, int e, uint8_t *const f[], const int g[]), (a, b, c, d, e, f, g)) \
    SIDE_DATA_OF_STREAMS(F)
// clang-format on

#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
#define SIDE_DATA_OF_STREAMS(F)                                                                    \
    F(avcodec, const AVPacketSideData *, av_packet_side_data_get,                                  \
      (const AVPacketSideData *a, int b, enum AVPacketSideDataType c), (a, b, c))
#else
#define SIDE_DATA_OF_STREAMS(F)                                                                    \
    F(avformat, uint8_t *, av_stream_get_side_data,                                                \
      (const AVStream *a, enum AVPacketSideDataType b, size_t *c), (a, b, c))
#endif

#define PLACE(library, type, name, parameters, arguments) place_##name,
enum { FUNCTIONS(PLACE) placeCount };

static void *places[placeCount];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char complaint[512];

// The library of the version whose headers this was compiled with: another one would have other structures.
static void *library_named(const char *name, int version) {
    char file[64];
    snprintf(file, sizeof file, "lib%s.so.%d", name, version);
    void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
    if (!library && !complaint[0]) {
        const char *reason = dlerror();
        snprintf(complaint, sizeof complaint, "ffmpeg's %s cannot be loaded: %s", file, reason ? reason : "no reason given");
    }
    return library;
}

static void load(void) {
    void *avutil = library_named("avutil", LIBAVUTIL_VERSION_MAJOR);
    void *avcodec = library_named("avcodec", LIBAVCODEC_VERSION_MAJOR);
    void *avformat = library_named("avformat", LIBAVFORMAT_VERSION_MAJOR);
    void *swscale = library_named("swscale", LIBSWSCALE_VERSION_MAJOR);
    if (complaint[0]) return;
#define FIND(library, type, name, parameters, arguments)                                           \
    places[place_##name] = dlsym(library, #name);                                                  \
    if (!places[place_##name] && !complaint[0])                                                    \
        snprintf(complaint, sizeof complaint, "ffmpeg's lib%s has no function %s", #library, #name);
    FUNCTIONS(FIND)
}

const char *ffmpeg_load(void) {
    pthread_once(&once, load);
    return complaint[0] ? complaint : NULL;
}

// A program without its libraries cannot run at all: the system's loader would end it in the same way.
static void *function_at(int place) {
    const char *reason = ffmpeg_load();
    if (reason) {
        fprintf(stderr, "wade: %s\n", reason);
        _Exit(1);
    }
    return places[place];
}

// Hidden, so that FFmpeg's libraries never take these definitions for their own functions.
#define DEFINE(library, type, name, parameters, arguments)                                         \
    __attribute__((visibility("hidden"))) type name parameters {                                   \
        return ((__typeof__(&name))function_at(place_##name)) arguments;                           \
    }
#pragma clang diagnostic ignored "-Wpedantic"
FUNCTIONS(DEFINE)
