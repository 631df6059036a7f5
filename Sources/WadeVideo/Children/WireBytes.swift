//! Numbers, texts and lists as bytes, for the talk between a run and its decoders; reading them trusts nothing.

/// Writes values one after the other, least significant byte first.
struct WireWriter {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ value: UInt8) { bytes.append(value) }

    mutating func add(_ value: Bool) { bytes.append(value ? 1 : 0) }

    mutating func add(_ value: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    mutating func add(_ value: Int) {
        let pattern = UInt64(bitPattern: Int64(value))
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: pattern >> shift))
        }
    }

    mutating func add(_ value: Double) {
        add(Int(Int64(bitPattern: value.bitPattern)))
    }

    mutating func add(_ text: String) { add(bytes: Array(text.utf8)) }

    mutating func add(bytes more: [UInt8]) {
        add(more.count)
        bytes += more
    }

    mutating func add(_ list: [Double]) {
        add(list.count)
        for value in list { add(value) }
    }
}

/// Reads what `WireWriter` wrote; bytes that say something else throw `WireError`.
struct WireReader {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    private var left: Int { bytes.endIndex - position }

    private mutating func take(_ count: Int) throws(WireError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= left else { throw WireError("\(left) bytes for \(count)") }
        defer { position += count }
        return bytes[position..<position + count]
    }

    mutating func byte() throws(WireError) -> UInt8 {
        try take(1).first ?? 0
    }

    mutating func flag() throws(WireError) -> Bool {
        let value = try byte()
        guard value < 2 else { throw WireError("\(value) for yes or no") }
        return value == 1
    }

    private mutating func pattern(_ count: Int) throws(WireError) -> UInt64 {
        try take(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    }

    mutating func word() throws(WireError) -> UInt32 { UInt32(truncatingIfNeeded: try pattern(4)) }

    mutating func integer() throws(WireError) -> Int {
        Int(Int64(bitPattern: try pattern(8)))
    }

    /// An integer in `range`.
    mutating func integer(in range: ClosedRange<Int>) throws(WireError) -> Int {
        let value = try integer()
        guard range.contains(value) else { throw WireError("\(value), expected \(range)") }
        return value
    }

    mutating func number() throws(WireError) -> Double {
        Double(bitPattern: try pattern(8))
    }

    mutating func block() throws(WireError) -> ArraySlice<UInt8> { try take(try integer()) }

    mutating func text() throws(WireError) -> String {
        guard let text = String(validating: try block(), as: UTF8.self) else {
            throw WireError("a text that is not UTF-8")
        }
        return text
    }

    mutating func numbers(atMost most: Int) throws(WireError) -> [Double] {
        let count = try integer(in: 0...most)
        guard count <= left / 8 else { throw WireError("\(left) bytes for \(count) numbers") }
        var list: [Double] = []
        list.reserveCapacity(count)
        for _ in 0..<count { list.append(try number()) }
        return list
    }

    /// Throws unless everything has been read.
    func end() throws(WireError) {
        guard left == 0 else { throw WireError("\(left) bytes too many") }
    }
}

/// Bytes that are no message: what was found.
package struct WireError: Error, Equatable {
    /// What was found and what was expected.
    package let found: String

    init(_ found: String) { self.found = found }
}
