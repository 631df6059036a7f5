//! Facts about answers in a form: reading what is asked for, and hundreds of answers of a real model.
import Foundation
import Testing
import WadeTensor
import WadeVideo

@testable import WadeFlamingo
@testable import WadePipeline

/// JSON as Foundation reads it, and JSON Schema as its specification words it: nothing here is shared with what is tested.
private indirect enum Plain: Decodable, Equatable {
    case bool(Bool), number(Double), text(String), list([Plain]), object([String: Plain])

    init(from decoder: any Decoder) throws {
        if let keyed = try? decoder.singleValueContainer().decode([String: Plain].self) {
            self = .object(keyed)
            return
        }
        let value = try decoder.singleValueContainer()
        if let list = try? value.decode([Plain].self) {
            self = .list(list)
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else {
            self = .text(try value.decode(String.self))
        }
    }

    init(_ json: String) throws {
        self = try JSONDecoder().decode(Plain.self, from: Data(json.utf8))
    }

    subscript(name: String) -> Plain? {
        if case .object(let members) = self { return members[name] }
        return nil
    }

    var number: Double? { if case .number(let number) = self { number } else { nil } }
    var list: [Plain]? { if case .list(let list) = self { list } else { nil } }

    /// Whether this value fits `schema`.
    func fits(_ schema: Plain) -> Bool {
        if let values = schema["enum"]?.list, !values.contains(self) { return false }
        if let constant = schema["const"], constant != self { return false }
        switch (schema["type"], self) {
        case (nil, _), (.text("boolean"), .bool): return true
        case (.text("string"), .text(let text)):
            let length = Double(text.unicodeScalars.count)
            return length >= schema["minLength"]?.number ?? 0
                && length <= schema["maxLength"]?.number ?? .infinity
        case (.text(let type), .number(let number)) where type == "number" || type == "integer":
            if type == "integer", number != number.rounded() { return false }
            return number >= schema["minimum"]?.number ?? -.infinity
                && number <= schema["maximum"]?.number ?? .infinity
                && number > schema["exclusiveMinimum"]?.number ?? -.infinity
                && number < schema["exclusiveMaximum"]?.number ?? .infinity
        case (.text("array"), .list(let list)):
            guard let items = schema["items"] else { return false }
            return Double(list.count) >= schema["minItems"]?.number ?? 0
                && Double(list.count) <= schema["maxItems"]?.number ?? .infinity
                && list.allSatisfy { $0.fits(items) }
        case (.text("object"), .object(let members)):
            return members.allSatisfy { name, value in
                schema["properties"]?[name].map { value.fits($0) } ?? false
            }
                && (schema["required"]?.list ?? []).allSatisfy { name in
                    if case .text(let name) = name { members[name] != nil } else { false }
                }
        default: return false
        }
    }
}

/// Draws schemas that some value fits.
private struct SchemaDraw {
    var random: SplitMix64

    mutating func number(_ most: Int) -> Int { Int(random.next() % UInt64(most + 1)) }

    mutating func schema(depth: Int) -> String {
        switch number(depth > 0 ? 8 : 5) {
        case 0: return #"{"type": "boolean"}"#
        case 1: return #"{"type": "string"\#(counts("Length"))}"#
        case 2: return #"{"type": "integer"\#(bounds(scale: 1))}"#
        case 3: return #"{"type": "number"\#(bounds(scale: 0.25))}"#
        case 4:
            return #"{"enum": ["red", "a \"b\"", 7, -0.5, true, "grün"], "title": "any"}"#
        case 5:
            return [#"{"const": "x"}"#, #"{"type": "integer", "enum": [3, "no", 30, 4.5]}"#][
                number(1)]
        case 6:
            return #"{"type": "array", "items": \#(schema(depth: depth - 1))\#(counts("Items"))}"#
        default:
            let names = ["colour", "n", "été", "a b", "list"].prefix(number(4))
            let members = names.map { "\"\($0)\": \(schema(depth: depth - 1))" }
            let required = names.filter { _ in number(1) == 0 }.map { "\"\($0)\"" }
            return #"{"type": "object", "properties": {\#(members.joined(separator: ", "))}, "#
                + #""required": [\#(required.joined(separator: ", "))], "#
                + #""additionalProperties": false}"#
        }
    }

    private mutating func counts(_ what: String) -> String {
        let least = number(3)
        var text = number(1) == 0 ? "" : #", "min\#(what)": \#(least)"#
        if number(1) == 0 { text += #", "max\#(what)": \#(least + number(3))"# }
        return text
    }

    private mutating func bounds(scale: Double) -> String {
        let low = Double(number(400) - 300) * scale
        let high = low + Double(number(900) + 3) * scale
        let names = [("minimum", "maximum"), ("exclusiveMinimum", "exclusiveMaximum")][number(1)]
        switch number(3) {
        case 0: return ""
        case 1: return #", "\#(names.0)": \#(low)"#
        case 2: return #", "\#(names.1)": \#(high)"#
        default: return #", "\#(names.0)": \#(low), "\#(names.1)": \#(high)"#
        }
    }
}

@Suite("structured answers")
struct StructuredAnswerTests {
    private func format(_ yaml: String) throws -> AnswerFormat {
        try AnswerFormatReader(folder: PathBytes("/")).read(
            YAMLField.read(Array(yaml.utf8), file: "f"))
    }

    /// Whether the automaton of `format` takes `text`.
    private func takes(_ automaton: ByteAutomaton, _ text: String) -> Bool {
        let state = automaton.next(ByteAutomaton.start, Array(text.utf8))
        return state >= 0 && automaton.isEnd[Int(state)]
    }

    @Test(
        "numbers are exactly those within the bounds, each in one spelling but for zeros at its end"
    )
    func numbers() throws {
        let fractions = (Array(0...130) + [199, 205, 206, 300, 999]).flatMap {
            ["\($0)", "\($0).0", "\($0).5", "\($0).25", "\($0).05"]
        }
        let spellings = fractions + fractions.map { "-" + $0 }
        let odd = ["-0", "-0.0", "01", "1.", ".5", "+1", "1e2", "", "-", "007", "- 1", "1.234567"]
        let cases: [(yaml: String, decimals: Int, range: (Double) -> Bool)] = [
            ("{integer: {minimum: 0, maximum: 20}}", 0, { (0...20).contains($0) }),
            ("{integer: {minimum: -17, maximum: 205}}", 0, { (-17...205).contains($0) }),
            ("{integer: {maximum: -3}}", 0, { $0 <= -3 }),
            ("{integer: {minimum: 99.5}}", 0, { $0 >= 99.5 }),
            ("{number: {minimum: 0, maximum: 1, decimals: 2}}", 2, { (0...1).contains($0) }),
            (
                "{number: {minimum: -2.5, maximum: 30.25, decimals: 2}}", 2,
                { (-2.5...30.25).contains($0) }
            ),
            ("{number: {minimum: 0.05, decimals: 1}}", 1, { $0 >= 0.05 }),
            (
                "{schema: {type: number, exclusiveMinimum: 0, exclusiveMaximum: 100.5}}", 6,
                { $0 > 0 && $0 < 100.5 }
            ),
            (
                "{schema: {type: integer, exclusiveMinimum: -1, exclusiveMaximum: 10}}", 0,
                { $0 > -1 && $0 < 10 }
            ),
            ("integer", 0, { _ in true }), ("number", 6, { _ in true }),
        ]
        for (yaml, decimals, range) in cases {
            let automaton = try ByteAutomaton(try format(yaml).pattern)
            let wrong = spellings.filter { text in
                let digits = text.split(separator: ".").dropFirst().first?.count ?? 0
                let isNegativeZero = text.hasPrefix("-") && Double(text) == 0
                let expected =
                    digits <= decimals && range(Double(text) ?? .nan) && !isNegativeZero
                return takes(automaton, text) != expected
            }
            #expect(wrong.isEmpty, "\(yaml): \(wrong.prefix(9))")
            for text in odd where !(decimals == 6 && text == "1.234567") {
                #expect(!takes(automaton, text), "\(yaml): \(text)")
            }
        }
    }

    @Test("objects take their members in order, optional ones or not, and strings whole characters")
    func objectsAndStrings() throws {
        let object = try ByteAutomaton(
            format(
                "{schema: {type: object, properties: {a: {type: boolean}, b: {enum: [1]}, c: {const: x}}, required: [b]}}"
            ).pattern)
        for good in [
            #"{"a":true,"b":1,"c":"x"}"#, #" {"a": false, "b": 1}"#, #"{"b":1}"#,
            #"{"b":1, "c":"x"}"#,
        ] { #expect(takes(object, good), "\(good)") }
        for bad in [
            "{}", #"{"a":true}"#, #"{"b":1,"a":true}"#, #"{"b":1,}"#, #"{,"b":1}"#,
            #"{"b":1,"c":"x","d":2}"#, #"{"b":1}}"#, #"  {"b":1}"#, #"{"b" :1}"#,
        ] { #expect(!takes(object, bad), "\(bad)") }
        let string = try ByteAutomaton(
            format("{schema: {type: string, minLength: 1, maxLength: 2}}").pattern)
        for good in ["\"a\"", "\"é🐕\"", #""\n\"""#, "\"東\""] { #expect(takes(string, good)) }
        for bad in ["\"\"", "\"abc\"", "\"\n\"", #""\u0041""#, "\"\u{7F}\"", "\"\u{85}\"", "a"] {
            #expect(!takes(string, bad), "\(bad)")
        }
        #expect(string.next(0, [0x22, 0xED, 0xA0, 0x80]) < 0, "surrogates are no characters")
        #expect(string.next(0, [0x22, 0xC0, 0x80]) < 0, "nor are overlong forms")
    }

    @Test("what cannot be kept, fits nothing or contradicts itself is refused with its place")
    func faults() throws {
        let faults: [(yaml: String, message: String)] = [
            ("maybe", "f:1:1: found \"maybe\", expected one of yes_no, integer, number"),
            ("{choices: [a]}", "f:1:11: found choices: a list of 1, expected at least two"),
            ("{choices: [a, a]}", "f:1:15: found choices[1]: \"a\", expected each choice once"),
            ("{choices: [a, ' b']}", "f:1:15: found choices[1]: \" b\", expected each choice once"),
            (
                "{integer: {minimum: 3, maximum: 2}}",
                "f:1:11: found integer: 2 named values, expected bounds that some whole"
            ),
            ("{integer: {minimum: 0.2, maximum: 0.8}}", "expected bounds that some whole number"),
            ("{number: {decimals: 13}}", "expected a whole number from 1 to 12"),
            (
                "{schema: {type: string, pattern: '^a'}}",
                "f:1:25: found the keyword \"pattern\", expected what can be kept"
            ),
            ("{schema: {type: string, format: date}}", "found the keyword \"format\""),
            ("{schema: {anyOf: [{type: string}]}}", "found the keyword \"anyOf\""),
            ("{schema: {type: array}}", "found an array without them, expected `items`"),
            (
                "{schema: {type: array, items: {type: string}, minItems: 3, maxItems: 1}}",
                "expected at least `minItems`, 3"
            ),
            (
                "{schema: {type: string, minLength: 5, maxLength: 4}}",
                "expected at least `minLength`, 5"
            ),
            (
                "{schema: {type: object, properties: {a: {type: boolean}}, required: [b]}}",
                "found schema.required[0]: \"b\", expected one of the properties: a"
            ),
            ("{schema: {type: object}}", "expected `properties`"),
            (
                "{schema: {type: integer, enum: [a, 1.5]}}",
                "expected at least one value that fits the rest"
            ),
            ("{schema: {enum: []}}", "expected at least one value"),
            ("{schema: {enum: [1, 2], const: 3}}", "expected at least one value"),
            ("{schema: {type: [string, 'null']}}", "expected a text"),
            ("{schema: {type: 'null'}}", "expected one of array, boolean"),
            ("{schema: {}}", "found a schema that admits anything"),
            (
                "{schema: {type: integer, minLength: 2}}",
                "found the keyword minLength, expected keywords of the type integer"
            ),
            ("{schema: none.json}", "found /none.json, which is not there"),
            ("{schema: {type: integer, minimum: 1, exclusiveMinimum: 1}}", "not both"),
        ]
        for fault in faults {
            #expect {
                try format(fault.yaml)
            } throws: {
                "\($0)".contains(fault.message)
            }
        }
    }

    @Test(
        "a pipeline reads forms, from files too, checks its demonstrations against them, and recomputes what they touch"
    )
    func pipelines() throws {
        let folder = try TemporaryFolder()
        folder.write(
            "{\n\t\"type\": \"object\", \"properties\": {\"n\": {\"type\": \"integer\"}},\n\t\"required\": [\"n\"]\n}",
            to: "s.json")
        func read(_ task: String, _ more: String = "") throws -> Pipeline {
            folder.write(
                "model: m\ntasks:\n  - {id: q, type: vqa, question: How many?, \(task)}\n" + more,
                to: "p.yaml")
            return try Pipeline.read(folder("p.yaml"))
        }
        let schema = try read("answer: {schema: s.json}").tasks[0]
        #expect(schema.maxNewTokens == 128 && schema.format?.admits("{\"n\": 3}") == true)
        #expect(schema.format?.json("{ \"n\" :3 }") == "{\"n\":3}")
        #expect(
            schema.isSame("{\"n\":3}", "{ \"n\": 3 }") && !schema.isSame("{\"n\":3}", "{\"n\":4}"))
        let choice = try read("answer: {choices: [one, many]}, max_new_tokens: 3").tasks[0]
        #expect(choice.answerChoices == ["one", "many"] && choice.maxNewTokens == 3)
        #expect(choice.answer(in: " many ") == "many")
        for (more, message) in [
            (
                "demonstrations: [{answers: {q: two}}]\n",
                "4:32: found demonstrations[0].answers.q: \"two\", expected an answer of the form"
            ),
            (
                "demonstrations: {file: d.jsonl}\n",
                "d.jsonl:1:1: found \"two\", expected an answer of the form"
            ),
        ] {
            folder.write("{\"answers\":{\"q\":\"two\"}}\n", to: "d.jsonl")
            #expect {
                try read("answer: integer", more)
            } throws: {
                "\($0)".contains(message)
            }
        }
        #expect(
            try read("answer: yes_no", "demonstrations: [{answers: {q: yes}}]").demonstrations.count
                == 1)
        #expect {
            try read("answer: yes_no, choices: [a, b]")
        } throws: {
            "\($0)".contains("expected `choices` in a classify task only")
        }
        let model = ModelIdentity(name: "m", weightsSHA256: "0", numericsVersion: "1")
        let ids = try [
            "max_new_tokens: 9", "max_new_tokens: 9, answer: integer",
            "max_new_tokens: 9, answer: {integer: {minimum: 0}}",
        ]
        .map { try Recipe(read($0), task: read($0).tasks[0], model: model, contents: [:]).id }
        #expect(Set(ids).count == 3)
    }

    @Test(
        "hundreds of answers of a real model to drawn schemas all parse and fit, to the last token of their budget"
    )
    func drawnSchemas() throws {
        let tiny = try TinyBundle()
        let model = try tiny.bundle.model(Arithmetic())
        let tokenizer = try tiny.bundle.tokenizer()
        let trie = TokenTrie(
            (0..<model.language.vocabularySize).compactMap { id in
                tokenizer.bytes(of: id).map { (id, $0) }
            })
        let tokens = model.configuration.tokens
        let prompt = tokenizer.encode("<image>Output:", applyingTemplate: false)
        var draw = SchemaDraw(random: SplitMix64(seed: 5))
        var (answers, atBudget, ended, texts) = (0, 0, 0, Set<String>())
        while answers < 510 {
            let json = draw.schema(depth: 2)
            let schema = try Plain(json)
            let format = try format("{schema: \(json)}")
            let grammar = try TokenGrammar(format.pattern, trie)
            let budget = grammar.shortestAnswer + draw.number(12)
            let strategies: [DecodingStrategy] = [
                .greedy, .beam(count: 2, lengthPenalty: 1),
                .sampling(temperature: 1, topK: 0, topP: 0.95, seed: UInt64(answers)),
            ]
            var options = DecodingOptions(
                strategy: strategies[answers % 3], maximumTokens: budget,
                endTokens: [tokens.endOfChunk, tokens.endOfText],
                forbidden: [[tokens.image]], noRepeatNGram: answers % 4 == 0 ? 2 : 0)
            if answers.isMultiple(of: 5) {
                options.repetition = RepetitionGuard(longestPeriod: 2, minimumTokens: 4)
            }
            let generated = try Generator(model)(
                prompt,
                behind: model.sequence(media: model.media([tiny.visualTokens(answers % 7)])),
                options: options, grammar: grammar)
            let text = try tokenizer.decode(generated.ids, skipSpecialTokens: true)
                .trimmingCharacters(in: .whitespaces)
            #expect(generated.ids.count <= budget)
            let value = try? Plain(text)
            #expect(value?.fits(schema) == true, "\(json)\n\(text)")
            #expect(format.admits(text), "\(json)\n\(text)")
            if generated.ids.count == budget { atBudget += 1 }
            if generated.finish == .endToken { ended += 1 }
            texts.insert(text)
            answers += 1
        }
        #expect(
            atBudget > 50 && ended > 50 && texts.count > 150, "\(atBudget) \(ended) \(texts.count)")
    }

    @Test(
        "an annotator keeps every form whatever the strategy, and says what a form lacks before it begins"
    )
    func annotator() throws {
        let tiny = try TinyBundle()
        let forms = [
            "yes_no", "{choices: [moving left, still]}", "{integer: {minimum: 0, maximum: 30}}",
            "{schema: {type: object, properties: {what: {type: string}, list: {type: array, items: {type: string}}}, required: [what, list]}}",
        ]
        for strategy in [
            Decoding.Strategy.greedy, .beam(width: 3), .sample(temperature: 1, topP: 1, seed: 4),
        ] {
            for form in forms {
                let format = try format(form)
                var pipeline = plainPipeline([
                    AnnotationTask(
                        id: "q", type: .vqa, question: "What?", maxNewTokens: 40, format: format)
                ])
                pipeline.decoding.strategy = strategy
                // A stop text within the form would break it.
                pipeline.decoding.stop = ["{", "e", "1"]
                let answers = try tiny.answers(pipeline, [0, 1])
                for answer in answers {
                    let text = pipeline.tasks[0].answer(in: answer.raw)
                    #expect(format.admits(text), "\(form): \(text)")
                    #expect(answer.json == format.json(text))
                    #expect(format.choiceTexts.isEmpty || format.choiceTexts[answer.choice] == text)
                }
                #expect(try tiny.answers(pipeline, [1]) == [answers[1]])
            }
        }
        for (form, tokens, message) in [
            (
                "{choices: [yes, 'a very long sentence about nothing at all']}", 3,
                "which choice \"a very long"
            ),
            ("{schema: {type: string, minLength: 60}}", 4, "which the shortest answer takes"),
        ] {
            let pipeline = plainPipeline([
                AnnotationTask(
                    id: "q", type: .vqa, question: "What?", maxNewTokens: tokens,
                    format: try format(form))
            ])
            #expect {
                try tiny.answers(pipeline, [0])
            } throws: {
                "\($0)".hasPrefix("found max_new_tokens \(tokens) of task q")
                    && "\($0)".contains(message)
            }
        }
    }
}
