//! The safetensors writer against its reader and against the reference writer.
import Foundation
import Testing
import WadeTensor

@Suite("Safetensors writer")
struct SafetensorsWriterTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("a small file has exactly the reference writer's bytes")
    func referenceBytes() throws {
        var writer = SafetensorsWriter(metadata: ["b\"\u{1}": "2", "a": "1\n"])
        writer.add("z", Tensor([1, 2], shape: [2, 1]), as: .bfloat16)
        writer.add("b", bytes: [1, 0, 1], elementType: .bool, shape: [3])
        writer.add("y", Tensor([0.5], shape: []))
        writer.add("a", bytes: littleEndianBytes(Int64(-1)), elementType: .int64, shape: [1])
        writer.add("é", Tensor([], shape: [0, 3]), as: .float16)
        let path = folder.path("x.safetensors")
        try writer.write(to: path)
        let header =
            #"{"__metadata__":{"a":"1\n","b\"\u0001":"2"},"#
            + #""a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"#
            + #""y":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"#
            + #""z":{"dtype":"BF16","shape":[2,1],"data_offsets":[12,16]},"#
            + #""é":{"dtype":"F16","shape":[0,3],"data_offsets":[16,16]},"#
            + #""b":{"dtype":"BOOL","shape":[3],"data_offsets":[16,19]}}"#
        let padding = [UInt8](repeating: 0x20, count: (8 - header.utf8.count % 8) % 8)
        let json = Array(header.utf8) + padding
        var expected = littleEndianBytes(UInt64(json.count)) + json
        expected += littleEndianBytes(Int64(-1)) + littleEndianBytes(Float(0.5).bitPattern)
        expected += [0x80, 0x3F, 0x00, 0x40, 1, 0, 1]
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: path))) == expected)
        #expect(try folder.names() == ["x.safetensors"])
        #expect(try Safetensors.read(path: path).metadata == ["b\"\u{1}": "2", "a": "1\n"])
    }

    @Test("rounding to half precision is to nearest even, and reading it back is exact")
    func rounding() throws {
        let values: [Float] = [
            0, -0.0, 1, 1.0004883, 1.0014648, 65504, 65519.996, 65520, 1e-8, 2.9802322e-8,
            2.980233e-8, 5.9604645e-8, 6.097555e-5, .infinity, -.infinity, 3.3895314e38,
            .leastNonzeroMagnitude,
        ]
        var writer = SafetensorsWriter()
        for type: ElementType in [.float16, .bfloat16, .float64] {
            writer.add(type.rawValue, Tensor(values + [.nan], shape: [18]), as: type)
        }
        let path = folder.path("x")
        try writer.write(to: path)
        let archive = try Safetensors.read(path: path)
        func read(_ type: ElementType) throws -> [Float] {
            try #require(archive.tensors[type.rawValue]).float32().values
        }
        #expect(
            try read(.float16).prefix(17).map(\.bitPattern)
                == values.map { Float(Float16($0)).bitPattern })
        #expect(try read(.float64).prefix(17) == values[...])
        // 1.0004883 = 1 + 2⁻¹¹ lies nearer to 1 than to 1 + 2⁻⁷; 3.39e38 is the largest bfloat16.
        let bfloat16 = try read(.bfloat16)
        #expect(bfloat16[3] == 1 && bfloat16[15] == 3.3895314e38 && bfloat16[7] == 65536)
        for type: ElementType in [.float16, .bfloat16, .float64] {
            #expect(try read(type)[17].isNaN)
        }
    }

    @Test("every half-precision bit pattern widens to the number it stands for")
    func allHalves() throws {
        let patterns = (0...UInt16.max).map { $0 }
        var writer = SafetensorsWriter()
        let bytes = patterns.flatMap { littleEndianBytes($0) }
        writer.add("h", bytes: bytes, elementType: .float16, shape: [65536])
        try writer.write(to: folder.path("h"))
        let tensor = try #require(Safetensors.read(path: folder.path("h")).tensors["h"])
        let wrong = zip(patterns, try tensor.float32().values).first { bits, value in
            let expected = Float(Float16(bitPattern: bits))
            return expected.isNaN ? !value.isNaN : value.bitPattern != expected.bitPattern
        }
        #expect(wrong == nil)
    }

    @Test("tensors of another file are copied and converted, in pieces when they are large")
    func copies() throws {
        let count = 1 << 20 + 3
        var first = SafetensorsWriter()
        first.add("a", Tensor((0..<count).map { Float($0 % 999) }, shape: Shape([count])))
        try first.write(to: folder.path("1"))
        let stored = try #require(Safetensors.read(path: folder.path("1")).tensors["a"])
        var second = SafetensorsWriter()
        second.add("same", stored)
        second.add("half", stored, as: .float16)
        try second.write(to: folder.path("2"))
        let archive = try Safetensors.read(path: folder.path("2"))
        #expect(archive.tensors["half"]?.byteCount == 2 * count)
        let values = try stored.float32().values
        #expect(try archive.tensors["same"]?.float32().values == values)
        #expect(try archive.tensors["half"]?.float32().values == values)
    }

    @Test("a file that cannot be put in place leaves nothing behind")
    func failure() throws {
        var writer = SafetensorsWriter()
        writer.add("a", Tensor([1], shape: [1]))
        #expect(throws: TensorError.self) { try writer.write(to: folder.path("absent/x")) }
        let taken = folder.path("taken")
        try FileManager.default.createDirectory(atPath: taken, withIntermediateDirectories: false)
        #expect(throws: TensorError.self) { try writer.write(to: taken) }
        #expect(try folder.names() == ["taken"])
    }
}
