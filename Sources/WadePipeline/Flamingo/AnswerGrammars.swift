//! The forms of answers in the words of one model.
import WadeFlamingo
import WadeTokenizer

/// Makes grammars out of forms.
enum AnswerGrammars {
    /// The grammars of those of `tasks` whose answers have a form, by task. `vocabularySize` is the number of tokens that the model can
    /// write. Throws `request` when no answer, or not every choice, fits a task's form and its bound on tokens.
    static func make(_ tasks: [AnnotationTask], _ tokenizer: Tokenizer, vocabularySize: Int) throws
        -> [String: TokenGrammar]
    {
        let formed = tasks.filter { $0.format != nil }
        guard !formed.isEmpty else { return [:] }
        let trie = TokenTrie(
            (0..<vocabularySize).compactMap { id in tokenizer.bytes(of: id).map { (id, $0) } })
        var grammars: [String: TokenGrammar] = [:]
        for task in formed {
            guard let format = task.format else { continue }
            let grammar: TokenGrammar
            do {
                grammar = try TokenGrammar(format.pattern, trie)
            } catch FlamingoError.request(let found, let expected) {
                throw PipelineError.request(
                    found: "task \(task.id) with \(found)", expected: expected)
            }
            try require(grammar.shortestAnswer, of: task, "the shortest answer")
            for choice in format.choiceTexts {
                let counts = [choice, " " + choice].compactMap { trie.fewestTokens(Array($0.utf8)) }
                guard let count = counts.min() else {
                    throw PipelineError.request(
                        found: "choice \(choice.shownShort) of task \(task.id)",
                        expected: "one that the tokens of this model can spell")
                }
                try require(count, of: task, "choice \(choice.shownShort)")
            }
            grammars[task.id] = grammar
        }
        return grammars
    }

    private static func require(_ count: Int, of task: AnnotationTask, _ what: String) throws {
        guard count > task.maxNewTokens else { return }
        throw PipelineError.request(
            found: "max_new_tokens \(task.maxNewTokens) of task \(task.id)",
            expected: "at least \(count), which \(what) takes")
    }
}

extension Pipeline {
    /// Throws when a task wants its answers in a form that the model in `folder` cannot write.
    func checkForms(modelFolder folder: String) throws {
        guard tasks.contains(where: { $0.format != nil }) else { return }
        let bundle = try ModelBundle(path: folder)
        _ = try AnswerGrammars.make(
            tasks, bundle.tokenizer(),
            vocabularySize: bundle.configuration.language.vocabularySize)
    }
}
