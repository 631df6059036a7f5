//! Scoped, strict names.
import Testing
import WadeTensor

@Suite("Weights")
struct WeightsTests {
    private let folder: TemporaryFolder
    private let weights: Weights

    init() throws {
        folder = try TemporaryFolder()
        let header = #"""
            {"top":{"dtype":"U8","shape":[1],"data_offsets":[8,9]},
            "layers.0.norm.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}
            """#
        let values: [Float] = [1, 2]
        let data: [UInt8] = values.flatMap { littleEndianBytes($0.bitPattern) } + [9]
        let bytes = littleEndianBytes(UInt64(header.utf8.count)) + Array(header.utf8) + data
        weights = Weights(try Safetensors.read(path: folder.write(bytes, as: "w.safetensors")))
    }

    @Test("a scope stands before the names it is asked for")
    func scopes() throws {
        let norm = weights["layers"][0]["norm"]
        #expect(norm.contains("weight") && !norm.contains("bias") && !weights.contains("weight"))
        #expect(norm.shape(of: "weight") == [2] && norm.names == ["weight"])
        #expect(try norm.tensor("weight", shape: [2]).values == [1, 2])
        #expect(try weights["layers.0"].tensor("norm.weight", shape: [2]).values == [1, 2])
        #expect(try norm.optionalTensor("bias", shape: [2])?.shape == nil)
    }

    @Test("a missing or misshapen tensor is an error that names it in full")
    func strictRead() {
        let norm = weights["layers"][0]["norm"]
        let file = weights.file
        #expect(throws: TensorError.missing(name: "layers.0.norm.bias", file: file)) {
            try norm.tensor("bias", shape: [2])
        }
        let mismatch = TensorError.shapeMismatch(
            name: "layers.0.norm.weight", found: [2], expected: [1, 2], file: file)
        #expect(throws: mismatch) { try norm.tensor("weight", shape: [1, 2]) }
        #expect(throws: mismatch) { try norm.optionalTensor("weight", shape: [1, 2]) }
    }

    @Test("a tensor that nobody read or ignored is an error")
    func strictUnread() throws {
        let file = weights.file
        #expect(throws: TensorError.unread(names: ["layers.0.norm.weight", "top"], file: file)) {
            try weights.requireAllRead()
        }
        _ = try weights["layers"][0].tensor("norm.weight", shape: [2])
        #expect(throws: TensorError.unread(names: ["top"], file: file)) {
            try weights.requireAllRead()
        }
        try weights["layers"].requireAllRead()
        weights.ignore("top", "absent")
        try weights.requireAllRead()
    }

    @Test("a whole scope can be ignored")
    func ignoresScope() {
        weights["layers"].ignore { $0.hasSuffix("weight") }
        #expect(throws: TensorError.unread(names: ["top"], file: weights.file)) {
            try weights.requireAllRead()
        }
    }
}
