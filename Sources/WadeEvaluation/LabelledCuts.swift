//! A file that says where the cuts of some videos are.
internal import Foundation
package import WadePipeline

/// Videos with the times at which new shots begin.
package struct LabelledCuts: Sendable {
    /// One video.
    package struct Video: Sendable, Decodable {
        /// Path below the folder of videos.
        package let file: String
        /// Seconds from the first frame to the first frame of each new shot.
        package let cuts: [Double]
        /// How far a found cut may be from its label, in seconds.
        package let tolerance: Double

        private enum CodingKeys: String, CodingKey {
            case file
            case cuts = "cut_times_s"
            case tolerance = "cut_tol_s"
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            file = try values.decode(String.self, forKey: .file)
            cuts = try values.decode([Double].self, forKey: .cuts)
            tolerance = try values.decodeIfPresent(Double.self, forKey: .tolerance) ?? 0.1
        }
    }

    private struct Manifest: Decodable {
        let clips: [Video]
    }

    /// The videos, in the order of the file.
    package let videos: [Video]

    /// Reads `{"clips": [{"file", "cut_times_s", "cut_tol_s"}]}`; a tolerance that is not given is 0.1 s. Throws `file` or `pipeline`.
    package init(_ path: PathBytes) throws(PipelineError) {
        let bytes = try LabelFile.read(path)
        do {
            videos = try JSONDecoder().decode(Manifest.self, from: Data(bytes)).clips
        } catch {
            throw .pipeline(
                place: path.shown, found: LabelFile.reason(error),
                expected: "{\"clips\": [{\"file\": …, \"cut_times_s\": [seconds, …]}, …]}")
        }
    }
}
