//! Files that people write: pipelines and demonstrations.
import WadePipeline

extension FuzzedParser {
    func feedPipeline(_ bytes: [UInt8]) throws -> Bool {
        let path = try ScratchFile.holding(bytes, as: "pipeline.yaml")
        let pipeline = try refusing([PipelineError.self]) { try Pipeline.read(PathBytes(path)) }
        for task in pipeline?.tasks ?? [] { _ = pipeline.map { Prompt($0, task: task) } }
        return pipeline != nil
    }

    func feedDemonstrations(_ bytes: [UInt8]) throws -> Bool {
        let name = "demonstrations.jsonl"
        _ = try ScratchFile.holding(bytes, as: name)
        let yaml = """
            model: m
            tasks: [{id: caption, type: caption}, {id: q, type: vqa, question: what?}]
            demonstrations: {file: \(name)}
            """
        let path = try ScratchFile.holding(Array(yaml.utf8), as: "with-demonstrations.yaml")
        return try refusing([PipelineError.self]) { try Pipeline.read(PathBytes(path)) } != nil
    }
}
