//! Which models can be had, and what they are made of: `models.yaml` of the package and files like it.
package import WadePipeline

/// Models by name.
package struct ModelRegistry: Sendable {
    /// In the order of the files.
    package private(set) var models: [RegisteredModel] = []

    /// The models that come with Wade; those of the file at `path` are added and replace others of their names.
    package init(adding path: PathBytes? = nil) throws(PipelineError) {
        let own = try YAMLField.read(PackageResources.models_yaml, file: "models.yaml")
        models = try Self.models(own)
        guard let path else { return }
        for model in try Self.models(YAMLField.read(file: path)) {
            if let place = models.firstIndex(where: { $0.name == model.name }) {
                models[place] = model
            } else {
                models.append(model)
            }
        }
    }

    /// The model called `name`.
    package func model(_ name: String) throws(HubError) -> RegisteredModel {
        guard let model = models.first(where: { $0.name == name }) else {
            throw .request(
                found: "the model \"\(name)\"",
                expected: "one of \(models.map(\.name).joined(separator: ", "))")
        }
        return model
    }

    private static func models(_ root: YAMLField) throws(PipelineError) -> [RegisteredModel] {
        guard let list = try root.members(["models"])["models"] else {
            throw root.wrong("`models`", found: "no `models`")
        }
        return try list.anyMembers().map { (name, value) throws(PipelineError) in
            try RegisteredModel(name: name, value)
        }
    }

    /// Whether `text` can be a path below a folder: letters, digits and `._-+=@` between single slashes, and no name that begins with a
    /// point.
    static func isPlainPath(_ text: String) -> Bool {
        let names = text.split(separator: "/", omittingEmptySubsequences: false)
        return text.utf8.count <= 200
            && names.allSatisfy { name in
                !name.isEmpty && name.first != "."
                    && name.unicodeScalars.allSatisfy { scalar in
                        scalar.isASCII
                            && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                                || "._-+=@".unicodeScalars.contains(scalar))
                    }
            }
    }
}

/// A model of a registry.
package struct RegisteredModel: Sendable, Equatable {
    /// What the bundle is called.
    package let name: String
    package let about: String
    package let parameters: Int?
    package let licence: String
    /// Repositories by what they hold.
    package let parts: [Part: Source]

    /// What a repository holds, as `wade model import` calls it.
    package enum Part: String, Sendable, CaseIterable {
        case checkpoint, language, vision
    }

    /// A repository, and the files of it that are needed.
    package struct Source: Sendable, Equatable {
        package let repository: HubRepository
        /// Bytes of all files as listed, rounded.
        package let size: Int?
        /// Of each list the first one that is there.
        package let files: [[String]]
        package let optional: [String]
        /// By file.
        package let sha256: [String: String]
    }

    /// Bytes to download as listed, rounded; nil where one part's are not known.
    package var downloadSize: Int? {
        let sizes = parts.values.map(\.size)
        return sizes.contains(nil) ? nil : sizes.reduce(0) { $0 + ($1 ?? 0) }
    }

    /// Parts in the order in which they are imported.
    package var sources: [(part: Part, source: Source)] {
        Part.allCases.compactMap { part in parts[part].map { (part, $0) } }
    }
}

extension RegisteredModel {
    fileprivate init(name: YAMLField, _ field: YAMLField) throws(PipelineError) {
        let text = try name.text()
        guard ModelRegistry.isPlainPath(text), !text.contains("/") else {
            throw name.wrong("a name of letters, digits and ._-+=@")
        }
        self.name = text
        let members = try field.members(["about", "parameters", "licence", "parts"])
        about = try members["about"]?.text() ?? ""
        parameters = try members["parameters"]?.integer(in: 1...1 << 50)
        licence = try members["licence"]?.text() ?? "unknown"
        guard let parts = members["parts"] else {
            throw field.wrong("`parts`", found: "a model without `parts`")
        }
        let sources = try parts.members(Part.allCases.map(\.rawValue))
        guard sources["checkpoint"] != nil,
            (sources["language"] == nil) == (sources["vision"] == nil)
        else {
            throw parts.wrong("`checkpoint` alone, or with both `language` and `vision`")
        }
        var read: [Part: Source] = [:]
        for part in Part.allCases {
            if let source = sources[part.rawValue] { read[part] = try Source(source) }
        }
        self.parts = read
    }
}

extension RegisteredModel.Source {
    fileprivate init(_ field: YAMLField) throws(PipelineError) {
        let members = try field.members([
            "repository", "revision", "gigabytes", "files", "optional", "sha256",
        ])
        guard let repository = members["repository"], let files = members["files"] else {
            throw field.wrong("`repository` and `files`", found: "a part without them")
        }
        self.repository = HubRepository(
            name: try Self.path(repository),
            revision: try members["revision"].map(Self.path) ?? "main")
        size = try members["gigabytes"].map { (field) throws(PipelineError) in
            Int(try field.number(in: 0...1e6) * 1e9)
        }
        self.files = try files.elements().map { (file) throws(PipelineError) in
            guard file.isList else { return [try Self.path(file)] }
            let names = try file.elements().map(Self.path)
            guard !names.isEmpty else { throw file.wrong("at least one name") }
            return names
        }
        guard !self.files.isEmpty else { throw files.wrong("at least one file") }
        optional =
            try members["optional"]?.elements().map(Self.path) ?? []
        var digests: [String: String] = [:]
        for (file, digest) in try members["sha256"]?.anyMembers() ?? [] {
            guard case .sha256(let digits) = Checksum(tag: try digest.text()) else {
                throw digest.wrong("64 hexadecimal digits")
            }
            digests[try Self.path(file)] = digits
        }
        sha256 = digests
    }

    private static func path(_ field: YAMLField) throws(PipelineError) -> String {
        let text = try field.text()
        guard ModelRegistry.isPlainPath(text) else {
            throw field.wrong("a name of letters, digits and ._-+=@/")
        }
        return text
    }
}
