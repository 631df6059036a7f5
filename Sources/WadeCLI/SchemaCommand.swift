//! `wade schema`: what type every member of a line has, for the tools that read the output.
import ArgumentParser
import WadePipeline

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the type of every member of an output line, for a tool that reads it.",
        discussion: """
            Tools that guess types from a few lines cannot tell what an empty list would hold. Give them the types:

              wade schema --for huggingface > features.json
              Python: load_dataset("json", data_files="out.jsonl",
                                   features=Features.from_dict(json.load(open("features.json"))))

              wade schema --for duckdb
              SQL: SELECT * FROM read_json('out.jsonl', format = 'newline_delimited', columns = {...})
            """)

    @Option(
        name: .customLong("for"),
        help: "\(SchemaReader.allCases.map(\.rawValue).joined(separator: ", ")).")
    var reader = SchemaReader.jsonSchema

    func run() throws {
        try StandardOutput.write(Array(try reader.schema().utf8))
    }
}

extension SchemaReader: ExpressibleByArgument {}
