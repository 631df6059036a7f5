// swift-tools-version: 6.2
// The targets of Wade and the walls between them; README.md says what Wade does.
import PackageDescription

/// Whether the fuzzer of Tests/Fuzzing is built; its README.md says how.
let fuzzes = Context.environment["WADE_FUZZ"] == "1"

/// Under the fuzzer Wade's own code tells libFuzzer which way it goes.
let coverage: [SwiftSetting] =
    fuzzes ? [.unsafeFlags(["-sanitize=fuzzer", "-parse-as-library"])] : []

/// Every pointer use must say `unsafe`, and C types cannot leak out of the room that imports them.
let house: [SwiftSetting] =
    [
        .strictMemorySafety(),
        .treatAllWarnings(as: .error),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + coverage

let testing: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny")
]

let package = Package(
    name: "wade",
    products: [
        .executable(name: "wade", targets: ["WadeCLI"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "3.12.3"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // FFmpeg's headers only: FFmpegOnDemand loads the libraries, so that a start that needs none is quick.
        .systemLibrary(
            name: "CFFmpeg",
            providers: [.apt(["libavformat-dev", "libavcodec-dev", "libswscale-dev"])]),
        .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
        .systemLibrary(
            name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CImage"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        // Vector code, which is too slow for tests where the compiler does not optimise it.
        .target(name: "CRowKernels", cSettings: [.unsafeFlags(["-O2"])]),
        .target(
            name: "WadeTensor", dependencies: ["COneDNN", "COpenBLAS", "CRowKernels"],
            swiftSettings: house),
        .target(
            name: "WadeImage", dependencies: ["CImage", "CZlib"], swiftSettings: house),
        .target(name: "FFmpegOnDemand"),
        .target(
            name: "WadeVideo",
            dependencies: ["CFFmpeg", "FFmpegOnDemand", "CLinux", "CZlib", "WadeImage"],
            swiftSettings: house),
        .target(name: "WadeTokenizer", swiftSettings: house),
        .target(
            name: "WadeFlamingo", dependencies: ["WadeTensor", "WadeImage"],
            swiftSettings: house),
        .target(
            name: "WadePipeline",
            dependencies: [
                "CLinux", "CZlib", "WadeFlamingo", "WadeTensor", "WadeTokenizer", "WadeVideo",
                "WadeImage",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            // Flaminglet lies beside the program; ModelLocation finds it there.
            resources: [
                .embedInCode("Resources/annotation.schema.json"),
                .embedInCode("Resources/report.css"), .embedInCode("Resources/report.js"),
                .embedInCode("Resources/slurm.sbatch"),
                .embedInCode("Resources/kubernetes.yaml"),
                .copy("Resources/flaminglet"),
            ],
            swiftSettings: house),
        .target(
            name: "WadeEvaluation", dependencies: ["WadePipeline", "WadeVideo", "WadeImage"],
            swiftSettings: house),
        // The one room that sees the network.
        .target(
            name: "WadeHub",
            dependencies: [
                "WadePipeline", "WadeFlamingo", .product(name: "Crypto", package: "swift-crypto"),
            ],
            resources: [.embedInCode("Resources/models.yaml")], swiftSettings: house),
        .target(name: "WadeTerminal", swiftSettings: house),
        .target(
            name: "WadeTraining",
            dependencies: [
                "WadePipeline", "WadeFlamingo", "WadeTensor", "WadeTokenizer", "WadeVideo",
                "WadeImage", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: house),
        .executableTarget(
            name: "WadeCLI",
            dependencies: [
                "WadePipeline", "WadeTraining", "WadeEvaluation", "WadeHub", "WadeTerminal",
                "WadeFlamingo", "WadeTensor", "WadeVideo", "WadeImage",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: house),

        .target(
            name: "WadeTestSupport",
            dependencies: ["WadeTensor", .product(name: "Crypto", package: "swift-crypto")],
            path: "Tests/WadeTestSupport",
            swiftSettings: testing),
        .testTarget(
            name: "WadeTensorTests", dependencies: ["WadeTensor", "WadeTestSupport"],
            swiftSettings: testing),
        .testTarget(
            name: "WadeImageTests", dependencies: ["WadeImage", "WadeTensor", "WadeTestSupport"],
            swiftSettings: testing),
        .testTarget(
            name: "WadeVideoTests", dependencies: ["WadeVideo", "WadeImage", "WadeTestSupport"],
            swiftSettings: testing),
        .testTarget(
            name: "WadeTokenizerTests", dependencies: ["WadeTokenizer", "WadeTestSupport"],
            swiftSettings: testing),
        .testTarget(
            name: "WadeFlamingoTests",
            dependencies: [
                "WadeFlamingo", "WadeTensor", "WadeTokenizer", "WadeImage", "WadeTestSupport",
            ],
            swiftSettings: testing),
        .testTarget(
            name: "WadePipelineTests",
            dependencies: [
                "WadePipeline", "WadeFlamingo", "WadeTensor", "WadeTokenizer", "WadeVideo",
                "CLinux",
                "WadeTestSupport", .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: testing),
        .testTarget(
            name: "WadeEvaluationTests",
            dependencies: ["WadeEvaluation", "WadePipeline", "WadeTestSupport"],
            swiftSettings: testing),
        .target(
            name: "WadeFuzzedParsers",
            dependencies: [
                "WadePipeline", "WadeFlamingo", "WadeTensor", "WadeTokenizer", "WadeImage",
                "WadeVideo",
            ],
            path: "Tests/Fuzzing/FuzzedParsers", swiftSettings: testing),
        .testTarget(
            name: "WadeFuzzedParsersTests", dependencies: ["WadeFuzzedParsers"],
            swiftSettings: testing),
        .testTarget(
            name: "WadeTrainingTests",
            dependencies: [
                "WadeTraining", "WadePipeline", "WadeFlamingo", "WadeTensor", "WadeTokenizer",
                "WadeVideo", "WadeImage", "WadeTestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: testing),
        .testTarget(
            name: "WadeHubTests",
            dependencies: [
                "WadeHub", "WadePipeline", "WadeFlamingo", "WadeTensor", "WadeTestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: testing),
        .testTarget(
            name: "WadeTerminalTests", dependencies: ["WadeTerminal"], swiftSettings: testing),
        .testTarget(
            name: "WadeCLITests", dependencies: ["WadeTestSupport"], swiftSettings: testing),
    ],
    swiftLanguageModes: [.v6]
)

if fuzzes {
    package.targets.append(
        .executableTarget(
            name: "WadeFuzzer", dependencies: ["WadeFuzzedParsers"], path: "Tests/Fuzzing/Fuzzer",
            swiftSettings: testing + coverage,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]))
}
