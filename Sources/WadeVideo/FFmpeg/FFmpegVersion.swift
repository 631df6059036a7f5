//! Which FFmpeg this program was built for.
internal import CFFmpeg

/// Versions of FFmpeg's libraries. Those that are loaded have the same major versions, or are not found.
package enum FFmpegVersion {
    /// The libraries whose headers this program was built with, told without loading any.
    package static var built: String {
        let versions = [
            (LIBAVFORMAT_VERSION_MAJOR, LIBAVFORMAT_VERSION_MINOR, LIBAVFORMAT_VERSION_MICRO),
            (LIBAVCODEC_VERSION_MAJOR, LIBAVCODEC_VERSION_MINOR, LIBAVCODEC_VERSION_MICRO),
            (LIBSWSCALE_VERSION_MAJOR, LIBSWSCALE_VERSION_MINOR, LIBSWSCALE_VERSION_MICRO),
        ]
        return versions.map { "\($0).\($1).\($2)" }.joined(separator: " ")
    }
}
