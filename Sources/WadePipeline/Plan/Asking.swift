//! A pipeline for one question from the command line.
internal import WadeTensor
internal import WadeVideo

extension Pipeline {
    /// OpenFlamingo's prompt without demonstrations, 8 frames, greedy, by the model that ships with Wade.
    package init(asking question: String) {
        self.init(
            name: "ask", model: ModelLocation.standard, precision: nil,
            tasks: [AnnotationTask(id: "ask", type: .vqa, question: question)],
            demonstrations: [], sampling: .uniform(count: 8), segmentation: .whole,
            decoding: Decoding(), customID: "")
    }

    /// Keeps the first question answering task alone and puts `question` in it; a pipeline without one gets OpenFlamingo's.
    package mutating func ask(_ question: String, maxNewTokens: Int?) -> AnnotationTask {
        var task =
            tasks.first { $0.type == .vqa } ?? AnnotationTask(id: "ask", type: .vqa, question: "?")
        task.question = question
        if let maxNewTokens { task.maxNewTokens = maxNewTokens }
        tasks = [task]
        return task
    }
}
