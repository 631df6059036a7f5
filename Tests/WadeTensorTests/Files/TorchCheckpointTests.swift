//! PyTorch archives: what is read, and everything that is refused.
import Foundation
import Testing
import WadeTensor

@Suite("Torch checkpoint")
struct TorchCheckpointTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Storage "0" of the test archives: six float32 values 0…5.
    private static let six: [UInt8] = (0..<6).flatMap { littleEndianBytes(Float($0).bitPattern) }
    private static let storage = Pickle.storage("FloatStorage", key: "0", count: 6)
    private static let vector = Pickle.tensor(storage, sizes: [6], strides: [1])

    private func read(_ archive: TestArchive) throws -> TensorArchive {
        try TorchCheckpoint.read(path: folder.write(archive.bytes, as: "a.pt"))
    }

    /// Reads a pickle of protocol 2 whose storage "0" is six float32 values.
    private func read(pickle body: [UInt8]) throws -> TensorArchive {
        try read(.torch(Pickle.whole(body), data: ["0": Self.six]))
    }

    @Test("offsets, strides and shared storage are honoured")
    func views() throws {
        let shared = Self.storage + Pickle.put(0)
        let archive = try read(
            pickle: Pickle.dictionary([
                ("whole", Pickle.tensor(shared, sizes: [2, 3], strides: [3, 1])),
                ("transposed", Pickle.tensor(Pickle.get(0), sizes: [3, 2], strides: [1, 3])),
                (
                    "column",
                    Pickle.tensor(Pickle.get(0), first: 1, sizes: [2, 1], strides: [3, 9])
                ),
                ("scalar", Pickle.tensor(Pickle.get(0), first: 5, sizes: [], strides: [])),
                ("empty", Pickle.tensor(Pickle.get(0), first: 6, sizes: [0, 4], strides: [4, 1])),
            ]))
        func values(_ name: String) throws -> [Float]? {
            try archive.tensors[name]?.float32().values
        }
        #expect(try values("whole") == [0, 1, 2, 3, 4, 5])
        #expect(try values("transposed") == [0, 3, 1, 4, 2, 5])
        #expect(try values("column") == [1, 4])
        #expect(try values("scalar") == [5])
        #expect(try values("empty") == [])
        #expect(archive.tensors["transposed"]?.shape == [3, 2])
    }

    @Test("zip64, padded local headers and a comment are understood")
    func zipVariants() throws {
        for usesZip64 in [false, true] {
            for padding in [0, 1, 63] {
                var archive = TestArchive.torch(
                    Pickle.whole(Pickle.dictionary([("a", Self.vector)])), data: ["0": Self.six])
                archive.usesZip64 = usesZip64
                archive.padding = padding
                archive.flags = 0x0808
                archive.comment = Array("a comment".utf8)
                let tensor = try #require(read(archive).tensors["a"])
                #expect(try tensor.float32().values == [0, 1, 2, 3, 4, 5])
            }
        }
    }

    @Test("wrappers and a common module prefix are taken off")
    func wrappers() throws {
        let inner = Pickle.dictionary([
            ("module.a", Self.vector), ("module.b.c", Self.vector),
        ])
        for name in ["model_state_dict", "state_dict"] {
            let archive = try read(
                pickle: Pickle.dictionary([
                    ("epoch", Pickle.integer(3)), (name, inner),
                    ("optimizer", Pickle.dictionary([("step", Self.vector)])),
                ]))
            #expect(archive.names == ["a", "b.c"])
        }
        let mixed = try read(
            pickle: Pickle.dictionary([("module.a", Self.vector), ("b", Self.vector)]))
        #expect(mixed.names == ["b", "module.a"])
    }

    @Test("nested dictionaries, lists, ordered dictionaries and parameters become dotted names")
    func nesting() throws {
        let parameter =
            Pickle.global("torch._utils", "_rebuild_parameter")
            + Pickle.tuple([Self.vector, [0x88], Pickle.emptyDictionary]) + Pickle.reduce
        let ordered =
            Pickle.global("collections", "OrderedDict") + Pickle.emptyTuple + Pickle.reduce
        let body =
            ordered + Pickle.mark + Pickle.text("layers") + Pickle.list([Self.vector, parameter])
            + Pickle.text("norm") + Pickle.dictionary([("weight", Self.vector)])
            + [UInt8(ascii: "u")] + Pickle.dictionary([("_metadata", Pickle.emptyDictionary)])
            + Pickle.build
        #expect(try read(pickle: body).names == ["layers.0", "layers.1", "norm.weight"])
    }

    @Test("TorchScript modules become scopes")
    func modules() throws {
        func module(_ name: String, _ attributes: [(String, [UInt8])]) -> [UInt8] {
            Pickle.global("__torch__.clip.model", name) + Pickle.emptyTuple + Pickle.newObject
                + Pickle.dictionary(attributes) + Pickle.build
        }
        let body = module(
            "CLIP",
            [
                ("training", [0x89]), ("hook", [UInt8(ascii: "N")]),
                ("visual", module("ViT", [("proj", Self.vector)])), ("scale", Self.vector),
            ])
        #expect(try read(pickle: body).names == ["scale", "visual.proj"])
    }

    @Test("an untyped storage takes its type from the tensor")
    func untypedStorage() throws {
        let untyped = Pickle.storage("UntypedStorage", key: "0", count: 24)
        let tensor =
            Pickle.global("torch._utils", "_rebuild_tensor_v3")
            + Pickle.tuple([
                untyped, Pickle.integer(2), Pickle.tuple([Pickle.integer(3)]),
                Pickle.tuple([Pickle.integer(1)]), [0x89], Pickle.emptyDictionary,
                Pickle.global("torch", "float32"),
            ]) + Pickle.reduce
        let archive = try read(pickle: Pickle.dictionary([("a", tensor)]))
        #expect(try archive.tensors["a"]?.float32().values == [2, 3, 4])
    }

    @Test(
        "a name that does not build tensors is refused by name, called or not",
        arguments: [
            ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("builtins", "getattr"),
            ("subprocess", "Popen"), ("torch.nn.modules.linear", "Linear"), ("torch", "load"),
            ("torch", "nn.Module"), ("torch.hub", "load"), ("collections", "defaultdict"),
            ("torch._utils", "_rebuild_tensor"), ("__torch__x", "A"), ("", ""),
            ("numpy.core.multiarray", "_reconstruct"),
        ])
    func refusesGlobal(_ module: String, _ name: String) throws {
        let call =
            Pickle.global(module, name) + Pickle.tuple([Pickle.text("true")]) + Pickle.reduce
        let stacked = Pickle.text(module) + Pickle.text(name) + [0x93]
        for value in [call, Pickle.global(module, name), stacked] {
            let error = #expect(throws: TensorError.self) {
                try read(pickle: Pickle.dictionary([("a", value)]))
            }
            #expect(error == .refusedGlobal(file: folder.path("a.pt"), name: "\(module).\(name)"))
        }
    }

    /// Bodies of pickles, each wrong in one way.
    private static let badPickles: [[UInt8]] = {
        func alone(_ tensor: [UInt8]) -> [UInt8] { Pickle.dictionary([("a", tensor)]) }
        func view(_ first: Int, _ sizes: [Int], _ strides: [Int]) -> [UInt8] {
            alone(Pickle.tensor(storage, first: first, sizes: sizes, strides: strides))
        }
        let itself = Pickle.emptyDictionary + Pickle.put(0)
        let laughs = (1..<60).reduce(Pickle.dictionary([("a", vector)]) + Pickle.put(0)) {
            body, i in
            let previous = Pickle.get(UInt8(i - 1))
            return body + Pickle.dictionary([("a", previous), ("b", previous)])
                + Pickle.put(UInt8(i))
        }
        let deep = (0..<100_000).flatMap { _ in Pickle.emptyDictionary + Pickle.text("a") }
        return [
            view(1, [6], [1]), view(-1, [1], [1]), view(7, [0], [1]), view(0, [7], [1]),
            view(0, [3, 2], [1, 4]), view(0, [3], [-1]), view(0, [2], [1, 1]), view(0, [-1], [1]),
            view(0, [1 << 40], [0]), view(0, [7], [0]), view(0, [2], [Int.max]),
            view(0, [3, 3], [Int.max / 2, Int.max / 2]), view(0, [1 << 40, 1 << 40], [0, 0]),
            view(Int.max, [1], [1]), view(Int.min, [1], [1]),
            alone(
                Pickle.tensor(
                    Pickle.storage("FloatStorage", key: "0", count: 5), sizes: [5], strides: [1])),
            alone(
                Pickle.tensor(
                    Pickle.storage("FloatStorage", key: "0", count: .max), sizes: [5], strides: [1])
            ),
            alone(
                Pickle.tensor(
                    Pickle.storage("FloatStorage", key: "1", count: 6), sizes: [6], strides: [1])),
            alone(
                Pickle.tensor(
                    Pickle.storage("FloatStorage", key: "../data.pkl", count: 6), sizes: [6],
                    strides: [1])),
            alone(
                Pickle.tensor(
                    Pickle.storage("UntypedStorage", key: "0", count: 24), sizes: [6], strides: [1])
            ),
            alone(Pickle.tensor(Pickle.text("storage"), sizes: [6], strides: [1])),
            Pickle.dictionary([("a", vector), ("a", vector)]),
            Pickle.dictionary([("a", Pickle.dictionary([("b", vector)])), ("a.b", vector)]),
            vector, Pickle.text("text"), Pickle.integer(1), [],
            itself + Pickle.text("a") + Pickle.get(0) + [UInt8(ascii: "s")],
            laughs, deep,
            deep + Pickle.emptyDictionary + [UInt8](repeating: UInt8(ascii: "s"), count: 100_000),
            [UInt8](repeating: UInt8(ascii: "("), count: 100_000),
            [UInt8](repeating: UInt8(ascii: ")"), count: 100_000) + [UInt8(ascii: "s")],
            Pickle.get(3), [UInt8(ascii: "0")], [UInt8(ascii: "t")], [UInt8(ascii: "R")],
            Pickle.mark + [UInt8(ascii: "0")], [0x86], [UInt8(ascii: "b")], [UInt8(ascii: "Q")],
            [UInt8(ascii: "i")] + Array("os\nsystem\n".utf8), [UInt8(ascii: "o")],
            [UInt8(ascii: "S")] + Array("'a'\n".utf8), [0x82, 1], [0xFF],
            [UInt8(ascii: "X"), 0xFF, 0xFF, 0xFF, 0xFF, 0x41],
            [0x8D] + [UInt8](repeating: 0xFF, count: 8), [0x8B, 0xFF, 0xFF, 0xFF, 0x7F],
            [0x8E, 0, 0, 0, 0, 0, 0, 0, 0x40], [0x95] + [UInt8](repeating: 0xFF, count: 8),
            [0x8A, 200], [UInt8(ascii: "X"), 1, 0, 0, 0, 0xFF], [UInt8(ascii: "c"), 0x41],
            Pickle.global("collections", "OrderedDict") + Pickle.emptyTuple + Pickle.newObject,
            Pickle.global("torch", "FloatStorage") + Pickle.emptyTuple + Pickle.reduce,
            Pickle.dictionary([("a", vector)]) + Pickle.text("x") + Pickle.build,
            Pickle.global("collections", "OrderedDict")
                + Pickle.tuple([Pickle.list([Pickle.text("a")])]) + Pickle.reduce,
            Pickle.emptyDictionary + vector + vector + [UInt8(ascii: "s")],
        ]
    }()

    @Test("a pickle that is wrong in one way is refused", arguments: badPickles.indices)
    func refusesBadPickle(_ index: Int) throws {
        let error = #expect(throws: TensorError.self) {
            try read(pickle: Self.badPickles[index])
        }
        let text = try #require(error).description
        #expect(!text.contains("\n") && text.utf8.count < 1000)
    }

    @Test("an archive that is wrong in one way is refused")
    func refusesBadArchive() throws {
        let good = TestArchive.torch(
            Pickle.whole(Pickle.dictionary([("a", Self.vector)])), data: ["0": Self.six])
        #expect(try read(good).names == ["a"])
        var compressed = good
        compressed.method = 8
        var encrypted = good
        encrypted.flags = 1
        var overlapping = good
        overlapping.pointsToFirst = true
        var doubled = good
        doubled.entries.append(good.entries[0])
        var twoPickles = good
        twoPickles.entries.append(("other/data.pkl", good.entries[0].bytes))
        var noPickle = good
        noPickle.entries.removeFirst()
        var bigEndian = good
        bigEndian.entries[1].bytes = Array("big".utf8)
        var protocol0 = good
        protocol0.entries[0].bytes = Array("(dp0\n.".utf8)
        for bad in [
            compressed, encrypted, overlapping, doubled, twoPickles, noPickle, bigEndian, protocol0,
        ] {
            #expect(throws: TensorError.self) { try read(bad) }
        }
    }

    @Test("a bare pickle of old PyTorch is refused with advice")
    func refusesLegacyPickle() throws {
        let path = try folder.write([0x80, 2, 0x8A, 10] + Self.six, as: "old.pt")
        let error = #expect(throws: TensorError.self) { try CheckpointFile.read(path: path) }
        #expect(try #require(error).description.contains("bare pickle"))
    }

    @Test("an archive cut anywhere is refused when it is opened")
    func refusesTruncation() throws {
        for usesZip64 in [false, true] {
            var archive = TestArchive.torch(
                Pickle.whole(Pickle.dictionary([("a", Self.vector)])), data: ["0": Self.six])
            archive.usesZip64 = usesZip64
            let whole = archive.bytes
            for count in 0..<whole.count {
                let path = try folder.write(Array(whole.prefix(count)), as: "cut")
                #expect(throws: TensorError.self) { try TorchCheckpoint.read(path: path) }
            }
        }
    }

    @Test("an archive with any byte changed is read or refused, never trapped over")
    func survivesDamage() throws {
        var archive = TestArchive.torch(
            Pickle.whole(Pickle.dictionary([("a", Self.vector)])), data: ["0": Self.six])
        archive.usesZip64 = true
        let whole = archive.bytes
        var refused = 0
        for position in whole.indices {
            var damaged = whole
            damaged[position] ^= position.isMultiple(of: 2) ? 0xFF : 0x01
            let path = try folder.write(damaged, as: "damaged")
            do {
                for tensor in try CheckpointFile.read(path: path).tensors.values {
                    _ = try tensor.float32()
                }
            } catch is TensorError { refused += 1 }
        }
        #expect(refused > whole.count / 4)
    }
}
