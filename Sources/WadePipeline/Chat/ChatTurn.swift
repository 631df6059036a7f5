//! One question of a dialogue and its answer, and how a dialogue is written down.

/// A turn.
package struct ChatTurn: Sendable, Equatable {
    /// Why an answer ended.
    package enum Finish: String, Sendable {
        /// The model ended it.
        case eos
        /// It came to words that end an answer.
        case stop
        /// It had as many tokens as it may have.
        case length
        /// It went round in circles.
        case `guard`
        /// The user ended it.
        case interrupted
    }

    /// The number of the clip that the question is about, from 0.
    package let clip: Int
    /// The question.
    package let question: String
    /// The answer.
    package let answer: String
    /// Why it ended.
    package let finish: Finish
    /// Tokens that were generated.
    package let tokens: Int
    /// Mean log-probability of them.
    package let meanLogProbability: Double
    /// Tokens that the model read for it: those that were new to it.
    package let read: Int
    /// When it was asked, RFC 3339 in UTC.
    package let time: String
}

/// What a dialogue is saved as.
package enum ChatTranscript {
    /// The value of `schema`.
    package static let schema = "wade.chat/1"

    /// One JSON object a turn, one per line.
    package static func jsonLines(_ conversation: Conversation) throws(PipelineError) -> [UInt8] {
        var bytes: [UInt8] = []
        for (number, turn) in conversation.turns.enumerated() {
            let clip = conversation.clips[turn.clip]
            bytes += try JSONWriter.bytes(of: [
                "schema": .string(schema), "turn": .integer(number + 1),
                "time": .string(turn.time), "question": .string(turn.question),
                "answer": .string(turn.answer), "finish": .string(turn.finish.rawValue),
                "tokens": .integer(turn.tokens),
                "mean_logprob": .number(
                    turn.meanLogProbability.isFinite ? turn.meanLogProbability : -1),
                "video": [
                    "path": .string(clip.path.text),
                    "path_bytes_b64": .string(clip.path.base64WhenLossy),
                    "content_id": .string(clip.contentID), "duration_s": .number(clip.duration),
                    "pts_s": .numbers(clip.times),
                ],
                "model": [
                    "name": .string(conversation.model.name),
                    "weights_sha256": .string(conversation.model.weightsSHA256),
                ],
            ])
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    /// Questions and answers as people read them, under the clip that they are about.
    package static func text(_ conversation: Conversation) -> String {
        var text = ""
        var clip: Int?
        for turn in conversation.turns {
            if turn.clip != clip {
                text +=
                    (text.isEmpty ? "" : "\n") + "# \(conversation.clips[turn.clip].path.shown)\n"
                clip = turn.clip
            }
            text += "\n> \(turn.question)\n\(turn.answer)\n"
        }
        return text
    }
}
