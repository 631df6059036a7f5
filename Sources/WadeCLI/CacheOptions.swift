//! Where visual tokens are kept, for the commands that make them.
import ArgumentParser
import WadePipeline

/// The cache of visual tokens.
struct CacheOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Keep the visual tokens of clips in this folder. (default: wade/clips in $XDG_CACHE_HOME or ~/.cache)",
            discussion: """
                A new question about clips that were looked at before then needs neither decoding nor the vision encoder, and \
                the answers are the same to the byte. Clips are known by their content, not by their names. Runs may share the \
                folder, and it may be deleted at any time. Where there is no HOME and no XDG_CACHE_HOME, nothing is kept.
                """,
            valueName: "folder"))
    var cache: PathBytes?

    @Flag(help: "Keep no visual tokens and use none that are kept.")
    var noCache = false

    @Option(
        help: ArgumentHelp(
            "The most that the cache may hold: 500M, 20G; what was not used for longest goes first. (default: 8G)",
            valueName: "size"))
    var cacheSize: ByteCount?

    func validate() throws {
        if noCache, cache != nil || cacheSize != nil {
            throw ValidationError(
                "--no-cache and the other options of the cache exclude each other")
        }
        if let cache, cache.bytes.isEmpty {
            throw ValidationError("--cache: found nothing, expected a folder")
        }
    }

    /// The cache; nil for none.
    var settings: CacheSettings? {
        guard !noCache, let folder = cache ?? CacheSettings.defaultFolder else { return nil }
        return CacheSettings(
            folder: folder, limit: cacheSize?.count ?? CacheSettings.defaultLimit,
            isNamed: cache != nil)
    }

    /// The same options as words of a command line, with absolute paths.
    var arguments: [String] {
        var words: [String] = []
        if let cache { words += ["--cache", ScheduleText.absolute(cache)] }
        if noCache { words += ["--no-cache"] }
        if let cacheSize { words += ["--cache-size", "\(cacheSize.count)"] }
        return words
    }
}
