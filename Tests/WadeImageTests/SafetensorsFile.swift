//! The few lines of safetensors that this room's tests need; fixtures are trusted, errors fail the test.
import Foundation

/// The U8 and F32 tensors of one safetensors file.
struct SafetensorsFile {
    /// A tensor's entry; the header's `__metadata__` has neither field.
    private struct Entry: Decodable {
        let shape: [Int]?
        let data_offsets: [Int]?
    }

    private let data: Data
    private let entries: [String: Entry]

    /// The tensors' names, sorted.
    var names: [String] { entries.filter { $0.value.shape != nil }.keys.sorted() }

    /// Reads the header of the file at `url`: eight bytes of length, then JSON.
    init(_ url: URL) throws {
        let file = try Data(contentsOf: url)
        let headerLength = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        entries = try JSONDecoder().decode(
            [String: Entry].self, from: file.dropFirst(8).prefix(headerLength))
        data = Data(file.dropFirst(8 + headerLength))
    }

    /// The axis sizes of `name`.
    func shape(_ name: String) throws -> [Int] { try entry(name).shape }

    /// The bytes of `name`.
    func bytes(_ name: String) throws -> [UInt8] {
        let offsets = try entry(name).offsets
        return [UInt8](data[offsets[0]..<offsets[1]])
    }

    /// The float32 values of `name`.
    func floats(_ name: String) throws -> [Float] {
        let bytes = try bytes(name)
        return bytes.withUnsafeBytes { raw in
            (0..<bytes.count / 4).map {
                Float(
                    bitPattern: UInt32(
                        littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
            }
        }
    }

    private func entry(_ name: String) throws -> (shape: [Int], offsets: [Int]) {
        guard let entry = entries[name], let shape = entry.shape,
            let offsets = entry.data_offsets
        else { throw CocoaError(.coderValueNotFound) }
        return (shape, offsets)
    }
}
