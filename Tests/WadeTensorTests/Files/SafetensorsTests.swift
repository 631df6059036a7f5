//! Safetensors files: what is read, and everything that is refused.
import Foundation
import Testing
import WadeTensor

@Suite("Safetensors")
struct SafetensorsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A file with the given header text and data bytes.
    private func file(
        _ header: String, data: [UInt8] = [], length: UInt64? = nil, name: String = "x.safetensors"
    ) throws -> String {
        let json = Array(header.utf8)
        let stated = length ?? UInt64(json.count)
        return try folder.write(littleEndianBytes(stated) + json + data, as: name)
    }

    private static let eightBytes: [UInt8] = Array(0..<8)

    @Test("values of every element type are read as the numbers they stand for")
    func elementTypes() throws {
        let float16: [UInt16] = [0x3C00, 0xC000, 0x0001, 0x83FF]
        let bfloat16: [UInt16] = [0x3F80, 0xC000, 0x0001, 0x7F80]
        var data: [UInt8] = []
        data += [Float(1.5), -2].flatMap { littleEndianBytes($0.bitPattern) }
        data += float16.flatMap { littleEndianBytes($0) }
        data += bfloat16.flatMap { littleEndianBytes($0) }
        data += [-1.0, 0.1].flatMap { littleEndianBytes($0.bitPattern) }
        data += [Int64.min, 7].flatMap { littleEndianBytes($0) }
        data += [Int32(-3)].flatMap { littleEndianBytes($0) }
        data += [1, 0, 255, 128]
        let path = try file(
            """
            {"__metadata__":{"format":"pt","é":"\\u00e9\\ud83d\\ude00\\n"},
             "f32":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
             "f16":{"dtype":"F16","shape":[2,2],"data_offsets":[8,16]},
             "bf16":{"dtype":"BF16","shape":[4],"data_offsets":[16,24]},
             "f64":{"dtype":"F64","shape":[2],"data_offsets":[24,40]},
             "i64":{"dtype":"I64","shape":[2],"data_offsets":[40,56]},
             "i32":{"dtype":"I32","shape":[],"data_offsets":[56,60]},
             "bool":{"dtype":"BOOL","shape":[2],"data_offsets":[60,62]},
             "u8":{"shape":[2],"data_offsets":[62,64],"dtype":"U8"},
             "none":{"dtype":"F32","shape":[0,9],"data_offsets":[64,64]}}
            """, data: data)
        let archive = try Safetensors.read(path: path)
        func tensor(_ name: String) throws -> StoredTensor { try #require(archive.tensors[name]) }
        #expect(archive.metadata == ["format": "pt", "é": "é😀\n"])
        #expect(
            archive.names
                == ["bf16", "bool", "f16", "f32", "f64", "i32", "i64", "none", "u8"])
        #expect(try tensor("f32").float32().values == [1.5, -2])
        let least = Float(sign: .plus, exponent: -24, significand: 1)
        #expect(try tensor("f16").float32().values == [1, -2, least, -1023 * least])
        #expect(try tensor("f16").float32().shape == [2, 2])
        #expect(
            try tensor("bf16").float32().values == [1, -2, Float(bitPattern: 0x10000), .infinity])
        #expect(try tensor("f64").float32().values == [-1, 0.1])
        #expect(try tensor("i64").int64() == [Int.min, 7])
        #expect(try tensor("i32").int64() == [-3])
        #expect(try tensor("bool").int64() == [1, 0])
        #expect(try tensor("u8").uint8() == [255, 128])
        #expect(try tensor("none").float32().count == 0)
        #expect(throws: TensorError.self) { try tensor("i64").float32() }
        #expect(throws: TensorError.self) { try tensor("f32").int64() }
        #expect(throws: TensorError.self) { try tensor("i32").uint8() }
    }

    @Test("float32 values that are not aligned in the file are still read")
    func misaligned() throws {
        let values: [Float] = [3, 0.25]
        let path = try file(
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"# + " ",
            data: values.flatMap { littleEndianBytes($0.bitPattern) })
        #expect(try Safetensors.read(path: path).tensors["a"]?.float32().values == values)
    }

    /// Header texts over 8 bytes of data, each wrong in one way.
    static let badHeaders: [String] = [
        #"[{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}]"#,
        #" {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} x"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        #"{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1}}"#,
        #"{"a":{"dtype":"F32","shape":[2]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
        #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[6,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#,
        #"{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[1e400],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[4611686018427387904,0,4],"data_offsets":[0,0]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551616]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":8}}"#,
        #"{"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":4,"shape":[2],"data_offsets":[0,8]}}"#,
        #"{"a":null}"#,
        #"{"__metadata__":{"n":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        #"{"__metadata__":{"n":"1","n":"2"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        #"{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        #"{"\ud800\u0041":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        #"{"\x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        "{\"a\n\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        #"{"a":"# + String(repeating: "[", count: 100_000),
        #"{"a":{"shape":"# + String(repeating: "[", count: 100_000),
        String(repeating: #"{"a":"#, count: 100_000),
        "        ",
    ]

    @Test("a header that is wrong in one way is refused with one line", arguments: badHeaders)
    func refusesBadHeader(_ header: String) throws {
        let path = try file(header, data: Self.eightBytes)
        let error = #expect(throws: TensorError.self) { try Safetensors.read(path: path) }
        let text = try #require(error).description
        #expect(!text.contains("\n") && text.hasPrefix(path) && text.utf8.count < 1000)
    }

    @Test("an absurd header length is refused", arguments: [0, 7, 57, 1 << 32, 1 << 63, .max])
    func refusesBadLength(_ length: UInt64) throws {
        let header = #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#
        #expect(header.utf8.count == 53)
        let path = try file(header, data: [1], length: length)
        #expect(throws: TensorError.self) { try Safetensors.read(path: path) }
    }

    @Test("a header that is not UTF-8 is refused")
    func refusesInvalidText() throws {
        var json = Array(#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#.utf8)
        json[2] = 0xFF
        let path = try folder.write(littleEndianBytes(UInt64(json.count)) + json + [0], as: "x")
        #expect(throws: TensorError.self) { try Safetensors.read(path: path) }
    }

    @Test("a file cut anywhere is refused when it is opened")
    func refusesTruncation() throws {
        let header = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
        let whole =
            littleEndianBytes(UInt64(header.utf8.count)) + Array(header.utf8) + Self.eightBytes
        for count in 0..<whole.count {
            let path = try folder.write(Array(whole.prefix(count)), as: "cut")
            #expect(throws: TensorError.self) { try Safetensors.read(path: path) }
        }
        let path = try folder.write(whole, as: "whole")
        #expect(try Safetensors.read(path: path).tensors.count == 1)
    }

    @Test("bytes after the last tensor are refused")
    func refusesTrailingBytes() throws {
        let header = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
        let path = try file(header, data: Self.eightBytes + [0])
        #expect(throws: TensorError.self) { try Safetensors.read(path: path) }
    }

    @Test("a tensor of 5 GB is mapped, and only what is used of the file is read")
    func mapsLargeFiles() throws {
        let count = 1_250_000_000
        let json =
            #"{"big":{"dtype":"F32","shape":[\#(count)],"data_offsets":[0,\#(4 * count)]},"#
            + #""end":{"dtype":"U8","shape":[2],"data_offsets":[\#(4 * count),\#(4 * count + 2)]}}"#
        // Padded as the reference writer does: only aligned float32 values can be used where they lie.
        let header = json + String(repeating: " ", count: (8 - json.utf8.count % 8) % 8)
        let path = try file(header)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.truncate(atOffset: UInt64(8 + header.utf8.count + 4 * count))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([3, 4]))
        try handle.close()
        let before = try residentPages()
        let archive = try Safetensors.read(path: path)
        let big = try #require(archive.tensors["big"]).float32()
        #expect(try archive.tensors["end"]?.uint8() == [3, 4])
        #expect(big[count - 2..<count].values == [0, 0])
        // 1 GiB in pages of 4 KiB: other tests run meanwhile, but none needs that much.
        #expect(try residentPages() - before < 1 << 18)
    }

    /// The pages of this process that are in memory.
    private func residentPages() throws -> Int {
        let line = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return try #require(Int(line.split(separator: " ")[1]))
    }

    @Test("a missing file, a folder and a device are refused")
    func refusesOtherThings() {
        for path in [folder.path("absent"), folder.url.path, "/dev/zero"] {
            #expect(throws: TensorError.self) { try Safetensors.read(path: path) }
        }
    }

    @Test("an index joins its shards")
    func sharded() throws {
        _ = try file(
            #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: [5], name: "1.st")
        _ = try file(
            #"{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: [6], name: "2.st")
        let index = try folder.write(
            Array(#"{"metadata":{"total_size":2},"weight_map":{"a":"1.st","b":"2.st"}}"#.utf8),
            as: "model.safetensors.index.json")
        let archive = try Safetensors.readSharded(index: index)
        #expect(archive.names == ["a", "b"])
        #expect(try archive.tensors["b"]?.uint8() == [6])
    }

    @Test(
        "an index that contradicts its shards or reaches out of its folder is refused",
        arguments: [
            #"{"weight_map":{"a":"2.st"}}"#, #"{"weight_map":{"a":"1.st","c":"1.st"}}"#,
            #"{"weight_map":{"a":"1.st","b":"same.st"}}"#, #"{"weight_map":{"a":"absent.st"}}"#,
            #"{"weight_map":{"a":"../1.st"}}"#, #"{"weight_map":{"a":"/etc/passwd"}}"#,
            #"{"weight_map":{"a":".."}}"#, #"{"weight_map":{"a":""}}"#, #"{"weight_map":{}}"#,
            #"{"weight_map":{"a":"1.st\u0000"}}"#, #"{"weight_map":{"a":1}}"#, #"{}"#, #"[]"#,
            #"{"weight_map":"#,
            #"{"x":"# + String(repeating: "[", count: 100_000),
        ])
    func refusesBadIndex(_ json: String) throws {
        let one = #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#
        _ = try file(one, data: [5], name: "1.st")
        _ = try file(one, data: [5], name: "same.st")
        _ = try file(
            #"{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: [6], name: "2.st")
        let index = try folder.write(Array(json.utf8), as: "index.json")
        #expect(throws: TensorError.self) { try Safetensors.readSharded(index: index) }
    }
}
