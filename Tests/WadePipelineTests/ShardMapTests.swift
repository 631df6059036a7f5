//! Facts about which file belongs to which part.
import Foundation
import Testing
import WadeFlamingo

@testable import WadePipeline

@Suite("shards")
struct ShardMapTests {
    private func names(_ count: Int) -> [PathBytes] {
        (0..<count).map { PathBytes("season \($0 % 7)/clip \($0).mp4") }
    }

    /// Sizes as folders of videos have them: most near the median, a few ten times as large.
    private func costs(_ count: Int, seed: UInt64) -> [Double] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { _ in
            exp((0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &random) })
        }
    }

    @Test("a shard is I/N from 1 to N, and anything else is refused with what was found")
    func spelling() throws {
        #expect(try Shard("1/1") == Shard(index: 1, count: 1))
        #expect(try Shard("8/8") == Shard(index: 8, count: 8))
        for text in [
            "0/0", "0/8", "9/8", "1/100001", "-1/8", "1", "1/", "/8", "1/8/8", "a/b", "", "1 /8",
            "+1/8", "١/8",
        ] {
            #expect(throws: PipelineError.self, "\(text)") { try Shard(text) }
        }
    }

    @Test(
        "a Slurm task is the place of its id in the array, whatever the array begins with and steps by"
    )
    func slurm() throws {
        func shard(_ id: Int, _ least: Int, _ most: Int, _ step: Int?, _ count: Int) throws -> Shard
        {
            var environment = [
                "SLURM_ARRAY_TASK_ID": "\(id)", "SLURM_ARRAY_TASK_MIN": "\(least)",
                "SLURM_ARRAY_TASK_MAX": "\(most)", "SLURM_ARRAY_TASK_COUNT": "\(count)",
            ]
            if let step { environment["SLURM_ARRAY_TASK_STEP"] = "\(step)" }
            return try Shard.ofTask(environment)
        }
        #expect(try shard(0, 0, 7, 1, 8) == Shard(index: 1, count: 8))
        #expect(try shard(8, 1, 8, nil, 8) == Shard(index: 8, count: 8))
        #expect(try shard(9, 3, 11, 2, 5) == Shard(index: 4, count: 5))
        // --array=1,3,7 does not say which place 7 has
        #expect(throws: PipelineError.self) { try shard(7, 1, 7, 1, 3) }
        #expect(throws: PipelineError.self) { try Shard.ofTask(["SLURM_ARRAY_TASK_ID": "1"]) }
    }

    @Test("a Kubernetes pod needs to be told how many there are")
    func kubernetes() throws {
        #expect(
            try Shard.ofTask(["JOB_COMPLETION_INDEX": "7", "WADE_SHARDS": "8"])
                == Shard(index: 8, count: 8))
        for environment in [
            ["JOB_COMPLETION_INDEX": "7"], ["JOB_COMPLETION_INDEX": "8", "WADE_SHARDS": "8"],
            ["JOB_COMPLETION_INDEX": "0", "WADE_SHARDS": "8", "SLURM_ARRAY_TASK_ID": "1"], [:],
        ] {
            #expect(throws: PipelineError.self) { try Shard.ofTask(environment) }
        }
    }

    @Test(
        "every file belongs to exactly one part, the same one whatever order the folder is listed in"
    )
    func exactlyOne() throws {
        for (count, files) in [(1, 5), (2, 1), (3, 100), (8, 24), (100, 30), (7, 2000)] {
            let paths = names(files)
            let weighed = zip(paths, costs(files, seed: 3)).map {
                ShardMap.Weighed(path: $0, cost: $1)
            }
            let map = ShardMap(count: count, balancing: weighed)
            for path in paths {
                let holders = (1...count).filter { index in
                    Shard(index: index, count: count).map { map.holds(path, in: $0) } ?? false
                }
                #expect(holders.count == 1)
            }
            var random = SplitMix64(seed: 9)
            for _ in 0..<5 {
                #expect(ShardMap(count: count, balancing: weighed.shuffled(using: &random)) == map)
            }
        }
    }

    @Test("no part is longer than the mean by more than one file")
    func balance() throws {
        for (count, files) in [(2, 9), (8, 24), (8, 200), (50, 5000)] {
            for seed in UInt64(0)..<10 {
                let paths = names(files)
                let costs = costs(files, seed: seed)
                let map = ShardMap(
                    count: count,
                    balancing: zip(paths, costs).map { ShardMap.Weighed(path: $0, cost: $1) })
                var loads = [Double](repeating: 0, count: count)
                for (path, cost) in zip(paths, costs) { loads[map.owner(of: path)] += cost }
                let mean = costs.reduce(0, +) / Double(count)
                let longest = loads.max() ?? 0
                // Its last file was taken below the mean, or is alone.
                #expect(
                    longest <= mean + (costs.max() ?? 0), "\(count) parts of \(files), seed \(seed)"
                )
                // With a hundred files a part nothing sticks out but by a file's fraction.
                if files == 5000 { #expect(longest <= mean * 1.02) }
            }
        }
    }

    @Test("equal files are dealt out evenly, and moving costs few entries")
    func equal() throws {
        let paths = names(10_000)
        let map = ShardMap(count: 100, balancing: paths.map { ShardMap.Weighed(path: $0, cost: 2) })
        var counts = [Int](repeating: 0, count: 100)
        for path in paths { counts[map.owner(of: path)] += 1 }
        #expect(counts.allSatisfy { $0 == 100 })
        // The mean deviation of 100 expected files is 8 of them, and half of the parts have too many.
        #expect(map.moved.count > 200 && map.moved.count < 600)
    }

    @Test("a new file moves no other one")
    func growth() throws {
        let paths = names(300)
        let map = ShardMap(
            count: 8, balancing: paths.map { ShardMap.Weighed(path: $0, cost: 1) })
        let later = PathBytes("season 0/new.mp4")
        #expect(map.moved[ShardMap.hash(later)] == nil)
        #expect((0..<8).contains(map.owner(of: later)))
        // Without the list a path's owner depends on nothing else at all.
        let bare = ShardMap(count: 8)
        #expect(paths.filter { bare.owner(of: $0) != map.owner(of: $0) }.count == map.moved.count)
    }

    @Test("tasks that start with other listings agree: the first map stands, byte for byte")
    func agreement() throws {
        let folder = try TemporaryFolder()
        let path = folder("out.shards-of-4.json")
        func map(_ files: Int) -> ShardMap {
            ShardMap(
                count: 4,
                balancing: zip(names(files), costs(files, seed: 1)).map {
                    ShardMap.Weighed(path: $0, cost: $1)
                })
        }
        #expect(try ShardMap.read(path, count: 4) == nil)
        let first = try map(50).agreed(at: path)
        let bytes = try folder.bytes("out.shards-of-4.json")
        #expect(first == map(50) && first != map(90) && !first.moved.isEmpty)
        #expect(try map(90).agreed(at: path) == first)
        #expect(try ShardMap.read(path, count: 4) == first)
        #expect(try folder.bytes("out.shards-of-4.json") == bytes)
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path.text)
        #expect(left == ["out.shards-of-4.json"])
        for damage in [
            "", "{}", "{\"schema\":\"wade.shards/1\",\"shards\":5,\"moved\":[]}",
            "{\"schema\":\"wade.shards/1\",\"shards\":4,\"moved\":[\"12:4\"]}",
        ] {
            try folder.replace("out.shards-of-4.json", with: Array(damage.utf8))
            #expect(throws: PipelineError.self, "\(damage)") { try ShardMap.read(path, count: 4) }
        }
    }

    @Test("many tasks that start at once follow one map")
    func race() async throws {
        let folder = try TemporaryFolder()
        let path = folder("out.shards-of-4.json")
        let maps = try await withThrowingTaskGroup(of: ShardMap.self) { group in
            for task in 0..<16 {
                group.addTask {
                    let paths = (0..<(20 + task)).map { PathBytes("\($0).mp4") }
                    return try ShardMap(
                        count: 4, balancing: paths.map { ShardMap.Weighed(path: $0, cost: 1) }
                    ).agreed(at: path)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(maps.count == 16 && maps.allSatisfy { $0 == maps[0] })
    }

    @Test("parts are named after their output, and nothing else is taken for one")
    func partNames() throws {
        let folder = try TemporaryFolder()
        let shard = try Shard("3/8")
        #expect(PartName(PathBytes("a/b.jsonl")).part(shard) == PathBytes("a/b.part-3-of-8.jsonl"))
        #expect(PartName(PathBytes("b.txt")).part(shard) == PathBytes("b.txt.part-3-of-8.jsonl"))
        #expect(PartName.beside(PathBytes("s.json"), shard) == PathBytes("s.part-3-of-8.json"))
        #expect(PartName.beside(PathBytes("x.y/s"), shard) == PathBytes("x.y/s.part-3-of-8"))
        #expect(
            PartName.summaries(besides: PathBytes("a/b.part-3-of-8.jsonl"))
                == PathBytes("a/b.runs-3-of-8.jsonl"))
        #expect(PartName.summaries(besides: PathBytes("a/b.jsonl")) == PathBytes("a/runs.jsonl"))
        for name in [
            "b.part-2-of-8.jsonl", "b.part-10-of-12.jsonl", "b.part-1-of-8.jsonl",
            "b.part-9-of-8.jsonl",
            "b.part-01-of-8.jsonl", "b.part-1-of-8.jsonl.lock", "b.runs-1-of-8.jsonl",
            "bb.part-1-of-8.jsonl",
            "b.part-1-of-8.part-1-of-2.jsonl", "b.jsonl",
        ] {
            folder.write("", to: name)
        }
        let parts = try PartName(folder("b.jsonl")).existing()
        #expect(
            parts.map(\.path.name.text) == [
                "b.part-1-of-8.jsonl", "b.part-2-of-8.jsonl", "b.part-10-of-12.jsonl",
            ])
    }

    @Test("a longer file costs more, and more so where files are cut into clips")
    func cost() {
        let pipeline = plainPipeline([captionTask, colourTask])
        let whole = ShardCost(pipeline, secondsPerAnswer: 2)
        #expect(whole.seconds(bytes: 0) == 4)
        #expect(whole.seconds(bytes: 700_000_000) == 5)
        var cut = pipeline
        cut.segmentation = .windows(length: 8, stride: 4)
        let clips = ShardCost(cut, secondsPerAnswer: 2)
        #expect(clips.seconds(bytes: 10_000_000) > 2.4 * clips.seconds(bytes: 4_000_000))
    }

    @Test("file systems that keep no promise between hosts are named, others are passed over")
    func storage() {
        func says(_ magic: UInt32, _ options: Set<String> = []) -> [String] {
            SharedStorage.warnings(.init(magic: magic, type: "fuse.s3", options: options))
        }
        #expect(
            says(0xEF53) == [] && says(0x5846_5342) == [] && says(0x6969, ["rw", "vers=4.2"]) == [])
        #expect(says(0x6969, ["nolock"]).first?.contains("NFS") == true)
        #expect(says(0x6969, ["local_lock=flock"]).count == 1)
        #expect(says(0xFF53_4D42) == [] && says(0xFE53_4D42, ["nobrl"]).count == 1)
        #expect(
            says(0x0BD0_0BD0, ["flock"]) == []
                && says(0x0BD0_0BD0).first?.contains("without flock") == true)
        #expect(says(0x0BD0_0BD0, ["localflock"]).count == 1)
        #expect(says(0x6573_5546).first?.contains("fuse.s3") == true)
        #expect(says(0x794C_7630).count == 1 && says(0x0102_1994).count == 1)
        // This machine's own table, which the kernel gives no size.
        let proc = SharedStorage.mount(of: PathBytes("/proc"))
        #expect(proc.magic == 0x9FA0 && proc.type == "proc" && proc.options.contains("rw"))
        var mount = SharedStorage.Mount(magic: 0x6969)
        SharedStorage.read(
            Array(
                "21 1 8:1 / / rw - ext4 /dev/a rw\n40 21 0:52 / /data rw,noatime shared:1 - nfs4 host:/x rw,vers=4.2,local_lock=all\n"
                    .utf8),
            device: 52, into: &mount)
        #expect(
            mount.type == "nfs4" && mount.options.contains("local_lock=all")
                && mount.options.contains("noatime"))
    }
}
