//! Facts about a cache's files: what comes out of them is what was put in, or nothing.
import Foundation
import Testing

@testable import WadePipeline

@Suite("the files of a cache")
struct CacheFolderTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func open(limit: Int = 1 << 20) throws -> CacheFolder {
        let settings = CacheSettings(folder: folder("cache"), limit: limit, isNamed: true)
        return try #require(try CacheFolder.open(settings))
    }

    private func key(_ number: Int, group: Int = 0) -> CacheFolder.Key {
        let digits = Hexadecimal.text(Hexadecimal.sha256([Array("\(number)".utf8)]))
        return CacheFolder.Key(
            group: String(Hexadecimal.text(Hexadecimal.sha256([[UInt8(group)]])).prefix(16)),
            name: digits)
    }

    private func path(_ key: CacheFolder.Key) -> String { "cache/\(key.group)/\(key.name)" }

    /// Sizes of the cache's files by name.
    private func sizes() throws -> [String: Int] {
        var sizes: [String: Int] = [:]
        let root = folder("cache").text
        for name in try FileManager.default.subpathsOfDirectory(atPath: root) {
            let status = try FileStatus.of(folder("cache/" + name), followingLinks: false)
            if status.kind == .regular { sizes[name] = status.size }
        }
        return sizes
    }

    private func setAge(_ name: String, seconds: Int) {
        var times = [timespec(), timespec()]
        times[1].tv_sec = time(nil) - seconds
        times[0] = times[1]
        #expect(utimensat(AT_FDCWD, folder(name).text, times, 0) == 0)
    }

    @Test("what was written is read back by its own key only, also by another process' cache")
    func readBack() throws {
        let cache = try open()
        #expect(cache.read(key(1)) == nil && cache.isEmpty(key(1).group))
        cache.write([1, 2, 3], under: key(1))
        cache.write([], under: key(2))
        #expect(cache.read(key(1)) == [1, 2, 3] && cache.read(key(2)) == [])
        #expect(cache.read(key(3)) == nil && cache.read(key(1, group: 1)) == nil)
        #expect(try open().read(key(1)) == [1, 2, 3])
        #expect(!cache.isEmpty(key(1).group) && cache.complaints == [])
    }

    @Test("a file that is cut, longer, changed in any byte or under another's name is not believed")
    func damage() throws {
        let whole = Array("forty-two bytes".utf8)
        try open().write(whole, under: key(1))
        let stored = try folder.bytes(path(key(1)))
        var damaged = (0..<stored.count).map { Array(stored[..<$0]) } + [stored + [0]]
        for index in stored.indices {
            var bytes = stored
            bytes[index] ^= 1 << (index % 8)
            damaged.append(bytes)
        }
        for bytes in damaged {
            try folder.replace(path(key(1)), with: bytes)
            let cache = try open()
            try #require(cache.read(key(1)) == nil, "\(bytes)")
            #expect(cache.complaints.count == 1 && cache.complaints[0].contains("1 damaged"))
            #expect(cache.complaints[0].contains(key(1).name))
            // It is gone, and can be made anew.
            #expect(try sizes() == [:])
            cache.write(whole, under: key(1))
            #expect(cache.read(key(1)) == whole)
        }
        try folder.replace(path(key(2)), with: stored)
        #expect(try open().read(key(2)) == nil)
    }

    @Test("the least recently used files go first and the bound holds after every file")
    func eviction() throws {
        let payload = [UInt8](repeating: 7, count: 968)
        let cache = try open(limit: 10_000)
        for number in 0..<10 {
            cache.write(payload, under: key(number))
            // As if there were time between them; a file that was read counts as new.
            setAge(path(key(number)), seconds: 1000 - number)
        }
        #expect(try sizes().count == 10)
        #expect(cache.read(key(0)) == payload)
        cache.write(payload, under: key(10))
        #expect(cache.read(key(0)) == payload && cache.read(key(1)) == nil)
        #expect(cache.read(key(9)) == payload && cache.read(key(10)) == payload)
        for number in 11..<100 {
            cache.write(payload, under: key(number, group: number % 3))
            #expect(try sizes().values.reduce(0, +) <= 10_000)
            #expect(cache.read(key(number, group: number % 3)) == payload)
        }
        // What alone is too large is not kept and costs nothing else.
        let before = try sizes()
        cache.write([UInt8](repeating: 0, count: 10_000), under: key(100))
        #expect(try sizes() == before && cache.complaints == [])
        // A smaller bound than what is there.
        try open(limit: 3000).write(payload, under: key(101))
        #expect(try sizes().values.reduce(0, +) <= 3000)
    }

    @Test(
        "files that are not the cache's stay, half-written ones go when their writer must be gone")
    func foreign() throws {
        folder.makeFolder("cache")
        folder.makeFolder("cache/holiday")
        folder.makeFolder("cache/\(key(0).group)")
        let kept = [
            "cache/notes.txt", "cache/holiday/film.mp4", "cache/\(key(0).group)/film.mp4",
            "cache/\(key(0).group)/\(key(1).name).12-34.part",
        ]
        for name in kept { folder.write(String(repeating: "x", count: 5000), to: name) }
        setAge(kept[3], seconds: 60)
        folder.write(
            "half", to: "cache/\(key(0).group)/\(key(2).name).12-35.part", secondsAgo: 7200)
        let cache = try open(limit: 8000)
        for number in 0..<50 {
            cache.write([UInt8](repeating: 1, count: 1000), under: key(number))
        }
        let left = try sizes()
        #expect(kept.allSatisfy { left[String($0.dropFirst(6))] == 5000 })
        #expect(!left.keys.contains { $0.hasSuffix("12-35.part") })
        // The young half-written file counts.
        let own = left.filter { $0.key.contains(key(0).group) && !$0.key.hasSuffix(".mp4") }
        #expect(own.values.reduce(0, +) <= 8000 && own.count > 1)
    }

    @Test("many writers and readers on several open caches never see anything but whole files")
    func concurrent() throws {
        let caches = try (0..<3).map { _ in try open(limit: 60_000) }
        let keys = (0..<20).map { key($0, group: $0 % 2) }
        DispatchQueue.concurrentPerform(iterations: 8) { worker in
            let cache = caches[worker % 3]
            for step in 0..<50 {
                let number = (worker * 7 + step * 3) % 20
                let content = [UInt8](repeating: UInt8(number), count: 4000 + number)
                switch cache.read(keys[number]) {
                case nil: cache.write(content, under: keys[number])
                case let read: #expect(read == content)
                }
            }
        }
        #expect(caches.allSatisfy { $0.complaints == [] })
        // Each of the three may not know of what the others wrote since its last look: a sixteenth of the bound.
        #expect(try sizes().values.reduce(0, +) <= 60_000 + 3 * (60_000 / 16 + 4100))
        #expect(try !sizes().keys.contains { $0.hasSuffix(".part") })
    }

    @Test("a cache that cannot be written is complained of once and still read")
    func unwritable() throws {
        let cache = try open()
        cache.write([1], under: key(1))
        folder.write("no folder", to: "cache/\(key(0, group: 1).group)")
        for number in 2..<5 { cache.write([2], under: key(number, group: 1)) }
        #expect(cache.complaints.count == 1)
        #expect(cache.complaints[0].contains("cannot be written: Not a directory"))
        #expect(cache.read(key(1)) == [1] && cache.read(key(2, group: 1)) == nil)
    }

    @Test("a folder that cannot be had is an error where the user named it, else there is no cache")
    func notAFolder() throws {
        folder.write("x", to: "file")
        var settings = CacheSettings(folder: folder("file/cache"), isNamed: true)
        #expect(throws: PipelineError.self) { try CacheFolder.open(settings) }
        settings.folder = folder("file")
        #expect(throws: PipelineError.self) { try CacheFolder.open(settings) }
        settings.isNamed = false
        #expect(try CacheFolder.open(settings) == nil)
    }
}
