//! The record as a JSON line and back; the two tables stand side by side so that they cannot drift apart unseen.

extension AnnotationRecord {
    /// The line's bytes: one object with sorted names, ended by a newline. Throws when a float is not finite.
    package func line() throws(PipelineError) -> [UInt8] {
        var bytes = try JSONWriter.bytes(of: value)
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    /// The record that `line` (with or without its newline) says; throws `record` naming the field at fault.
    package init(line: [UInt8]) throws(PipelineError) {
        let value: JSONValue
        do {
            value = try JSONReader.read(line)
        } catch {
            throw .record(
                field: "byte \(error.byte)", found: error.found, expected: error.expected)
        }
        try self.init(json: value)
    }

    private var value: JSONValue {
        [
            "schema": .string(Self.schemaName), "key": .string(key),
            "custom_id": .string(customID), "status": .string(status.rawValue),
            "recipe_id": .string(recipeID), "video": video.value, "clip": clip.value,
            "frames": frames.value, "task": task.value, "output": output.value,
            "score": score.value, "same_as": .string(sameAs), "demos": demonstrations.value,
            "model": model.value, "flags": .strings(flags.sorted().map(\.rawValue)),
            "error": error.value, "run": run.value,
        ]
    }

    private init(json: JSONValue) throws(PipelineError) {
        let fields = RecordFields(json)
        let schema = try fields.text("schema")
        guard schema == Self.schemaName else {
            throw .record(
                field: "schema", found: schema.shownShort, expected: Self.schemaName)
        }
        key = try fields.text("key")
        customID = try fields.text("custom_id")
        status = try fields.word("status")
        recipeID = try fields.text("recipe_id")
        video = try Video(fields.object("video"))
        clip = try Clip(fields.object("clip"))
        frames = try Frames(fields.object("frames"))
        task = try Task(fields.object("task"))
        output = try Output(fields.object("output"))
        score = try Score(fields.object("score"))
        sameAs = try fields.text("same_as")
        demonstrations = try Demonstrations(fields.object("demos"))
        model = try Model(fields.object("model"))
        flags = try fields.words("flags")
        error = try Failure(fields.object("error"))
        run = try Run(fields.object("run"))
    }
}

extension AnnotationRecord.Video {
    fileprivate var value: JSONValue {
        [
            "id": .string(id), "path": .string(path), "path_bytes_b64": .string(pathBytesBase64),
            "content_id": .string(contentID), "bytes": .integer(bytes), "mtime": .string(mtime),
            "duration_s": .number(duration), "width": .integer(width),
            "height": .integer(height), "rotation_deg": .integer(rotation),
            "codec": .string(codec), "pix_fmt": .string(pixelFormat),
            "transfer": .string(transfer), "avg_fps": .number(averageFrameRate),
            "vfr": .bool(isVariableFrameRate),
        ]
    }

    fileprivate init(_ fields: RecordFields) throws(PipelineError) {
        id = try fields.text("id")
        path = try fields.text("path")
        pathBytesBase64 = try fields.text("path_bytes_b64")
        contentID = try fields.text("content_id")
        bytes = try fields.integer("bytes")
        mtime = try fields.text("mtime")
        duration = try fields.number("duration_s")
        width = try fields.integer("width")
        height = try fields.integer("height")
        rotation = try fields.integer("rotation_deg")
        codec = try fields.text("codec")
        pixelFormat = try fields.text("pix_fmt")
        transfer = try fields.text("transfer")
        averageFrameRate = try fields.number("avg_fps")
        isVariableFrameRate = try fields.flag("vfr")
    }
}

extension AnnotationRecord.Clip {
    fileprivate var value: JSONValue {
        [
            "index": .integer(index), "count": .integer(count), "start_s": .number(start),
            "end_s": .number(end), "boundary": .string(boundary.rawValue),
        ]
    }

    fileprivate init(_ fields: RecordFields) throws(PipelineError) {
        index = try fields.integer("index")
        count = try fields.integer("count")
        start = try fields.number("start_s")
        end = try fields.number("end_s")
        boundary = try fields.word("boundary")
    }
}

extension AnnotationRecord.Frames {
    fileprivate var value: JSONValue {
        [
            "strategy": .string(strategy), "requested": .integer(requested),
            "used": .integer(used), "failed": .integer(failed), "pts_s": .numbers(times),
            "digest": .string(digest),
        ]
    }

    fileprivate init(_ fields: RecordFields) throws(PipelineError) {
        strategy = try fields.text("strategy")
        requested = try fields.integer("requested")
        used = try fields.integer("used")
        failed = try fields.integer("failed")
        times = try fields.numbers("pts_s")
        digest = try fields.text("digest")
    }
}

extension AnnotationRecord.Task {
    fileprivate var value: JSONValue {
        [
            "id": .string(id), "type": .string(type.rawValue), "question": .string(question),
            "question_id": .integer(questionID), "choices": .strings(choices),
        ]
    }

    fileprivate init(_ fields: RecordFields) throws(PipelineError) {
        id = try fields.text("id")
        type = try fields.word("type")
        question = try fields.text("question")
        questionID = try fields.integer("question_id")
        choices = try fields.texts("choices")
    }
}

extension AnnotationRecord.Output {
    fileprivate var value: JSONValue {
        [
            "text": .string(text), "raw": .string(raw), "json": .string(json),
            "choice": .integer(choice), "choice_logprobs": .numbers(choiceLogProbabilities),
            "finish": .string(finish.rawValue), "tokens": .integer(tokens),
            "attempts": .integer(attempts),
        ]
    }

    fileprivate init(_ fields: RecordFields) throws(PipelineError) {
        text = try fields.text("text")
        raw = try fields.text("raw")
        json = try fields.text("json")
        choice = try fields.integer("choice")
        choiceLogProbabilities = try fields.numbers("choice_logprobs")
        finish = try fields.word("finish")
        tokens = try fields.integer("tokens")
        attempts = try fields.integer("attempts")
    }
}

extension AnnotationRecord.Score {
    fileprivate var value: JSONValue {
        [
            "mean_logprob": .number(meanLogProbability),
            "min_logprob": .number(minimumLogProbability),
            "compression_ratio": .number(compressionRatio), "visual_gain": .number(visualGain),
            "has_visual_gain": .bool(hasVisualGain), "agreement": .number(agreement),
            "calibrated_p": .number(calibratedProbability),
        ]
    }

    fileprivate init(_ fields: RecordFields) throws(PipelineError) {
        meanLogProbability = try fields.number("mean_logprob")
        minimumLogProbability = try fields.number("min_logprob")
        compressionRatio = try fields.number("compression_ratio")
        visualGain = try fields.number("visual_gain")
        hasVisualGain = try fields.flag("has_visual_gain")
        agreement = try fields.number("agreement")
        calibratedProbability = try fields.number("calibrated_p")
    }
}

extension AnnotationRecord.Demonstrations {
    fileprivate var value: JSONValue {
        [
            "set_id": .string(setID), "policy": .string(policy.rawValue), "ids": .strings(ids),
            "sims": .numbers(similarities),
        ]
    }

    fileprivate init(_ fields: RecordFields) throws(PipelineError) {
        setID = try fields.text("set_id")
        policy = try fields.word("policy")
        ids = try fields.texts("ids")
        similarities = try fields.numbers("sims")
    }
}

extension AnnotationRecord.Model {
    fileprivate var value: JSONValue {
        [
            "name": .string(name), "weights_sha256": .string(weightsSHA256),
            "quant": .string(quantization),
        ]
    }

    fileprivate init(_ fields: RecordFields) throws(PipelineError) {
        name = try fields.text("name")
        weightsSHA256 = try fields.text("weights_sha256")
        quantization = try fields.text("quant")
    }
}

extension AnnotationRecord.Failure {
    fileprivate var value: JSONValue {
        [
            "code": .string(code), "stage": .string(stage), "message": .string(message),
            "retryable": .bool(isRetryable),
        ]
    }

    fileprivate init(_ fields: RecordFields) throws(PipelineError) {
        code = try fields.text("code")
        stage = try fields.text("stage")
        message = try fields.text("message")
        isRetryable = try fields.flag("retryable")
    }
}

extension AnnotationRecord.Run {
    fileprivate var value: JSONValue {
        [
            "id": .string(id), "seq": .integer(sequence), "created_at": .string(createdAt),
            "wade_version": .string(wadeVersion), "host": .string(host),
            "decode_ms": .integer(decodeMilliseconds), "vision_ms": .integer(visionMilliseconds),
            "prefill_ms": .integer(prefillMilliseconds),
            "generate_ms": .integer(generateMilliseconds),
        ]
    }

    fileprivate init(_ fields: RecordFields) throws(PipelineError) {
        id = try fields.text("id")
        sequence = try fields.integer("seq")
        createdAt = try fields.text("created_at")
        wadeVersion = try fields.text("wade_version")
        host = try fields.text("host")
        decodeMilliseconds = try fields.integer("decode_ms")
        visionMilliseconds = try fields.integer("vision_ms")
        prefillMilliseconds = try fields.integer("prefill_ms")
        generateMilliseconds = try fields.integer("generate_ms")
    }
}
