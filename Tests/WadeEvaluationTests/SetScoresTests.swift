//! Facts about the scores of a set, and about what is asked under which condition.
import Testing
import WadePipeline

@testable import WadeEvaluation

@Suite("the scores of a set")
struct SetScoresTests {
    private func score(_ scores: SetScores, _ metric: Metric, _ count: Int) -> Double? {
        scores.score(metric, of: Array(0..<count))
    }

    @Test(
        "captions: the references themselves reach BLEU 1, and a missing answer costs its share of CIDEr-D"
    )
    func captions() throws {
        let texts = [
            "a red dog runs over the wet grass", "two people play chess in a park",
            "the camera pans left over a city",
        ]
        let truths = texts.map { Truth.captions([$0]) }
        let whole = SetScores(texts.map { Prediction(text: $0) }, truths)
        #expect(whole.metrics == [.ciderD, .bleu4])
        #expect(abs(try #require(score(whole, .bleu4, 3)) - 1) < 1e-6)
        #expect(abs(try #require(score(whole, .ciderD, 3)) - 10) < 1e-9)
        let part = SetScores(
            [Prediction(text: texts[0]), Prediction(), Prediction(text: texts[2])], truths)
        #expect(abs(try #require(score(part, .ciderD, 3)) - 20.0 / 3) < 1e-9)
        #expect(part.score(.ciderD, of: [1]) == 0)
    }

    @Test("answers: the challenge's accuracy where there are four answers, exact match always")
    func answers() {
        let ten = Truth.answers(Array(repeating: "2", count: 3) + Array(repeating: "3", count: 7))
        let scores = SetScores(
            [Prediction(text: "two"), Prediction(text: "3."), Prediction()], [ten, ten, ten])
        #expect(scores.metrics == [.vqaAccuracy, .exactMatch])
        // Three said 2: each of them left out there are two thirds, else one.
        #expect(abs((score(scores, .vqaAccuracy, 1) ?? 0) - (3 * 2.0 / 3 + 7) / 10) < 1e-12)
        #expect(
            scores.score(.vqaAccuracy, of: [1]) == 1 && scores.score(.vqaAccuracy, of: [2]) == 0)
        #expect(scores.score(.exactMatch, of: [0]) == 0 && scores.score(.exactMatch, of: [1]) == 1)
        let one = SetScores([Prediction(text: "A  Dog")], [.answers(["a dog."])])
        #expect(one.metrics == [.exactMatch] && score(one, .exactMatch, 1) == 1)
    }

    @Test("labels: top-1 and the area, over items with likelihoods alone")
    func labels() {
        func prediction(_ keep: Double) -> Prediction {
            Prediction(choices: ["keep", "drop"], likelihoods: [keep, -1])
        }
        let truths = ["keep", "drop", "keep", "drop"].map { Truth.label($0, choices: []) }
        let scores = SetScores(
            [prediction(-0.5), prediction(-0.7), prediction(-0.9), prediction(-3)], truths)
        #expect(scores.metrics == [.top1, .rocAUC])
        #expect(score(scores, .top1, 4) == 0.75 && score(scores, .rocAUC, 4) == 0.75)
        #expect(scores.score(.rocAUC, of: [0, 2]) == nil)
        let some = SetScores(
            [prediction(-0.5), Prediction(), prediction(-0.9), prediction(-3)], truths)
        #expect(score(some, .top1, 4) == 0.75 && score(some, .rocAUC, 4) == 1)
        let own = SetScores(
            [
                Prediction(choices: ["a", "b"], likelihoods: [-1, -2]),
                Prediction(choices: ["c", "d"], likelihoods: [-1, -2]),
            ], [.label("a", choices: ["a", "b"]), .label("d", choices: ["c", "d"])])
        #expect(own.metrics == [.top1] && score(own, .top1, 2) == 0.5)
    }

    // MARK: - Demonstrations

    private func items(_ count: Int, question: String? = nil) -> [LocatedItem] {
        (0..<count).map { number in
            LocatedItem(
                item: LabelledItem(
                    id: "i\(number)", video: .file("v\(number)"), question: question,
                    truth: .captions(["c\(number)"]), place: "line \(number + 1)"),
                path: PathBytes("/v\(number)"))
        }
    }

    @Test(
        "a query is never its own demonstration, more shots add to fewer, and a seed draws the same"
    )
    func draw() {
        let pool = items(10)
        let draw = DemonstrationDraw(pool, seed: 3)
        #expect(draw.order == DemonstrationDraw(pool, seed: 3).order)
        #expect(draw.order != DemonstrationDraw(pool, seed: 4).order)
        #expect(Set(draw.order.map(\.path)).count == 10)
        for item in pool {
            let four = draw.demonstrations(4, for: item.path)
            let eight = draw.demonstrations(8, for: item.path)
            #expect(four.count == 4 && eight.count == 8 && Array(eight.prefix(4)) == four)
            #expect(!eight.contains { $0.path == item.path })
        }
        let barred = draw.demonstrations(4, for: PathBytes("/x"), barred: [draw.order[1].path])
        #expect(barred == [draw.order[0], draw.order[2], draw.order[3], draw.order[4]])
    }

    @Test(
        "orders of demonstrations are different ones, the own first, and never more than there are")
    func orders() {
        #expect(DemonstrationDraw.orders(3, most: 6, seed: 1).count == 6)
        #expect(DemonstrationDraw.orders(2, most: 6, seed: 1) == [[0, 1], [1, 0]])
        #expect(DemonstrationDraw.orders(1, most: 6, seed: 1) == [[0]])
        let some = DemonstrationDraw.orders(8, most: 4, seed: 1)
        #expect(some.count == 4 && Set(some).count == 4 && some[0] == Array(0..<8))
    }

    private func plan(_ items: [LocatedItem], shots: Int, orders: Int = 1) throws -> ConditionPlan {
        let pipeline = Pipeline(asking: "What?")
        return ConditionPlan(
            pipeline, task: pipeline.tasks[0], items: items,
            condition: shots == 0 ? .zeroShot : .drawn(shots, seed: 5), pool: items, barred: [],
            orders: orders)
    }

    @Test("queries share one prompt except those among the demonstrations")
    func prompts() throws {
        let plan = try plan(items(20), shots: 4)
        #expect(plan.pipeline.tasks.count == 1 + 4 && plan.questions.count == 20)
        for (item, asked) in zip(items(20), plan.ofItem) {
            let task = plan.pipeline.tasks[asked[0].task]
            let demonstrations = plan.pipeline.demonstrations(for: task)
            #expect(demonstrations.count == 4 && asked[0].path == item.path)
            #expect(!demonstrations.contains { $0.clip == item.path })
            #expect(demonstrations.allSatisfy { $0.answers[task.id] == "c" + $0.id.dropFirst() })
        }
        #expect(try self.plan(items(20), shots: 0).pipeline.tasks.count == 1)
    }

    @Test(
        "items with questions of their own get tasks of their own, and demonstrations keep theirs")
    func questions() throws {
        var some = items(6, question: "Who?")
        some[2] = LocatedItem(
            item: LabelledItem(
                id: "17", video: .file("v2"), question: "Where?", truth: .answers(["here"]),
                place: "line 3"), path: some[2].path)
        let plan = try plan(some, shots: 2)
        let own = plan.pipeline.tasks[plan.ofItem[2][0].task]
        #expect(own.question == "Where?" && own.questionID == 17)
        #expect(Set(plan.pipeline.tasks.map(\.id)).count == plan.pipeline.tasks.count)
        for task in plan.pipeline.tasks {
            for demonstration in plan.pipeline.demonstrations(for: task) {
                let asked = demonstration.questions[task.id]
                #expect(asked == (demonstration.id == "17" ? "Where?" : "Who?"))
            }
        }
    }

    @Test("each order of the demonstrations is a question of its own")
    func orderedPrompts() throws {
        let plan = try plan(items(5), shots: 3, orders: 4)
        #expect(plan.ofItem.allSatisfy { Set($0).count == 4 })
        for asked in plan.ofItem {
            let lists = asked.map { question in
                plan.pipeline.demonstrations(for: plan.pipeline.tasks[question.task]).map(\.id)
            }
            #expect(Set(lists).count == 4 && Set(lists.map { $0.sorted() }).count == 1)
        }
    }

    // MARK: - Retrieved demonstrations

    @Test("conditions: 0 shots once, drawn ones with every seed, retrieved ones once")
    func conditions() {
        let all = Condition.all(shots: [0, 4], seeds: [1, 2], policies: [.fixed, .rices])
        #expect(all == [.zeroShot, .drawn(4, seed: 1), .drawn(4, seed: 2), .retrieved(4)])
        #expect(
            all.map(\.name) == ["0-shots", "4-shots.seed-1", "4-shots.seed-2", "4-shots.rices"])
        #expect(
            Condition.all(shots: [0, 2], seeds: [1], policies: [.rices]) == [
                .zeroShot, .retrieved(2),
            ])
    }

    @Test("retrieved: one task over the whole pool without what cannot be used, and its own bound")
    func retrieved() {
        let pool = items(10)
        func plan(_ condition: Condition, _ asked: [LocatedItem]) -> ConditionPlan {
            let pipeline = Pipeline(asking: "What?")
            return ConditionPlan(
                pipeline, task: pipeline.tasks[0], items: asked, condition: condition, pool: pool,
                barred: [pool[3].path], nearDuplicate: 0.9)
        }
        let nearest = plan(.retrieved(4), pool)
        #expect(nearest.pipeline.tasks.count == 1 && nearest.questions.count == 10)
        #expect(
            nearest.pipeline.retrieval == DemonstrationRetrieval(count: 4, nearDuplicate: 0.9))
        #expect(
            nearest.pipeline.demonstrations.map(\.id)
                == pool.map(\.item.id).filter { $0 != "i3" })
        #expect(plan(.drawn(4, seed: 1), pool).pipeline.retrieval == nil)
        // Questions of their own are tasks of their own, and the pool is there once.
        let asked = ["Who?", "Where?"].enumerated().map { number, question in
            LocatedItem(
                item: LabelledItem(
                    id: "q\(number)", video: .file("v0"), question: question,
                    truth: .answers(["it"]), place: "line 1"), path: PathBytes("/v0"))
        }
        let two = plan(.retrieved(4), asked).pipeline
        #expect(two.tasks.map(\.question) == ["Who?", "Where?"])
        #expect(two.demonstrations.count == 9)
        #expect(two.demonstrations.allSatisfy { $0.answers.count == 2 })
    }

    @Test("what retrieving gains is the difference of means over seeds, over the same items")
    func differences() throws {
        let truths = (0..<40).map { _ in Truth.label("a", choices: []) }
        /// The first `right` items are answered rightly.
        func scores(_ right: Int) -> SetScores {
            SetScores(
                (0..<40).map {
                    Prediction(choices: ["a", "b"], likelihoods: $0 < right ? [0, -1] : [-1, 0])
                }, truths)
        }
        func result(_ condition: Condition) -> ConditionResult {
            ConditionResult(
                condition, records: "", unanswered: [:], shown: 0, short: 0, scores: [])
        }
        let conditions: [Condition] = [
            .zeroShot, .drawn(4, seed: 0), .drawn(4, seed: 1), .retrieved(4), .retrieved(8),
        ]
        let figures = SetFigures(
            conditions.map(result), [0, 10, 20, 30, 40].map(scores), items: 40,
            bootstrap: Bootstrap(resamples: 200))
        #expect(figures.figures.map(\.mean) == [0, 0.375, 0.75, 1])
        #expect(figures.figures.map(\.policy) == [.none, .fixed, .rices, .rices])
        let gains = figures.differences
        // 8 shots have no fixed demonstrations to be compared with.
        #expect(gains.map(\.shots) == [4] && gains.map(\.mean) == [0.375])
        let gain = try #require(gains.first)
        #expect(gain.low > 0.2 && gain.low < 0.375 && gain.high > 0.375 && gain.high < 0.55)
        // Where both are right about the same items, nothing is uncertain about the difference, whatever is about the scores.
        let same = SetFigures(
            [result(.drawn(4, seed: 0)), result(.retrieved(4))], [scores(20), scores(20)],
            items: 40, bootstrap: Bootstrap(resamples: 200))
        #expect(same.differences.map(\.low) == [0] && same.differences.map(\.high) == [0])
        #expect(same.figures[0].low < 0.4 && same.figures[0].high > 0.6)
    }

    // MARK: - What cannot be evaluated

    @Test(
        "a pool that is too small, labels that are no choices, and tasks that do not fit are refused"
    )
    func refusals() throws {
        let pipeline = Pipeline(asking: "What?")
        var settings = EvaluationSettings()
        settings.shots = [0, 8]
        func fault(
            _ items: [LocatedItem], pool: [LocatedItem]? = nil, task: AnnotationTask? = nil
        ) -> String {
            do {
                _ = try SetEvaluation(
                    items, pool: pool, pipeline: pipeline, task: task ?? pipeline.tasks[0],
                    settings: settings)
                return ""
            } catch { return "\(error)" }
        }
        #expect(fault(items(9)) == "")
        #expect(
            fault(items(8))
                == "found a pool of 8 with 7 besides a query's own video, expected at least 8, for 8 shots"
        )
        #expect(fault(Array(items(20).suffix(3)), pool: items(8)) == "")
        let sort = AnnotationTask(id: "sort", type: .classify, choices: ["keep", "drop"])
        let odd = items(9).map { located in
            LocatedItem(
                item: LabelledItem(
                    id: located.item.id, video: located.item.video, question: nil,
                    truth: .label("lose", choices: []), place: located.item.place),
                path: located.path)
        }
        #expect(
            fault(odd, task: sort)
                == "found the label \"lose\" in line 1, expected one of the choices of task sort: \"keep\", \"drop\""
        )
        settings.orders = 2
        #expect(fault(items(9)).contains("2 orders of the demonstrations for a vqa task"))
        settings.policies = [.rices]
        let kept = odd.map { located in
            LocatedItem(
                item: LabelledItem(
                    id: located.item.id, video: located.item.video, question: nil,
                    truth: .label("keep", choices: []), place: located.item.place),
                path: located.path)
        }
        #expect(
            fault(kept, task: sort)
                == "found 2 orders of demonstrations that are retrieved, expected 1: they stand in the order of their similarity"
        )
        #expect {
            try SetEvaluation.task(nil, of: pipeline, for: .captions)
        } throws: { "\($0)".contains("found 0 caption tasks among ask (vqa)") }
        #expect(try SetEvaluation.task("ask", of: pipeline, for: .answers).id == "ask")
        #expect(throws: PipelineError.self) {
            try SetEvaluation.task("other", of: pipeline, for: .answers)
        }
    }
}
