//! How much one file may cost before it is given up.

/// Limits against files that are small on disk and huge in memory or time.
package struct VideoLimits: Sendable, Equatable {
    /// The most pixels a coded or displayed picture may have; 8K (8192×4320) fits.
    package var maximumPixels: Int = 40_000_000
    /// The largest single block FFmpeg may allocate, in bytes. One value per process: that of the reader opened last counts.
    /// 40 megapixels at 4:2:0 with 10 bits take 120 MB, as RGBA 160 MB; a bomb's index table takes over 1 GB.
    package var maximumAllocation: Int = 192 << 20
    /// Seconds of wall time for opening a file, and again for each call that decodes; 0 for no limit.
    /// A loop inside a decoder never looks at the clock: that is what a killable process is for.
    package var timeout: Double = 300
    /// Streams a container may have.
    package var maximumStreams: Int = 100
    /// Bytes that have to lie between here and the wanted frame before a seek is tried; reading on costs less below that.
    package var seekDistance: Int = 4 << 20
    /// Files up to this size have every packet's time read to measure the duration; larger ones only their last seconds.
    package var fullScanSize: Int = 64 << 20

    /// Bytes of memory that decoding may take by estimate; a stream that takes more is not decoded.
    var maximumMemory = Int.max

    /// The default limits.
    package init() {}
}
