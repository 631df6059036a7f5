//! Comparing tensors in tests, with a message that says where they part.
import Foundation
import Testing
import WadeTensor

/// Records an issue unless every value is within `tolerance` of the expected one. An empty comparison fails.
package func expectClose(
    _ found: Tensor, _ expected: Tensor, within tolerance: Float, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let comparison = Comparison(found, expected)
    #expect(
        comparison.count > 0 && comparison.difference <= tolerance,
        "\(what): \(comparison), tolerance \(tolerance), shapes \(found.shape) and \(expected.shape)",
        sourceLocation: sourceLocation)
}

extension Fixtures {
    /// A `config.json`-like file of a fixture as a dictionary.
    public static func json(_ path: String) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: url(path)))
        guard let dictionary = object as? [String: Any] else {
            throw FixtureError.notAnObject(path)
        }
        return dictionary
    }

    /// The tensors of a fixture's safetensors file.
    package static func tensors(_ path: String) throws -> TensorArchive {
        try Safetensors.read(path: url(path).path)
    }
}

/// A fixture that is not laid out as its README says.
public enum FixtureError: Error, CustomStringConvertible {
    case notAnObject(String)
    case missing(String)

    /// Which path, and what is wrong with it.
    public var description: String {
        switch self {
        case .notAnObject(let path): return "\(path): found no JSON object"
        case .missing(let what): return "fixture: \(what) is missing"
        }
    }
}

extension TensorArchive {
    /// A float tensor by name.
    package func float(_ name: String) throws -> Tensor {
        guard let stored = tensors[name] else { throw FixtureError.missing("\(file): \(name)") }
        return try stored.float32()
    }

    /// An integer or boolean tensor by name.
    package func integers(_ name: String) throws -> [Int] {
        guard let stored = tensors[name] else { throw FixtureError.missing("\(file): \(name)") }
        return try stored.int64()
    }
}
