//! Which of FFmpeg's formats Wade opens: real containers, elementary streams and still pictures.

/// The format whitelist, by demuxer name (`ffmpeg -demuxers`).
///
/// Left out on purpose: everything that names other files or addresses (concat, hls, dash, imf, sdp, rtsp, image2,
/// svg_pipe, vobsub, mlv), devices (lavfi, v4l2, x11grab, …), text rendered as pictures (tty, ass, srt, …) and
/// headerless raw formats that fit any bytes.
enum Containers {
    static let allowed: Set<String> = {
        let containers = """
            mov,mp4,m4a,3gp,3g2,mj2 matroska,webm avi mpegts mpeg flv live_flv asf mxf ogg gif apng nut ivf rm dv \
            gxf wtv nsv nuv obu av1 h261 h263 h264 hevc m4v mpegvideo cavsvideo avs2 avs3 dirac dnxhd vc1 vc1test \
            mjpeg mjpeg_2000 yuv4mpegpipe pva r3d roq smk bink swf amv kux xmv vivo film_cpk smjpeg ipu
            """
        let stills = """
            png_pipe jpeg_pipe webp_pipe bmp_pipe tiff_pipe ppm_pipe pgm_pipe pbm_pipe pam_pipe pfm_pipe qoi_pipe \
            jpegxl_pipe j2k_pipe jpegls_pipe gif_pipe tga_pipe dpx_pipe exr_pipe psd_pipe sgi_pipe sunrast_pipe \
            pcx_pipe dds_pipe hdr_pipe xbm_pipe xpm_pipe xwd_pipe ico
            """
        // Audio: opened so that music with a cover is called `no_video_stream`, not a foreign format.
        let audio = "mp3 wav flac aac ac3 eac3 aiff w64 ape wv tta caf amr dts"
        return Set((containers + " " + stills + " " + audio).split(separator: " ").map(String.init))
    }()

    /// One still picture per file: its stream has no time.
    static func isStill(_ name: String) -> Bool { name.hasSuffix("_pipe") || name == "ico" }
}
