//! The layouts that an output can be handed on in.

/// A layout, as the tools of its field read it.
package enum ExportFormat: String, CaseIterable, Sendable {
    /// WebVTT (W3C), one file per video.
    case vtt
    /// SubRip, one file per video.
    case srt
    /// COCO caption results: `[{"image_id", "caption"}]`, which pycocotools' `loadRes` reads.
    case coco
    /// VQA results: `[{"question_id", "answer"}]`.
    case vqa
    /// A submission to ActivityNet's dense captioning: `{"version", "results": {"v_ID": [{"sentence", "timestamp"}]}, "external_data"}`.
    case activityNet = "activitynet"
    /// MSR-VTT's `videodatainfo`: `{"info", "videos", "sentences"}`.
    case msrvtt
    /// VATEX: `[{"videoID", "enCap"}]`.
    case vatex
    /// A table by RFC 4180, one row per record.
    case csv
    /// One flat JSON object per record, every column with one type: `wade schema --for parquet-ready` tells them.
    case parquetReady = "parquet-ready"

    /// Whether a table of all records is made, failures included.
    package var isTable: Bool { self == .csv || self == .parquetReady }

    /// Whether a folder of subtitles is made.
    package var isSubtitles: Bool { self == .vtt || self == .srt }

    /// Whether a record without an answer can stand in the layout with an empty text.
    package var holdsEmptyAnswers: Bool {
        switch self {
        case .coco, .vqa, .msrvtt, .vatex: true
        default: false
        }
    }

    /// Whether the layout has one answer per clip, so that only one task can be meant.
    var isOfOneTask: Bool { !isTable && self != .vqa }
}

/// What an export came to.
package struct ExportResult: Sendable, Equatable {
    /// Answers written.
    package var answers = 0
    /// Files written.
    package var files = 1
    /// Records that were left out, by the reason.
    package var leftOut: [String: Int] = [:]
    /// What a reader has to know besides: sentences.
    package var notes: [String] = []

    mutating func leaveOut(_ reason: String) { leftOut[reason, default: 0] += 1 }
}
