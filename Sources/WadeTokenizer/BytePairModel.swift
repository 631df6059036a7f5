//! Byte-pair encoding (Sennrich et al. 2016) of one word, with the rules of the `tokenizers` library's BPE model.

/// A vocabulary and its merges.
struct BytePairModel: Sendable {
    /// What two neighbouring symbols become.
    struct Merge: Sendable {
        /// The order of merging; the lowest goes first, ties go leftmost first.
        let rank: Int32
        /// The id of the merged token.
        let result: Int32
    }

    /// What happens to text that the vocabulary lacks.
    struct Options: Sendable {
        /// The id standing for unknown text; without one such text is dropped.
        var unknown: Int32?
        /// Whether neighbouring unknown scalars become one unknown token.
        var fusesUnknown: Bool
        /// Whether unknown scalars become tokens such as `<0xE2>` for each of their bytes.
        var fallsBackToBytes: Bool
        /// Whether a word that is a token as a whole is left whole.
        var ignoresMerges: Bool
    }

    /// The id of every token.
    let identifiers: [TokenText: Int32]
    /// The merges, keyed by `pair(_:_:)`.
    let merges: [UInt64: Merge]
    /// The rules for unknown text.
    let options: Options

    /// Ids of the tokens of one scalar below `lowScalars`, -1 where there is none.
    private let lowScalarIdentifiers: [Int32]
    /// Ids of the other tokens of one scalar.
    private let scalarIdentifiers: [UInt32: Int32]
    /// Ids of `<0x00>` to `<0xFF>`, -1 where there is none.
    private let byteIdentifiers: [Int32]

    /// Covers the alphabet of byte-level vocabularies, which ends at U+0143.
    private static let lowScalars = 0x180

    /// A model of these tokens, merges and rules.
    init(identifiers: [TokenText: Int32], merges: [UInt64: Merge], options: Options) {
        self.identifiers = identifiers
        self.merges = merges
        self.options = options
        var low = [Int32](repeating: -1, count: Self.lowScalars)
        var other: [UInt32: Int32] = [:]
        for (text, id) in identifiers {
            guard let scalar = text.onlyScalar else { continue }
            if scalar < UInt32(Self.lowScalars) {
                low[Int(scalar)] = id
            } else {
                other[scalar] = id
            }
        }
        lowScalarIdentifiers = low
        scalarIdentifiers = other
        byteIdentifiers = (0...UInt8.max).map { identifiers[Self.byteToken($0)] ?? -1 }
    }

    /// The key of a pair of ids in `merges`.
    static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// The token that stands for one byte, such as `<0x0A>`.
    static func byteToken(_ byte: UInt8) -> TokenText {
        let digits = String(byte, radix: 16, uppercase: true)
        return TokenText("<0x\(byte < 16 ? "0" : "")\(digits)>")
    }

    /// Appends the ids of `word`, given as scalar values; O(n log n) in its length.
    func encode(_ word: [UInt32], into result: inout [Int]) {
        if options.ignoresMerges, let id = identifiers[TokenText(text(of: word))] {
            result.append(Int(id))
            return
        }
        var symbols = initialSymbols(of: word)
        if symbols.count > 1 { mergeAll(&symbols) }
        for symbol in symbols where symbol >= 0 {
            result.append(Int(symbol))
        }
    }

    private func text(of word: [UInt32]) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: word.lazy.compactMap(Unicode.Scalar.init))
        return String(text)
    }

    /// The ids before any merge. Pending unknown text is written when the next known scalar comes,
    /// byte tokens do not flush it: the library's order, kept as it is.
    private func initialSymbols(of word: [UInt32]) -> [Int32] {
        var symbols: [Int32] = []
        symbols.reserveCapacity(word.count)
        var isUnknownPending = false
        for scalar in word {
            let id = identifier(ofScalar: scalar)
            if id >= 0 {
                if isUnknownPending, let unknown = options.unknown { symbols.append(unknown) }
                isUnknownPending = false
                symbols.append(id)
            } else if options.fallsBackToBytes, let bytes = byteIdentifiers(ofScalar: scalar) {
                symbols.append(contentsOf: bytes)
            } else if let unknown = options.unknown {
                if isUnknownPending, !options.fusesUnknown { symbols.append(unknown) }
                isUnknownPending = true
            }
        }
        if isUnknownPending, let unknown = options.unknown { symbols.append(unknown) }
        return symbols
    }

    private func identifier(ofScalar scalar: UInt32) -> Int32 {
        scalar < UInt32(Self.lowScalars)
            ? lowScalarIdentifiers[Int(scalar)] : scalarIdentifiers[scalar] ?? -1
    }

    private func byteIdentifiers(ofScalar value: UInt32) -> [Int32]? {
        guard let scalar = Unicode.Scalar(value) else { return nil }
        let ids = UTF8.encode(scalar).map { units in units.map { byteIdentifiers[Int($0)] } }
        guard let ids, ids.allSatisfy({ $0 >= 0 }) else { return nil }
        return ids
    }

    /// Merges neighbours by rank, ties leftmost, until no merge is left; merged-away places become -1.
    private func mergeAll(_ symbols: inout [Int32]) {
        let count = symbols.count
        var next = Array(1...count)
        var previous = Array(-1..<(count - 1))
        var queue = MergeQueue(capacity: count)
        for position in 0..<(count - 1) {
            offer(symbols, position, position + 1, to: &queue)
        }
        while let top = queue.removeFirst() {
            let left = top.position
            let right = next[left]
            guard symbols[left] >= 0, right < count,
                let merge = merges[Self.pair(symbols[left], symbols[right])],
                merge.result == top.result
            else { continue }
            symbols[left] = top.result
            symbols[right] = -1
            next[left] = next[right]
            if next[left] < count {
                previous[next[left]] = left
                offer(symbols, left, next[left], to: &queue)
            }
            if previous[left] >= 0 { offer(symbols, previous[left], left, to: &queue) }
        }
    }

    private func offer(_ symbols: [Int32], _ left: Int, _ right: Int, to queue: inout MergeQueue) {
        guard let merge = merges[Self.pair(symbols[left], symbols[right])] else { return }
        queue.insert(PendingMerge(rank: merge.rank, result: merge.result, position: left))
    }
}
